"""Journals into an MLflow store, and runs back out of it. mlflow is imported when a `Store` is opened, not before.

`Store.push_all` brings what a store has not got yet of some journals, with the journals' own times and steps; doing it
again adds nothing, because one copy is kept of an equal (key, step, time, value). How far each came stands in
``tracking.json`` beside it. Where the store is a sqlite file of a known schema, `runner.tracking.tables` writes many
runs at once; everywhere else it is MLflow's `log_batch`. `runner.tracking.follow` calls it in a process of its own
while runs train, `runner.sync` afterwards.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import fcntl
import json
import logging
import math
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.runs import journal
from runner.runs.files import replace_file
from runner.tracking import models as registry
from runner.tracking import tables as bulk
from runner.tracking.tracker import State, public, resolve, sqlite_path
from runner.tracking.translation import DIRECTORY, HOST, PID, UID, Batch, addressed, batches, dataset_of, name_of

BATCH = 1000  # MLflow's limit for the metrics, params and tags of one call together
TOGETHER, PART = 100_000, 20_000  # entries in one transaction of `runner.tracking.tables`, and of one run among them
RUNS = 200  # journals taken in hand at once

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Retrying is done here, where it is known whether a call may be made twice: creating a run may not.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


class TrackingError(Exception):
    """This journal cannot be brought into this store, however often it is tried."""


@dataclasses.dataclass
class Task:
    """A journal in hand: its start, where the store stands with it, and whether its writer is gone."""

    directory: Path
    start: journal.Record
    state: State
    orphaned: bool


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


def fetch(run_id: str, uri: str) -> Path:
    """A local folder with the journal and the artifacts of a run in a store: the run's own directory if it is here.

    Else a temporary one, gone when this process ends: the artifacts downloaded, and a journal made of what the store
    has. In it non-finite values are NaN, whichever they were, and there are no findings. Raises FileNotFoundError
    where there is no such store or run.
    """
    database = sqlite_path(uri)
    if database and not database.exists():
        raise FileNotFoundError(f"There is no run {run_id}: {public(uri)} does not exist.")
    store = Store(uri)
    try:
        run = store.client.get_run(run_id)
    except Exception as error:
        if getattr(error, "error_code", None) not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise FileNotFoundError(f"There is no run {run_id} in {public(uri)}.") from None
    if (own := _own_directory(run.data.tags)) is not None:
        return own
    directory = Path(tempfile.mkdtemp(prefix="runner-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    if store.client.list_artifacts(run_id):
        store.client.download_artifacts(run_id, "", str(directory))
    if not (directory / journal.FILE).exists():
        lines = [json.dumps(record, separators=(",", ":")) + "\n" for record in store.records(run)]
        (directory / journal.FILE).write_text("".join(lines))
    _tell_summary(directory, run_id)
    return directory


class Store:
    """An open MLflow store: imports mlflow, and makes the database of a fresh sqlite store.

    ``uri`` as MLflow takes it. ``artifact_root``: where experiments made here keep artifacts, ``mlartifacts``
    beside the database by default; a server decides that itself. ``tables`` is None where only MLflow's API may
    write (see `runner.tracking.tables`).
    """

    def __init__(self, uri: str, artifact_root: str = "") -> None:
        quieten()
        from mlflow import MlflowClient

        logging.getLogger("alembic").setLevel(logging.WARNING)
        self.uri, self.name, database = resolve(uri), public(uri), sqlite_path(uri)
        if database and not artifact_root:
            artifact_root = str(database.parent / "mlartifacts")
        self.artifact_root = str(Path(artifact_root).absolute()) if database else artifact_root
        if database:
            _make_database(database, self.artifact_root)
        self.client = MlflowClient(self.uri)
        self.tables = bulk.open_tables(self.client) if database else None
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
        report: Callable[[Path, State], None] = lambda directory, state: None,
    ) -> State:
        """`push_all` of one journal, whose error is raised."""
        (outcome,) = self.push_all([directory], closing=closing, whole=whole, report=report).values()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def push_all(
        self,
        directories: Iterable[str | os.PathLike[str]],
        *,
        closing: bool = False,
        whole: bool = False,
        report: Callable[[Path, State], None] = lambda directory, state: None,
    ) -> dict[Path, State | Exception]:
        """Bring everything of these journals that is not in the store yet.

        ``closing``: end those as killed that have no end and that nobody writes any more. ``whole``: from byte 0.
        ``report`` is called with the state after every step of a journal. A run that was deleted in the store stays
        deleted. Two processes may push the same journal: they take turns.

        Returns the state of each, or the error for which trying it again is of no use; what else the store raises
        (it does not answer, its disk is full) is raised, and all may be tried again.
        """
        outcome: dict[Path, State | Exception] = {}
        # In the order of their names, so that two processes which take turns at several never wait for each other.
        paths = sorted({Path(directory).absolute() for directory in directories})
        for first in range(0, len(paths), RUNS):
            with contextlib.ExitStack() as turns:
                tasks = self._take(paths[first : first + RUNS], outcome, closing, whole, turns)
                for some in self._portions(tasks, outcome):
                    self._write(some, outcome)
                    for task in {task.directory: task for task, _ in some}.values():
                        if task.directory not in outcome:
                            self._keep(task)
                            report(task.directory, task.state)
                for task in tasks:
                    if task.directory not in outcome:
                        self._keep(task)
                        outcome[task.directory] = task.state
        return outcome

    def bury(self, leave: Iterable[Path] = ()) -> list[str]:
        """End the runs of dead processes of this machine that are still RUNNING; returns their ids.

        From their journals, which may have more to tell than the store knows; where the directory is gone, as killed.
        Left alone are the directories in ``leave``, runs of live processes and of other machines.
        """
        here, buried, journals = set(leave), [], {}
        for run_id, tags in self._running(socket.gethostname()).items():
            directory = _own_directory(tags)
            if directory is not None:
                if directory not in here and not journal.writing(directory):
                    journals[directory] = run_id
            elif not _is_alive(tags.get(PID, "")):
                self.client.set_tag(run_id, "status", "killed")
                self.client.set_terminated(run_id, "KILLED")
                buried.append(run_id)
        outcome = self.push_all(journals, closing=True)
        return buried + [journals[path] for path, state in outcome.items() if isinstance(state, State) and state.done]

    def _running(self, host: str) -> dict[str, Mapping[str, str]]:
        """The tags of the runs which, the store believes, are going on on this machine, by run id."""
        if self.tables is not None:
            return self.tables.running(host)
        query = f"attributes.status = 'RUNNING' and tags.`{HOST}` = '{host}'"
        experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
        runs = self.client.search_runs(experiments, query, max_results=1000) if experiments else ()
        return {run.info.run_id: run.data.tags for run in runs}

    def records(self, run: Any) -> Iterator[journal.Record]:
        """A journal made of what the store has of a run (an mlflow `Run`), in the journal's own words."""
        info, tags = run.info, {key: value for key, value in run.data.tags.items() if not key.startswith("mlflow.")}
        experiment = self.client.get_experiment(info.experiment_id).name
        named = {"uid": tags.get(UID, info.run_id), "pid": int(tags.get(PID, 0)), "host": tags.get(HOST, "")}
        inputs = [entry.dataset for entry in run.inputs.dataset_inputs]
        dataset = {key: getattr(inputs[0], key) for key in ("name", "digest", "source", "profile")} if inputs else {}
        more = {"name": info.run_name, "experiment": experiment, "params": run.data.params, "tags": tags}
        yield {"kind": "start", "time": info.start_time, **named, **more, "dataset": dataset, "command": ""}
        rows: dict[tuple[int, int], dict[str, float | str]] = {}
        final: dict[str, float | str] = {}
        for key in run.data.metrics:
            history = self.client.get_metric_history(info.run_id, key)
            for point in history:
                value = point.value if math.isfinite(point.value) else "nan"
                if len(history) == 1 and (point.step, point.timestamp) == (0, info.end_time):
                    final[key] = value  # what a journal's end has, such as best/...
                else:
                    rows.setdefault((point.step, point.timestamp), {})[key] = value
        for (step, time), values in sorted(rows.items()):
            yield {"kind": "row", "time": time, "step": step, "values": values}
        if info.end_time is not None:
            status = tags.get("status", "killed")
            yield {"kind": "end", "time": info.end_time, "status": status, "metrics": final, "tags": {}}

    def _keep(self, task: Task) -> None:
        """Note in the run's directory how far it is in the store, and by which id; only a shortcut for next time.

        Where that cannot be written (a read-only copy, a full disk), the store will be asked.
        """
        with contextlib.suppress(OSError):
            if not task.state.deleted and task.state != State.load(task.directory):
                task.state.save(task.directory)
            if not task.state.deleted and task.state.done:
                _tell_summary(task.directory, task.state.run_id)

    def _take(
        self,
        directories: Sequence[Path],
        outcome: dict[Path, State | Exception],
        closing: bool,
        whole: bool,
        turns: contextlib.ExitStack,
    ) -> list[Task]:
        """Take the journals in hand; one that cannot be has its error in ``outcome``."""
        tasks = []
        for directory in directories:
            try:
                turns.enter_context(_turn(directory))
                orphaned = closing and not journal.writing(directory)  # asked first: it may end meanwhile
                start = journal.first(directory)
                fresh = State(self.name, start["uid"], self.experiment(start["experiment"]))
            except Exception as error:
                outcome[directory] = _if_final(error)
                continue
            state = State.load(directory)
            if whole or state is None or (state.store, state.uid) != (fresh.store, fresh.uid):
                state = fresh
            tasks.append(Task(directory, start, state, orphaned))
        unsure = [task for task in tasks if task.state.run_id not in self._known]
        found = self._find(unsure)
        for task in unsure:
            self._place(task.state, found.get(task.state.uid))
        return tasks

    def _place(self, state: State, found: bulk.Found | None) -> None:
        """Correct a state by what the store has: it may be another database at the same address."""
        if found is None or found.run_id != state.run_id:
            state.run_id, state.offset, state.done = None, 0, False
        if found is not None:
            state.run_id, state.experiment_id, state.deleted = found.run_id, found.experiment_id, not found.active
            self._known.add(found.run_id)

    def _find(self, tasks: Sequence[Task]) -> dict[str, bulk.Found]:
        """The runs that the store has of these journals, by uid."""
        if self.tables is not None:
            return self.tables.find(task.state.uid for task in tasks)
        from mlflow.entities import ViewType

        found = {}
        for task in tasks:
            uid, where = task.state.uid, {task.state.experiment_id, self.experiment(task.start["experiment"])}
            runs = self.client.search_runs(
                list(where), f"tags.`{UID}` = '{uid}'", ViewType.ALL, max_results=1, order_by=["start_time ASC"]
            )
            for run in runs:
                active = run.info.lifecycle_stage == "active"
                found[uid] = bulk.Found(run.info.run_id, run.info.experiment_id, active)
        return found

    def _portions(
        self, tasks: Sequence[Task], outcome: dict[Path, State | Exception]
    ) -> Iterator[list[tuple[Task, Batch]]]:
        """What is written at once: one batch by MLflow's API, or many of many runs into the tables."""
        most, together = (BATCH, 0) if self.tables is None else (PART, TOGETHER)
        portion: list[tuple[Task, Batch]] = []
        size = 0
        for task in tasks:
            if task.state.deleted:
                continue
            try:
                for batch in batches(task.directory, task.state.offset, most, task.orphaned, task.state.done):
                    portion.append((task, batch))
                    size += batch.size
                    if size >= together:
                        yield portion
                        portion, size = [], 0
                    if task.directory in outcome or task.state.deleted:
                        break
            except journal.JournalError as error:
                outcome[task.directory] = error
        if portion:
            yield portion

    def _write(self, portion: Sequence[tuple[Task, Batch]], outcome: dict[Path, State | Exception]) -> None:
        """Into the tables; or, where there are none or they refuse, by MLflow's API one by one."""
        if self.tables is not None:
            try:
                self._write_rows(self.tables, portion)
                return
            except Exception as error:
                _if_final(error)
        for task, batch in portion:
            if task.directory not in outcome:
                try:
                    self._log(task, batch)
                except Exception as error:
                    outcome[task.directory] = _if_final(error)

    def _write_rows(self, tables: bulk.Bulk, portion: Sequence[tuple[Task, Batch]]) -> None:
        """All the batches in one transaction, then their artifacts."""
        work = [
            bulk.Work(
                task.state.uid,
                task.state.run_id,
                task.state.experiment_id,
                name_of(task.start),
                task.start["time"],
                _first_tags(task),
                batch,
            )
            for task, batch in portion
        ]
        run_ids = tables.write(work)
        for task, batch in portion:
            state = task.state
            run_id = run_ids[state.uid]
            if run_id is None:
                state.deleted = True
                continue
            state.change = state.change or ("changed" if state.run_id else "new")
            state.run_id = run_id
            self._known.add(run_id)
            self._log_artifacts(task, batch)
            state.offset, state.done = batch.offset, batch.done

    def _log(self, task: Task, batch: Batch) -> None:
        """One batch: at most one call each to create, log, and end the run, and one per artifact."""
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

        state, tags = task.state, batch.tags
        state.change = state.change or ("changed" if state.run_id else "new")
        if state.run_id is None:
            tags = {**_first_tags(task), **tags}
            created = self.client.create_run(state.experiment_id, task.start["time"], tags, name_of(task.start))
            state.run_id, tags = created.info.run_id, {}
            self._known.add(state.run_id)
            self._keep(task)
        elif batch.resumed:
            self.client.update_run(state.run_id, "RUNNING")
            tags = {DIRECTORY: str(task.directory), **tags}
        self.client.log_batch(
            state.run_id,
            [Metric(*metric) for metric in batch.metrics],
            [Param(*param) for param in batch.params.items()],
            [RunTag(*tag) for tag in addressed(tags, state.run_id).items()],
        )
        if batch.dataset:
            named = dataset_of(batch)
            entity = Dataset(named["name"], named["digest"], "local", named["source"], profile=named["profile"])
            self.client.log_inputs(state.run_id, [DatasetInput(entity, [InputTag("mlflow.data.context", "training")])])
        self._log_artifacts(task, batch)
        if batch.ended:
            self.client.set_terminated(state.run_id, *batch.ended)
        state.offset, state.done = batch.offset, batch.done

    def _log_artifacts(self, task: Task, batch: Batch) -> None:
        """Upload the files and folders; one that is gone or lies outside the directory is noted."""
        directory, run_id = task.directory, str(task.state.run_id)
        for path, folder in batch.artifacts:
            source = directory / path
            if not source.exists() or not source.resolve().is_relative_to(directory.resolve()):
                task.state.notes.append(f"no artifact {path}")
            elif (source / "MLmodel").is_file():
                registry.log_model(self.client, source, run_id, task.state.experiment_id)
            elif source.is_dir():
                self.client.log_artifacts(run_id, str(source), folder or None)
            else:
                self.client.log_artifact(run_id, str(source), folder or None)


