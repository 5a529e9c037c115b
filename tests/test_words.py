"""What people read, everywhere: the words of the pages, docstrings, messages and help."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("runner", "datasets", "conf", "docs", "examples", "benchmarks", "hydra_plugins")
KINDS = {".py", ".md", ".yaml", ".html", ".js", ".ipynb", ".toml", ".txt", ".cff"}
READ = sorted(
    path
    for place in [ROOT, *(ROOT / folder for folder in FOLDERS)]
    for path in (place.iterdir() if place == ROOT else place.rglob("*"))
    if path.suffix in KINDS and path.name != "CHANGELOG.md"
)


def places(pattern: str, paths: list[Path] = READ) -> list[str]:
    """Where a pattern stands, as FILE:LINE and the line."""
    said = re.compile(pattern, re.IGNORECASE)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if said.search(line)
    ]


def test_nothing_tells_people_to_install_a_package_of_strangers() -> None:
    """`runner` on the package index is another project. Until ours is there, people install from its sources."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name in ("runner", project["name"]):
        assert not places(rf"(pip install|uv add|uv tool install|uvx|--with)\s+(-\S+\s+)*[\"'`]?{name}\b(?![/.])")
        assert not places(rf"\b{name}\[[a-z]+\]")
    assert project["name"] != "runner"
