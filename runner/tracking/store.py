"""Journals into an MLflow store. mlflow is imported when a `Store` is opened, not before.

`Store.push_all` brings what a store has not got yet of some journals, with the journals' own times and steps; doing it
again adds nothing, because one copy is kept of an equal (key, step, time, value). How far each came stands in
``tracking.json`` beside it. Where the store is a sqlite file of a known schema, `runner.tracking.tables` writes many
runs at once, everywhere else `runner.tracking.api` one after the other. `runner.tracking.follow` calls it in a process
of its own while runs train, `runner.tracking.bring` afterwards.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.runs import journal
from runner.runs.files import SUMMARY, alive, alone, write_summary
from runner.tracking import models
from runner.tracking.api import Api
from runner.tracking.errors import TrackingError, if_answer, lacks_endpoint
from runner.tracking.named import adopted, experiment_by_id, remark
from runner.tracking.opening import ask_once, make_database, quieten
from runner.tracking.state import State, is_server, public, resolve, sqlite_path
from runner.tracking.tables import Tables, open_tables
from runner.tracking.translation import DIRECTORY, PID, UID, Batch, Found, Work, batches, name_of

BATCH = 1000  # MLflow's limit for the metrics, params and tags of one call together
TOGETHER, PART = 100_000, 20_000  # entries in one transaction of `runner.tracking.tables`, and of one run among them
RUNS = 200  # journals taken in hand at once


@dataclasses.dataclass
class Task:
    """A journal in hand: its start, where the store stands with it, and whether its writer is gone."""

    directory: Path
    start: journal.Record
    state: State
    orphaned: bool

    def work(self, batch: Batch) -> Work:
        """A batch of it as the writers take it."""
        state, start = self.state, self.start
        return Work(state.uid, state.run_id, state.experiment_id, name_of(start), start["time"], self.tags(), batch)

    def tags(self) -> dict[str, str]:
        """Those of its creation."""
        return {"status": "running", UID: self.state.uid, DIRECTORY: str(self.directory)[:8000]}


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
            make_database(database, self.artifact_root)
        elif not is_server(uri):
            ask_once()
        self.client = MlflowClient(self.uri)
        self.tables = open_tables(self.client) if database else None
        self.api = Api(self.client)
        self._experiments: dict[str, str] = {}
        self._named: dict[str, str | None] = {}  # ids of experiments that were named, where the store has them
        self._known: set[str] = set()  # run ids that were seen in this store
        self._has_models = True  # until a server older than MLflow 3 says otherwise

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

    def push_all(
        self,
        directories: Iterable[str | os.PathLike[str]],
        *,
        closing: bool = False,
        report: Callable[[Path, State], None] = lambda directory, state: None,
    ) -> dict[Path, State | Exception]:
        """Bring everything of these journals that is not in the store yet.

        ``closing``: end those as killed that have no end and that nobody writes any more.
        ``report`` is called with the state after every step of a journal. A run that was deleted in the store stays
        deleted. Two processes may push the same journal: they take turns.

        Returns the state of each, or the error that the store has answered with, for which the others need not wait
        (`runner.tracking.errors.is_final` says whether it is to be tried again); that it does not answer is raised,
        and all may be tried again.
        """
        outcome: dict[Path, State | Exception] = {}
        # In the order of their names, so that two processes which take turns at several never wait for each other.
        paths = sorted({Path(directory).absolute() for directory in directories})
        for first in range(0, len(paths), RUNS):
            with contextlib.ExitStack() as turns:
                tasks = self._take(paths[first : first + RUNS], outcome, closing, turns)
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
        for run_id, tags in (self.tables or self.api).running(socket.gethostname()).items():
            directory = own_directory(tags)
            if directory is not None:
                if directory not in here and not journal.writing(directory):
                    journals[directory] = run_id
            elif not alive(tags.get(PID, "")):
                self.client.set_tag(run_id, "status", "killed")
                self.client.set_terminated(run_id, "KILLED")
                buried.append(run_id)
        outcome = self.push_all(journals, closing=True)
        return buried + [journals[path] for path, state in outcome.items() if isinstance(state, State) and state.done]

    def _keep(self, task: Task) -> None:
        """Note in the run's directory how far it is in the store, and by which id; only a shortcut for next time.

        Where that cannot be written (a read-only copy, a full disk), the store will be asked.
        """
        with contextlib.suppress(OSError):
            if not task.state.deleted and task.state != State.load(task.directory):
                task.state.save(task.directory)
            if not task.state.deleted and task.state.done:
                tell_summary(task.directory, task.state.run_id)

    def _take(
        self,
        directories: Sequence[Path],
        outcome: dict[Path, State | Exception],
        closing: bool,
        turns: contextlib.ExitStack,
    ) -> list[Task]:
        """Take the journals in hand; one that cannot be has its error in ``outcome``."""
        tasks = []
        for directory in directories:
            try:
                turns.enter_context(alone(directory))
                orphaned = closing and not journal.writing(directory)  # asked first: it may end meanwhile
                start = journal.first(directory)
                fresh = State(self.name, start["uid"], self._experiment_of(start))
            except Exception as error:
                outcome[directory] = if_answer(error)
                continue
            state = State.load(directory)
            if state is None or (state.store, state.uid) != (fresh.store, fresh.uid):
                state = fresh
            tasks.append(Task(directory, start, state, orphaned))
        unsure = [task for task in tasks if task.state.run_id not in self._known]
        where = {task.state.uid: (task.state.experiment_id, self._experiment_of(task.start)) for task in unsure}
        found = (self.tables or self.api).find(where)
        for task in unsure:
            self._place(task.state, found.get(task.state.uid) or self._adopted(task))
        for task in tasks:
            if note := remark(task.start, self.name, task.state.run_id, task.state.experiment_id):
                task.state.notes.append(note)
        return tasks

    def _experiment_of(self, start: journal.Record) -> str:
        """The id of a journal's experiment: that which the user has named by its id, where the store has it."""
        wanted = start.get("experiment_id")
        if wanted is None:
            return self.experiment(start["experiment"])
        if wanted not in self._named:
            self._named[wanted] = experiment_by_id(self.client, wanted)
        return self._named[wanted] or self.experiment(start["experiment"])

    def _adopted(self, task: Task) -> Found | None:
        """The run that the user has named by its id, made this journal's."""
        wanted = task.start.get("run_id")
        return adopted(self.client, wanted, task.state.uid, task.tags()) if wanted else None

    def _place(self, state: State, found: Found | None) -> None:
        """Correct a state by what the store has: it may be another database at the same address."""
        if found is None or found.run_id != state.run_id:
            state.run_id, state.offset, state.done = None, 0, False
        if found is not None:
            state.run_id, state.experiment_id, state.deleted = found.run_id, found.experiment_id, not found.active
            self._known.add(found.run_id)

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
                self._write_by(self.tables, portion)
            except Exception as error:
                if_answer(error)
            else:
                self._complete(portion, outcome)
                return
        for task, batch in portion:
            if task.directory not in outcome:
                try:
                    self._write_by(self.api, [(task, batch)])
                except Exception as error:
                    outcome[task.directory] = if_answer(error)
                else:
                    self._complete([(task, batch)], outcome)

    def _write_by(self, writer: Tables | Api, portion: Sequence[tuple[Task, Batch]]) -> None:
        """All the batches, in one transaction where the writer has any."""
        run_ids = writer.write([task.work(batch) for task, batch in portion])
        for task, _ in portion:
            state, run_id = task.state, run_ids[task.state.uid]
            if run_id is None:
                state.deleted = True
                continue
            state.change = state.change or ("changed" if state.run_id else "new")
            state.run_id = run_id
            self._known.add(run_id)

    def _complete(self, portion: Sequence[tuple[Task, Batch]], outcome: dict[Path, State | Exception]) -> None:
        """The artifacts of what was written; of a run whose artifacts are refused the journal is not done with."""
        for task, batch in portion:
            if task.state.deleted or task.directory in outcome:
                continue
            try:
                self._log_artifacts(task, batch)
            except Exception as error:
                outcome[task.directory] = if_answer(error)
                continue
            task.state.offset, task.state.done = batch.offset, batch.done

    def _log_artifacts(self, task: Task, batch: Batch) -> None:
        """Upload the files and folders; one that is gone or lies outside the directory is noted."""
        directory, run_id = task.directory, str(task.state.run_id)
        for path, folder in batch.artifacts:
            source = directory / path
            if not source.exists() or not source.resolve().is_relative_to(directory.resolve()):
                task.state.notes.append(f"no artifact {path}")
            elif (source / "MLmodel").is_file():
                self.client.log_artifacts(run_id, str(source), path)  # runs:/RUN/model, on servers of any age
                task.state.notes += self._log_model(source, task)
            elif source.is_dir():
                self.client.log_artifacts(run_id, str(source), folder or None)
            else:
                self.client.log_artifact(run_id, str(source), folder or None)

    def _log_model(self, source: Path, task: Task) -> list[str]:
        """The model as a logged model of its own page, where the store has such; else a note that it has none."""
        run_id = str(task.state.run_id)
        try:
            if self._has_models:
                models.log_model(self.client, source, run_id, task.state.experiment_id, name_of(task.start))
                return []
        except Exception as error:
            if not lacks_endpoint(error):
                raise
            self._has_models = False
        models.register(self.client, source, run_id)
        return [f"{self.name} is MLflow {server_version(self.client)}, which has no logged models: it is an artifact"]


def server_version(client: Any) -> str:
    """Which MLflow a server runs."""
    from mlflow.utils.rest_utils import http_request

    creds = client._tracking_client.store.get_host_creds()
    with contextlib.suppress(Exception):
        return str(http_request(creds, "/version", "GET").text).strip()[:20]
    return "of an unknown version"


def own_directory(tags: Mapping[str, str]) -> Path | None:
    """The directory of the run with these tags, if it is there and still holds that run."""
    directory = Path(tags.get(DIRECTORY) or os.devnull)
    with contextlib.suppress(journal.JournalError):
        if journal.first(directory)["uid"] == tags.get(UID):
            return directory
    return None


def tell_summary(directory: Path, run_id: str | None) -> None:
    """Put the run's id into its ``summary.json``, if there is one."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        if (directory / SUMMARY).exists():
            write_summary(directory, {"mlflow_run_id": run_id})
