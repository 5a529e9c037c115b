"""Journals into an MLflow store. The only module that imports mlflow, and only when a `Store` is opened.

`Store.push` brings what a store has not got yet of one journal, with the journal's own times and steps; doing
it again adds nothing, because MLflow keeps one copy of an equal (key, step, time, value). How far it came
stands in ``tracking.json`` beside the journal. `runner.tracking` calls it in a process of its own while runs
train, `replay` calls it once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import logging
import math
import os
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runner import journal
from runner.tracking import State, public, replace_file, resolve, sqlite_path

# MLflow's word for ours; KILLED for all others
STATUS = {"finished": "FINISHED", "pruned": "FINISHED", "diverged": "FAILED", "error": "FAILED"}
BATCH = 1000  # MLflow's limit for the metrics, params and tags of one call together
UID = "runner.uid"

Point = tuple[str, float, int, int]  # key, value, time, step

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # Retrying is done here, where it is known whether a call may be made twice: creating a run may not.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


class TrackingError(Exception):
    """This journal cannot be brought into this store, however often it is tried."""


@dataclasses.dataclass
class Batch:
    """What one call can take of a journal: whole records up to byte ``offset``, ending early at an `end`."""

    offset: int
    metrics: list[tuple[str, float, int, int]] = dataclasses.field(default_factory=list)  # key, value, time, step
    params: dict[str, str] = dataclasses.field(default_factory=dict)
    tags: dict[str, str] = dataclasses.field(default_factory=dict)
    dataset: dict[str, Any] = dataclasses.field(default_factory=dict)
    artifacts: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    resumed: bool = False
    ended: tuple[str, int] | None = None  # MLflow's status, time

    def room(self) -> int:
        return BATCH - len(self.metrics) - min(len(self.params), 100) - min(len(self.tags), 100)


def replay(
    directory: str | os.PathLike[str], store: Store | str, *, whole: bool = False, artifact_root: str = ""
) -> str:
    """Bring the journal in ``directory`` into ``store`` and return the run id it has there.

    ``store`` is an open `Store` (for many journals) or a URI. It goes on where ``tracking.json`` says that
    this store stands; ``whole`` begins at byte 0 (for a store restored from a backup, say). A run without an
    end whose writer is gone is ended as killed. Raises `JournalError` or `TrackingError` when it cannot work,
    and whatever MLflow raises when the store does not answer (then trying again later may).
    """
    opened = store if isinstance(store, Store) else Store(store, artifact_root)
    return str(opened.push(directory, closing=True, whole=whole).run_id)


class Store:
    """An open MLflow store: imports mlflow, and makes the database of a fresh sqlite store.

    ``uri`` as MLflow takes it. ``artifact_root``: where experiments made here keep artifacts, ``mlartifacts``
    beside the database by default; a server decides that itself.
    """

    def __init__(self, uri: str, artifact_root: str = "") -> None:
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        logging.getLogger("alembic").setLevel(logging.WARNING)
        self.uri, self.name, database = resolve(uri), public(uri), sqlite_path(uri)
        if database and not artifact_root:
            artifact_root = str(database.parent / "mlartifacts")
        self.artifact_root = str(Path(artifact_root).absolute()) if database else artifact_root
        if database:
            _make_database(database, self.artifact_root)
        self.client = MlflowClient(self.uri)
        self._experiments: dict[str, str] = {}
        self._known: set[str] = set()  # run ids that were seen in this store

    def experiment(self, name: str) -> str:
        """The id of the experiment called ``name``, made if need be. `TrackingError` if it was deleted."""
        if name not in self._experiments:
            found = self.client.get_experiment_by_name(name)
            if found is None:
                with contextlib.suppress(Exception):  # made by another process just now
                    self.client.create_experiment(name, self.artifact_root or None)
                found = self.client.get_experiment_by_name(name)
            if found is None:
                raise RuntimeError(f"{self.name} made no experiment {name!r}")
            if found.lifecycle_stage != "active":
                raise TrackingError(
                    f"experiment {name!r} is deleted in {self.name}: "
                    f"`mlflow experiments restore -x {found.experiment_id}`, or set tracking.experiment"
                )
            self._experiments[name] = str(found.experiment_id)
        return self._experiments[name]

    def push(
        self,
        directory: str | os.PathLike[str],
        *,
        closing: bool = False,
        whole: bool = False,
        report: Callable[[State], None] = lambda state: None,
    ) -> State:
        """Bring everything of the journal in ``directory`` that is not in the store yet; return the state.

        ``closing``: if it has no end and nobody writes it any more, end the run as killed. ``whole``: from
        byte 0. ``report`` is called with the state after every batch. A run that was deleted in the store
        stays deleted. Two processes may push the same journal: they take turns. Errors: see `replay`.
        """
        directory = Path(directory).absolute()
        with _turn(directory):
            orphaned = closing and not journal.writing(directory)  # asked first: it may end meanwhile
            start = journal.first(directory)
            state = self._state(directory, start, whole)
            if state.deleted:
                return state
            for batch in _batches(directory, state.offset):
                self._write(directory, start, state, batch)
                state.offset, state.done = batch.offset, batch.ended is not None
                state.save(directory)
                report(state)
            if orphaned and not state.done:
                self._kill(directory, state, str(state.run_id))
            if state.done:
                _tell_summary(directory, state.run_id)
            return state

    def _state(self, directory: Path, start: journal.Record, whole: bool) -> State:
        """Where this store stands with this journal, from ``tracking.json`` if that can be believed."""
        experiment_id = self.experiment(start["experiment"])
        state = State.load(directory)
        fresh = State(self.name, start["uid"], experiment_id)
        if whole or state is None or (state.store, state.uid) != (fresh.store, fresh.uid):
            state = fresh
        if state.run_id not in self._known:
            run = self._find({experiment_id, state.experiment_id}, start["uid"])
            if run is None or run.info.run_id != state.run_id:  # perhaps another database at the same address
                state = fresh
            if run is not None:
                state.run_id, state.experiment_id = run.info.run_id, run.info.experiment_id
                state.deleted = run.info.lifecycle_stage != "active"
                self._known.add(run.info.run_id)
        return state

    def _find(self, experiment_ids: set[str], uid: str) -> Any:
        from mlflow.entities import ViewType

        query, first = f"tags.`{UID}` = '{uid}'", ["start_time ASC"]
        runs = self.client.search_runs(
            list(experiment_ids),
            query,
            run_view_type=ViewType.ALL,
            max_results=1,
            order_by=first,
        )
        return runs[0] if runs else None

    def _write(self, directory: Path, start: journal.Record, state: State, batch: Batch) -> None:
        """One batch: at most one call each to create, log, and end the run, and one per artifact."""
        from mlflow.entities import Metric, Param, RunTag

        tags = batch.tags
        if state.run_id is None:
            tags = {"status": "running", **tags, UID: start["uid"]}
            created = self.client.create_run(state.experiment_id, start["time"], tags, start["name"])
            state.run_id, tags = created.info.run_id, {}
            self._known.add(state.run_id)
            state.save(directory)
        elif batch.resumed:
            self.client.update_run(state.run_id, "RUNNING")
        self.client.log_batch(
            state.run_id,
            [Metric(*metric) for metric in batch.metrics],
            [Param(*param) for param in batch.params.items()],
            [RunTag(*tag) for tag in tags.items()],
        )
        if batch.dataset:
            self._log_dataset(state.run_id, batch.dataset)
        for path, folder in batch.artifacts:
            self._log_artifact(state, state.run_id, directory, path, folder)
        if batch.ended:
            self.client.set_terminated(state.run_id, *batch.ended)

    def _log_dataset(self, run_id: str, dataset: Mapping[str, Any]) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        def text(key: str, limit: int) -> str:
            value = dataset.get(key) or ""
            return (value if isinstance(value, str) else json.dumps(value))[:limit]

        named = {"name": text("name", 500) or "dataset", "digest": text("digest", 36) or "none"}
        source, profile = text("source", 65_535), text("profile", 1_000_000) or None
        entity = Dataset(**named, source_type="local", source=source, profile=profile)
        self.client.log_inputs(run_id, [DatasetInput(entity, [InputTag("mlflow.data.context", "training")])])

    def _log_artifact(self, state: State, run_id: str, directory: Path, path: str, folder: str) -> None:
        """Upload a file or a folder; one that is gone or lies outside the directory is noted."""
        source = directory / path
        if not source.exists() or not source.resolve().is_relative_to(directory.resolve()):
            state.notes.append(f"no artifact {path}")
        elif source.is_dir():
            self.client.log_artifacts(run_id, str(source), folder or None)
        else:
            self.client.log_artifact(run_id, str(source), folder or None)

    def _kill(self, directory: Path, state: State, run_id: str) -> None:
        """End the run of a dead writer, at the time of its last record. The journal stays as it is."""
        record = journal.last(directory)
        self.client.set_tag(run_id, "status", "killed")
        self.client.set_terminated(run_id, "KILLED", record["time"] if record else None)
        state.done = True
        state.save(directory)


def _batches(directory: Path, offset: int) -> Iterator[Batch]:
    """The rest of the journal in as few batches as the limits allow; a run's end closes a batch."""
    batch, begun = Batch(offset), offset
    for record, after in journal.read(directory, offset):
        if record["kind"] == "row" and batch.metrics and len(record["values"]) > batch.room():
            yield batch
            batch, begun = Batch(batch.offset), batch.offset
        _add(batch, record)
        batch.offset = after
        if batch.ended:
            yield batch
            batch, begun = Batch(after), after
    if batch.offset > begun:
        yield batch


