"""The site of docs/, built strictly: every page is in its menu's reach, every link and anchor leads somewhere."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_site_is_built_and_asks_nothing_of_any_network(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # the theme's word about its successor
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) >= 25
    assert not [
        page for page in pages if 'src="http' in page.read_text() or 'rel="stylesheet" href="http' in page.read_text()
    ]
    assert (tmp_path / "site" / "search" / "search_index.json").exists()
