"""What people read, everywhere: the words of the pages, docstrings, messages and help."""

import ast
import io
import re
import tokenize
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("runner", "datasets", "conf", "docs", "examples", "benchmarks", "hydra_plugins")
KINDS = {".py", ".md", ".yaml", ".html", ".js", ".ipynb", ".toml", ".txt", ".cff"}
READ = sorted(
    path
    for place in [ROOT, *(ROOT / folder for folder in FOLDERS)]
    for path in (place.iterdir() if place == ROOT else place.rglob("*"))
    if path.suffix in KINDS and path.name != "CHANGELOG.md"
)


# Words that were here and are not to come back, each with what is said in its place.
GONE = {
    r"mend(s|ed|ing)?\b(?![`:])": "fix",
    r"(go|goes|going|gone|went) on with\\b": "resume",
    r"learnt|spelt|leant|burnt": "learned, spelled, leaned, burned",
    r"(answers|answered|answered by) [1-5]\d\d\b": "returns",
    r"the house\b": "how it is built",
    r"dear(er)?\b": "expensive",
    r"times sooner": "times faster",
    r"anew\b(?!`)": "again",
    r"(put|set|putting|setting) right": "fix, correct",
    r"whilst|amongst|hitherto|whence|thereof|wherein|therein|thereby|heretofore|notwithstanding": "a plain word",
    r"utilis|utiliz|leverag|facilitat|in order to": "use, help, to",
    r"simply|obviously|of course|easily": "nothing: it may not be so for the reader",
    r"dataset names\b|data-set": "data set",
}


@cache
def said(path: Path) -> list[tuple[int, str]]:
    """The lines of a page; of a source its comments, docstrings and messages, each with its line."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return list(enumerate(text.splitlines(), 1))
    strings = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant) and type(node.value) is str]
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    found = [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
    return found + [(node.lineno + i, line) for node in strings for i, line in enumerate(node.value.splitlines())]


def places(pattern: str) -> list[str]:
    """Where a pattern stands, as FILE:LINE and the line."""
    looked_for = re.compile(pattern, re.IGNORECASE)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in READ
        for number, line in said(path)
        if looked_for.search(line)
    ]


@pytest.mark.parametrize("words", GONE)
def test_words_that_are_not_to_come_back(words: str) -> None:
    assert not places(rf"\b({words})"), f"say: {GONE[words]}"


def test_nothing_tells_people_to_install_a_package_of_strangers() -> None:
    """`runner` on the package index is another project. Until ours is there, people install from its sources."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name in ("runner", project["name"]):
        assert not places(rf"(pip install|uv add|uv tool install|uvx|--with)\s+(-\S+\s+)*[\"'`]?{name}\b(?![/.])")
        assert not places(rf"\b{name}\[[a-z]+\]")
    assert project["name"] != "runner"