def _add(batch: Batch, record: journal.Record) -> None:
    kind, now = record["kind"], record.get("time", 0)
    batch.tags |= {_key(key): str(value)[:8000] for key, value in (record.get("tags") or {}).items()}
    if kind == "start":
        batch.params = {_key(key): str(value)[:6000] for key, value in record["params"].items()}
        batch.dataset = record["dataset"]
    elif kind == "row":
        batch.metrics += [_metric(item, now, record["step"]) for item in record["values"].items()]
    elif kind == "artifact":
        batch.artifacts.append((record["path"], record["folder"]))
    elif kind == "resume":
        batch.resumed = True
        batch.tags["status"] = "running"
    elif kind == "end":
        batch.metrics += [_metric(item, now, 0) for item in record["metrics"].items()]
        batch.tags["status"] = record["status"]
        batch.ended = (STATUS.get(record["status"], "KILLED"), now)


def _metric(item: tuple[str, float], now: int, step: int) -> Point:
    """MLflow stores inf as 1.797e308, which ruins every chart it is in; NaN it leaves out."""
    key, value = item
    return _key(key), value if math.isfinite(value) else math.nan, now, step


def _key(key: str) -> str:
    """``key`` with what MLflow refuses in names replaced."""
    return posixpath.normpath(re.sub(r"[^/\w.\- :]", "_", key)).strip("/")[:250]


def _make_database(database: Path, artifact_root: str) -> None:
    """Make MLflow's schema in a fresh sqlite file, once and alone.

    Takes seconds, in which two processes would ruin it for each other and a kill would leave it half made. So
    it is made beside, under a lock, and moved into place whole.
    """
    if database.exists() and database.stat().st_size:
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    database.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{database}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if database.exists() and database.stat().st_size:
            return
        for leftover in database.parent.glob(f"{database.name}.new*"):
            leftover.unlink()
        SqlAlchemyStore(f"sqlite:///{database}.new", artifact_root).engine.dispose()
        os.replace(f"{database}.new", database)


@contextlib.contextmanager
def _turn(directory: Path) -> Iterator[None]:
    """Have ``directory`` alone among the processes that bring its journal into a store."""
    file = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _tell_summary(directory: Path, run_id: str | None) -> None:
    """Put the run id into ``summary.json``, if there is one."""
    path = directory / "summary.json"
    with contextlib.suppress(FileNotFoundError, ValueError):
        summary = json.loads(path.read_text())
        if summary.get("mlflow_run_id") != run_id:
            summary["mlflow_run_id"] = run_id
            replace_file(path, json.dumps(summary, indent=2) + "\n")
