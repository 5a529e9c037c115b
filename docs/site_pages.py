"""What mkdocs does beside docs/: pages of the repository's root and examples stand under `repository/` of the site."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "repository/"
TOP = (
    "README.md",
    "CONTRIBUTING.md",
    "SUPPORT.md",
    "SECURITY.md",
    "CODE_OF_CONDUCT.md",
    "CHANGELOG.md",
    "CITATION.cff",
)


def on_files(files: Files, config: Any) -> Files:
    """Add what the pages link to."""
    beside = [path for path in (ROOT / "examples").rglob("*") if path.suffix in (".md", ".py", ".ipynb")]
    for path in [*(ROOT / name for name in TOP), ROOT / "benchmarks/RESULTS.md", *beside]:
        files.append(File.generated(config, FOLDER + path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links between docs/ and the rest, as they are on the site."""
    here = page.file.src_uri
    if not here.startswith(FOLDER):
        return re.sub(r"\]\(\.\./", f"]({FOLDER}", markdown)
    up = "../" * here.count("/")
    return re.sub(r"\]\((\.\./)*docs/", f"]({up}", markdown)