def quieten() -> None:
    """Have mlflow, which is imported after this, keep to itself."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def lighten() -> None:
    """Have mlflow, which is imported after this, leave out a third of what it imports.

    For a process that does nothing but tracking. mlflow takes these for its data set types and does without where
    they are not installed (as its own mlflow-skinny).
    """
    for name in ("numpy", "pandas", "pyarrow"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def is_final(error: Exception) -> bool:
    """Whether trying again is of no use: the store has answered and said no, or the journal is the matter."""
    ours = (TrackingError, journal.JournalError, FileNotFoundError, LookupError, TypeError, ValueError)
    refusals = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "PERMISSION_DENIED")
    return isinstance(error, ours) or getattr(error, "error_code", None) in refusals


def _if_final(error: Exception) -> Exception:
    """The error, or raise it where trying again may help."""
    if not is_final(error):
        raise error
    return error


def _first_tags(task: Task) -> Mapping[str, str]:
    """What a run gets beside the tags of its journal when it is made."""
    return {"status": "running", UID: task.state.uid, DIRECTORY: str(task.directory)[:8000]}


def _own_directory(tags: Mapping[str, str]) -> Path | None:
    """The directory of the run with these tags, if it is there and still holds that run."""
    directory = Path(tags.get(DIRECTORY) or os.devnull)
    with contextlib.suppress(journal.JournalError):
        if journal.first(directory)["uid"] == tags.get(UID):
            return directory
    return None


def _is_alive(pid: str) -> bool:
    """Whether a process of this machine has the id; a stranger may have got it since."""
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


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
