"""A script as text and as a process: read, edited, understood, kept from what is not its own."""

import json
from pathlib import Path

import numpy as np
import pytest

from runner.training.script.copies import scratch
from runner.training.script.execute import Run, run_scripts
from runner.training.script.instrument import Wanted
from runner.training.script.process import Limits
from runner.training.script.score import score
from runner.training.script.source import Edit, ScriptProblem, Source, read
from runner.training.script.understand import Told, understand
from runner.training.script.visits import Visits

RIGHT = sorted((Path(__file__).parents[3] / "benchmarks" / "script" / "right").glob("*.py"))


def written(folder: Path, text: str, name: str = "a.py") -> Path:
    (folder / "own").mkdir(exist_ok=True)
    path = folder / "own" / name
    path.write_text(text)
    return path


def test_a_notebook_is_its_code_cells_and_lines_are_named_by_cell(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# words"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "x = 1"]},
        {"cell_type": "code", "source": ["y = 2"]},
    ]
    source = read(written(tmp_path, json.dumps({"cells": cells}), "a.ipynb"))
    assert source.line(3) == "y = 2"
    assert source.where(3) == "cell 2, line 1"


@pytest.mark.parametrize(
    ("text", "said"),
    [("def f(:\n", "line 1: it is not Python"), ("import numpy\nimport torch\n", "line 2: PyTorch trains here")],
)
def test_what_cannot_be_looked_at_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ScriptProblem, match=said):
        read(written(tmp_path, text))


def test_edits_of_one_source_do_not_disturb_each_other() -> None:
    source = Source(Path("a.py"), "a = 1\nb = 2\n")
    statements = source.tree.body
    edited = source.edited(
        [Edit.of(statements[1].value, "30"), Edit.of(statements[0].value, "10"), Edit.after(1, "c = 4")]
    )  # type: ignore[attr-defined]
    assert edited.text == "a = 10\nc = 4\nb = 30\n"
    assert "+c = 4" in source.diff(edited)


def test_a_script_writes_into_a_copy_and_nowhere_else(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("theirs")
    path = written(tmp_path, f"open('new.txt', 'w').write('x')\nopen({str(outside)!r}, 'w')\n")
    run = Run(read(path), lambda _: Visits("", 1), Wanted(frozenset(), frozenset(), False), limits=Limits(seconds=30))
    outcome = run_scripts([run], scratch())[0]
    assert outcome.status == "raised"
    assert outcome.traceback[-1][1] == 2
    assert outside.read_text() == "theirs"
    assert [each.name for each in path.parent.iterdir()] == ["a.py"]


@pytest.mark.parametrize(
    ("text", "status"),
    [("import os\nos._exit(0)", "gone"), ("input()", "input"), ("while True: pass", "time"), ("1 / 0", "raised")],
)
def test_how_a_script_ends_is_told(tmp_path: Path, text: str, status: str) -> None:
    path = written(tmp_path, text)
    run = Run(read(path), lambda _: Visits("", 1), Wanted(frozenset(), frozenset(), False), limits=Limits(seconds=3))
    assert run_scripts([run], scratch())[0].status == status


def test_of_a_script_that_takes_too_long_nothing_is_said_that_was_not_seen(tmp_path: Path) -> None:
    path = written(tmp_path, "import time\nw = 1.0\nwhile True:\n    time.sleep(5)\n    w = w - 0.1 * w\n")
    with pytest.raises(ScriptProblem, match="was not understood within 2 s") as problem:
        understand(read(path), Told(), scratch(), 2)
    assert "no loop" not in str(problem.value)


def test_weights_that_all_begin_at_zero_and_never_move_are_named(tmp_path: Path) -> None:
    text = "import numpy as np\nX = np.array([[0., 0, 1, 1], [0, 1, 0, 1]])\nY = np.array([[0., 1, 1, 0]])\n"
    text += (
        "V = np.zeros((3, 2))\nW = np.zeros((1, 3))\nfor i in range(100):\n    A = np.tanh(V @ X)\n    D = W @ A - Y\n"
    )
    text += "    V -= 0.1 * (W.T @ D) * (1 - A**2) @ X.T\n    W = W - 0.1 * D @ A.T\n"
    with pytest.raises(ScriptProblem, match=r"line 6 updates V \(line 9\), W \(line 10\), and none of them moved"):
        understand(read(written(tmp_path, text)), Told(), scratch())


@pytest.mark.slow
@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_every_style_is_understood_without_help(path: Path) -> None:
    found = understand(read(path), Told(), scratch())
    assert found.parameters
    assert found.cost is not None
    assert all(each.line for each in found.parameters)


def test_scores_are_on_the_labels_as_they_are_given() -> None:
    labels = np.repeat([0.0, 1.0, 2.0], 10)
    found = score(np.full(30, 0.9), labels, "squared error")
    assert found is not None
    assert (found["kind"], round(found["value"], 3), round(found["base"], 3)) == ("accuracy", 0.333, 0.333)
