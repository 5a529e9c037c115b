"""What examples/ holds: exercises that fail as they say, solutions that learn, a project to copy that runs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
EXERCISES = sorted((EXAMPLES / "course").glob("*.py"))
SOLUTIONS = dict(
    re.findall(r"^## (\S+)\n\n```diff\n(.*?)```", (EXAMPLES / "course/solutions.md").read_text(), re.M | re.S)
)


def solved(path: Path) -> str:
    """A script with its solution: each group of - lines replaced by the + lines behind it."""
    text = path.read_text()
    for removed, added in re.findall(r"((?:^-.*\n)+)((?:^\+.*\n)+)", SOLUTIONS[path.name], re.MULTILINE):
        old, new = (re.sub(r"^.", "", lines, flags=re.MULTILINE) for lines in (removed, added))
        assert text.count(old) == 1, f"{path.name} has not:\n{old}"
        text = text.replace(old, new)
    return text


def right(text: str) -> float:
    """The share of rows that a script answers right at its end."""
    space: dict[str, object] = {"print": lambda *words: None}
    with np.errstate(all="ignore"):
        exec(text, space)
    A, Y = (np.asarray(space[name]) for name in ("A2" if "A2" in space else "A", "Y"))
    if 3 in Y.shape:
        classes = Y.shape.index(3)
        return float(np.mean(A.argmax(axis=classes) == Y.argmax(axis=classes)))
    return float(np.mean(np.round(A) == Y))


@pytest.mark.parametrize("path", EXERCISES, ids=lambda path: path.stem)
def test_an_exercise_fails_and_its_solution_answers_every_row_right(path: Path) -> None:
    assert right(path.read_text()) <= 0.76
    assert right(solved(path)) == 1


def test_every_exercise_is_listed_and_has_a_solution() -> None:
    listed = re.findall(r"\(course/(\w+\.py)\)", (EXAMPLES / "README.md").read_text())
    assert listed == list(SOLUTIONS) == [path.name for path in EXERCISES]
    assert len(listed) == 6


def test_the_project_to_copy_runs(tmp_path: Path) -> None:
    project = shutil.copytree(EXAMPLES / "project", tmp_path / "my-project")
    words = re.findall(r"^python -m runner (--config-dir conf .*)$", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-m", "runner", *words[0].split(), "tracking=none", "plots=false"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gradient of network:Net: right in every layer" in done.stdout
    assert "target test/accuracy >= 0.85: reached" in done.stdout
