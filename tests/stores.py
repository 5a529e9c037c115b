"""What the tests of journals and stores share: journals to write, and both sides to compare."""

import functools
import shutil
import sqlite3
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.runs import journal
from runner.runs.journal import Journal
from runner.tracking.state import State
from runner.tracking.store import Store

KEYS = [f"train/m{number}" for number in range(12)]


@functools.cache
def _empty(base: Path) -> Path:
    """A fresh store's database, made once (it takes seconds) in pytest's folder."""
    folder = base / "empty-store"
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Store(f"sqlite:///{folder / 'mlflow.db'}")
    return folder / "mlflow.db"


def new_store(factory: pytest.TempPathFactory, folder: Path) -> str:
    """The URI of an empty store in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(_empty(factory.getbasetemp()), folder / "mlflow.db")
    return f"sqlite:///{folder / 'mlflow.db'}"


def write(directory: Path, rows: int = 20, status: str | None = "finished", last: float = 0.5, **more: Any) -> Path:
    """A run's journal with one artifact, from start to end unless ``status`` is None."""
    with Journal.create(directory, name="a run", experiment="demo", **more) as writer:
        for step in range(rows):
            writer.row(step, {key: step + number / 7 for number, key in enumerate(KEYS)})
        writer.row(rows, {"train/cost": last})
        (directory / "weights.txt").write_text(directory.name)
        writer.artifact("weights.txt")
        if status:
            writer.end(status, {"best/train/m0": 0.25, "diverged": float(status == "diverged")})
    return directory


def push(store: Store | str, directory: Path, closing: bool = True) -> State:
    """Bring one journal into a store (its URI makes a new one of it), and raise what keeps it out."""
    opened = store if isinstance(store, Store) else Store(store)
    (outcome,) = opened.push_all([directory], closing=closing).values()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def said(directory: Path) -> dict[str, list[tuple[int, int, str]]]:
    """What MLflow must hold of a journal: {key: [(step, time, value)]}, repr for NaN's sake."""
    points: dict[str, list[tuple[int, int, str]]] = {}
    for record, _ in journal.read(directory):
        for key, value in {**record.get("values", {}), **record.get("metrics", {})}.items():
            if not abs(value) <= 1e300:
                continue
            points.setdefault(key, []).append((record.get("step", 0), record["time"], repr(value)))
    return {key: sorted(series) for key, series in points.items()}


def stored(store: Store, run_id: str) -> dict[str, list[tuple[int, int, str]]]:
    """The same, of what MLflow holds."""
    client = store.client
    return {
        key: sorted((m.step, m.timestamp, repr(m.value)) for m in client.get_metric_history(run_id, key))
        for key in client.get_run(run_id).data.metrics
    }


def runs(store: Store) -> dict[str, Any]:
    """All runs of a store by their journal's uid: a run that is there twice is an error."""
    experiments = [experiment.experiment_id for experiment in store.client.search_experiments()]
    found = store.client.search_runs(experiments, max_results=10_000)
    by_uid = {run.data.tags["runner.uid"]: run for run in found}
    assert len(by_uid) == len(found), "a run is there twice"
    return by_uid


def whole(store: Store, directory: Path, status: str) -> None:
    """Assert that all of a journal is in the store, once, its artifacts and model too, and ended with ``status``."""
    run = runs(store)[journal.first(directory)["uid"]]
    assert stored(store, run.info.run_id) == said(directory)
    assert run.info.status == status
    kept = {record["path"] for record, _ in journal.read(directory) if record["kind"] == "artifact"}
    assert {artifact.path for artifact in store.client.list_artifacts(run.info.run_id)} == kept
    models = store.client.search_logged_models([run.info.experiment_id])
    mine = [model.status.name for model in models if model.source_run_id == run.info.run_id]
    assert mine == ["READY"] * ("model" in kept)


def dump(database: Path) -> dict[str, list[tuple]]:
    """Every row of the tables that hold runs, with names in place of random ids and of folders."""
    with sqlite3.connect(database) as connection:
        uids = dict(connection.execute("SELECT run_uuid, value FROM tags WHERE key = 'runner.uid'").fetchall())
        datasets = connection.execute("SELECT dataset_uuid, name || digest FROM datasets").fetchall()
        inputs = connection.execute("SELECT input_uuid, destination_id FROM inputs").fetchall()
        names = uids | dict(datasets) | {one: f"input of {uids[run]}" for one, run in inputs}
        found = {}
        for table in ("runs", "tags", "params", "metrics", "latest_metrics", "datasets", "inputs", "input_tags"):
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()
            found[table] = sorted(tuple(_named(value, names) for value in row) for row in rows)
    connection.close()
    return found


def _named(value: Any, names: dict[str, str]) -> str:
    text = str(value)
    if text.startswith("/"):  # the artifacts of a run, or its directory
        *_, parent, last = Path(text).parts
        return f"{names.get(parent, '')}/{last}"
    return names.get(text, repr(value))


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait for it, but not for ever."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def supplement(directory: Path, *names: str) -> None:
    """Files in the run's directory, added to it after its end, and a tag."""
    with Journal.supplement(directory) as writer:
        for name in names:
            (directory / name).write_text(name)
            writer.artifact(name)
        writer.tags({"mlflow.note.content": "the **result**"})


def left_running(uri: str, directory: Path, host: str | None = None, pid: int | None = None) -> str:
    """The id of a run which the store believes to be RUNNING; its journal has no end."""
    store = Store(uri)
    with Journal.create(directory, name="n", experiment="demo") as writer:
        writer.row(0, {"train/cost": 1.0})
        run_id = push(store, directory, closing=False).run_id
        writer.row(1, {"train/cost": 0.5})  # the store does not know of this one
    for tag, value in (("runner.host", host), ("runner.pid", pid)):
        if value is not None:
            store.client.set_tag(run_id, tag, value)
    return run_id


def dead_process() -> int:
    """The id of a process that is no more."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid
