"""The writing end of a run: which machine it names, and that nobody undoes what another wrote into summary.json."""

import json
import multiprocessing
import os
from pathlib import Path

from runner.experiment.build import compose
from runner.runs import files, journal
from runner.runs.provenance import machines_of
from runner.runs.record import Record
from runner.training.machine import machine
from runner.training.train import End, Rows, train


def recorded(directory: Path, *elsewhere: str) -> Path:
    """A run of XOR; `elsewhere` are the kernels of the machines that train it, one before each row."""
    experiment = compose(["dataset=xor", "training.iterations=2", "diagnosis=none"])
    record = Record.create(experiment, directory, "one", {})
    kernels = list(elsewhere)
    for event in train([experiment.recipe]):
        if kernels:
            record.trained_on(machine()._replace(kernel=kernels.pop(0)))
        if isinstance(event, Rows):
            record.row(event.step, {key: float(column[0]) for key, column in event.values.items()})
        elif isinstance(event, End):
            record.end(event.status, event.step, event.theta, event.nonfinite)
    return directory


def test_the_machine_of_the_worker_is_named_and_not_the_drivers(tmp_path: Path) -> None:
    (one,) = machines_of(recorded(tmp_path / "run", "Z80"))
    assert one["kernel"] == "Z80"
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["machine"]["kernel"] == "Z80"


def test_the_same_machine_is_said_once(tmp_path: Path) -> None:
    recorded(tmp_path / "run", machine().kernel)
    kinds = [record["kind"] for record, _ in journal.read(tmp_path / "run")]
    assert "tags" not in kinds


def test_all_machines_that_made_rows_are_named(tmp_path: Path) -> None:
    recorded(tmp_path / "run", "Z80", "6502")
    assert [one["kernel"] for one in machines_of(tmp_path / "run")] == ["Z80", "6502"]


def _write(directory: Path, key: str, times: int) -> None:
    for number in range(times):
        files.write_summary(directory, {key: number})


def test_writers_of_a_summary_at_once_undo_nothing_of_each_other(tmp_path: Path) -> None:
    files.write_summary(tmp_path, {"status": "finished"}, anew=True)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(tmp_path, key, 100)) for key in ("findings", "mlflow_run_id")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    said = json.loads((tmp_path / "summary.json").read_text())
    assert said == {"status": "finished", "findings": 99, "mlflow_run_id": 99}
    assert os.listdir(tmp_path) == ["summary.json"]


def test_a_store_that_holds_the_directory_does_not_hold_up_the_summary(tmp_path: Path) -> None:
    """The tracking process holds a run's directory while it pushes: diagnosis writes its findings meanwhile."""
    files.write_summary(tmp_path, {"findings": []}, anew=True)
    with files.alone(tmp_path):
        files.write_summary(tmp_path, {"findings": ["one"]})
    assert json.loads((tmp_path / "summary.json").read_text()) == {"findings": ["one"]}


def test_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    files.write_summary(tmp_path, {"cost": float("inf")}, anew=True)
    before = (tmp_path / "summary.json").stat().st_ino
    files.write_summary(tmp_path, {"cost": float("inf")})
    assert (tmp_path / "summary.json").stat().st_ino == before
    assert json.loads((tmp_path / "summary.json").read_text()) == {"cost": "inf"}
