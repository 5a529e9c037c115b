"""The notebook of examples/ as a reader runs it, from top to bottom, the stop button included."""

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.ipynb"))
STOPPED = "stopped-by-hand"


class Reader(NotebookClient):
    """Runs every cell; where the notebook says that it is stopped by hand, presses stop once its progress is shown."""

    def output(self, outs: list[Any], message: dict[str, Any], display_id: str, cell_index: int) -> Any:
        stopped = STOPPED in self.nb.cells[cell_index].metadata.get("tags", [])
        if stopped and message["msg_type"] == "display_data":
            pid = self.km.provisioner.pid
            threading.Timer(1, lambda: os.kill(pid, signal.SIGINT)).start()
        return super().output(outs, message, display_id, cell_index)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """The outputs of each cell, by its source."""
    found: dict[str, list[Any]] = {}
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        folder = tmp_path_factory.mktemp("notebook")
        Reader(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
        found |= {cell.source: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    return found


def outputs(cells: dict[str, list[Any]], part: str) -> list[Any]:
    (found,) = (outputs for source, outputs in cells.items() if part in source)
    return found


def htmls(outputs: list[Any]) -> list[str]:
    return [output["data"]["text/html"] for output in outputs if "text/html" in output.get("data", {})]


pytestmark = pytest.mark.filterwarnings("ignore")  # of the packages that run the notebook


def test_a_run_shows_its_progress_and_then_itself(cells: dict[str, list[Any]]) -> None:
    progress, shown = htmls(outputs(cells, 'optimizer.lr=0.1")\ntrace'))
    assert "<progress value='2000' max='2000'>" in progress
    assert "finished at step 2000" in shown
    assert "<svg" in shown


def test_frames_and_pictures_are_shown(cells: dict[str, list[Any]]) -> None:
    assert "grad_norm" in htmls(outputs(cells, "trace.to_frame().tail()"))[0]
    assert htmls(outputs(cells, "plot(trace"))[0].count("data:image/png") == 2


def test_a_mistake_is_its_sentences(cells: dict[str, list[Any]]) -> None:
    (error,) = outputs(cells, "dataset=xorr")
    assert error["ename"] == "ConfigError"
    assert len(error["traceback"]) == 3, error["traceback"]
    assert "Did you mean 'xor'?" in error["traceback"][1]


def test_a_sweep_is_a_table_with_its_runs_behind_it(cells: dict[str, list[Any]]) -> None:
    shown = htmls(outputs(cells, "runs = sweep("))
    assert any("8 of 8 done" in text for text in shown), shown
    assert shown[-1].count("<tr>") == 9
    assert "finished at step 500" in htmls(outputs(cells, 'load("sweep")'))[-1]


def test_the_stop_button_keeps_the_rows(cells: dict[str, list[Any]]) -> None:
    told = json.dumps(outputs(cells, "stopped ="))
    assert "'interrupted'" in told
    assert "the trace has the rows until then" in told
    assert htmls(outputs(cells, "stopped.to_frame()"))
