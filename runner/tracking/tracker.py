"""Tracking as the runner sees it: a handle on the process that brings journals into MLflow; links.

Training never imports mlflow, never waits for it and never fails because of it: `Tracker.start` spawns
``python -m runner.tracking.follow`` at time 0, `Tracker.follow` hands it a run's directory, and whatever goes wrong
there comes back as text in `Tracked`. The journals stay whole, so that ``python -m runner.sync`` can do later
what could not be done now. mlflow itself is only imported by `runner.tracking.store`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, NamedTuple, Self
from urllib.parse import quote

from runner.runs.files import hide, replace_file

STATE = "tracking.json"
LEAVE = 2.0  # seconds given to a tracking process that has no more to do for this command
DEFAULT = "sqlite:///mlflow.db"
COMPARED = 200  # runs: of more, the UI's comparison is neither quick nor legible
_FIELDS = ("store", "uid", "experiment_id", "run_id", "offset", "done")


@dataclasses.dataclass
class State:
    """How far a run's journal is in a store: ``tracking.json`` in the run's directory.

    ``store`` (URI without password), ``uid`` of the journal, MLflow's ``experiment_id`` and ``run_id`` (None
    until made), ``offset`` (bytes of the journal that are in the store), ``done`` (the run has been ended
    there). Not kept in the file: ``deleted`` (somebody deleted the run in the store), ``change`` (``new`` or
    ``changed`` when something was written), ``notes`` (what could not be stored, for people).
    """

    store: str
    uid: str
    experiment_id: str
    run_id: str | None = None
    offset: int = 0
    done: bool = False
    deleted: bool = False
    change: str = dataclasses.field(default="", compare=False)
    notes: list[str] = dataclasses.field(default_factory=list, compare=False)

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> State | None:
        """The state in ``directory``; None if there is none or it cannot be read (then stores are asked)."""
        try:
            return cls(**json.loads((Path(directory) / STATE).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write it whole or not at all."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        replace_file(Path(directory) / STATE, json.dumps(fields) + "\n")


class Tracked(NamedTuple):
    """What became of one run: ``ok`` when all of it is in the store, else ``error`` says why not.

    An ``error`` beside ``ok`` is a remark, such as an artifact that was no longer there.
    """

    directory: Path
    run_id: str | None
    experiment_id: str | None
    ok: bool
    error: str | None


class Progress(NamedTuple):
    """How far the tracking process is: runs ended in the store, and journal bytes it has brought there."""

    done: int
    runs: int
    bytes_done: int
    bytes: int


class Tracker:
    """The parent's handle on a tracking process. No method raises for what happens to that process.

    Use: `start` (or `spawn` as early as can be, then `begin`), `follow` per run, `close`, then `wait` (or not: the
    process finishes alone).
    """

    def __init__(self, store_uri: str, process: subprocess.Popen[str] | None, errors: IO[str] | None) -> None:
        self.store_uri = store_uri
        self._process, self._errors = process, errors
        self._problem = ""
        self._runs: dict[str, dict] = {}  # directory -> the events about it, merged
        self._news = threading.Lock()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        if process is not None:
            self._reader.start()

    @classmethod
    def start(
        cls,
        store_uri: str,
        experiment: str | None = None,
        artifact_root: str = "",
        log: str | os.PathLike[str] | None = None,
    ) -> Tracker:
        """`spawn` and `begin` in one."""
        tracker = cls.spawn()
        tracker.begin(store_uri, experiment, artifact_root, log)
        return tracker

    @classmethod
    def spawn(cls) -> Tracker:
        """Spawn the tracking process, in a session of its own so that Ctrl-C does not reach it.

        Before anything is known of the run: it imports mlflow until `begin`. Where it turns out that nothing is to be
        tracked, `close` (or the end of this process) ends it, and it has written nothing.
        """
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        try:
            errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - for what it says before it has a log
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "runner.tracking.follow"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                text=True,
                env={**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"},
            )
        except OSError as error:
            failed = cls("", None, None)
            failed._problem = f"the tracking process could not be started: {error}"
            return failed
        return cls("", process, errors)

    def begin(
        self,
        store_uri: str,
        experiment: str | None = None,
        artifact_root: str = "",
        log: str | os.PathLike[str] | None = None,
    ) -> None:
        """Name the store, once, before the first `follow`.

        ``experiment`` is made ready while training runs (each journal names its own). ``artifact_root``: see
        `runner.tracking.store.Store`. What the process prints goes to ``log``, by default ``tracking.log`` in the
        first run's directory, kept only if something was printed. It takes what it must know over
        stdin: a store's URI may hold a password, which a command line would show to everybody.
        """
        self.store_uri = resolve(store_uri)
        settings = {"store": self.store_uri, "experiment": experiment, "artifact_root": artifact_root}
        self._say({**settings, "log": str(Path(log).absolute()) if log else None})

    def follow(self, directory: str | os.PathLike[str]) -> None:
        """Have the journal in ``directory`` (made already) followed until it ends and nobody writes it any more.

        A second time for a run that has ended: something is being added to it.
        """
        path = str(Path(directory).absolute())
        with self._news:
            run = self._runs.setdefault(path, {})
            run["asked"] = run.get("asked", 0) + 1
        self._say(path)

    def close(self) -> None:
        """No more runs are coming: the process ends when all of those it follows have."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):  # it is gone; `wait` says so
                self._process.stdin.close()

    def wait(
        self, progress: Callable[[Progress], None] = lambda _: None, timeout: float | None = None
    ) -> list[Tracked]:
        """Wait until every followed run is in the store, the process is gone, or ``timeout`` seconds passed.

        ``progress`` is called from here, about ten times a second while there is news. Returns one `Tracked`
        per run in the order of `follow`; after a timeout the process goes on alone. So it does when all are settled
        and it still has runs of dead processes to end, beyond `LEAVE` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        self.close()
        shown = settled = None
        while self._reader.is_alive():
            left = 0.1 if deadline is None else min(0.1, deadline - time.monotonic())
            if self._settled():
                settled = settled or time.monotonic()
                if time.monotonic() > settled + LEAVE:
                    return self._outcome("")
            if left <= 0:
                return self._outcome("it was still at it")
            self._reader.join(left)
            if (now := self.progress()) != shown:
                progress(now)
                shown = now
        return self._outcome(self._problem)

    def progress(self) -> Progress:
        """How far it is, as far as it has told."""
        with self._news:
            runs = list(self._runs.values())
        done = sum(run.get("event") == "done" for run in runs)
        offset, size = (sum(run.get(key, 0) for run in runs) for key in ("offset", "size"))
        return Progress(done, len(runs), offset, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _settled(self) -> bool:
        with self._news:
            return all(not run["asked"] and run.get("event") in ("done", "error") for run in self._runs.values())

    def _outcome(self, otherwise: str) -> list[Tracked]:
        with self._news:
            runs = {path: dict(run) for path, run in self._runs.items()}
        outcome = []
        for path, run in runs.items():
            ok = run.get("event") == "done" and not run["asked"]
            error = run.get("message") or (None if ok else otherwise)
            outcome.append(Tracked(Path(path), run.get("run_id"), run.get("experiment_id"), ok, error))
        return outcome

    def _say(self, message: object) -> None:
        """Send one line; a process that is gone is noticed by `wait`."""
        if self._process is None or self._process.stdin is None or self._process.stdin.closed:
            return
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def _listen(self) -> None:
        """Take in what the process reports, lest it block on a full pipe, and at its end its last words."""
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._errors is not None
        with self._process.stdout as stdout, self._errors as errors:
            for line in stdout:
                with contextlib.suppress(ValueError, AttributeError), self._news:
                    event = json.loads(line)
                    if (directory := event.pop("directory", None)) in self._runs:
                        run = self._runs[directory]
                        run["asked"] -= event["event"] == "follow"
                        run.update(event)
            code = self._process.wait()
            errors.seek(0)
            words = errors.read().strip().splitlines()
            self._problem = f"the tracking process ended early, exit code {code}" + "".join(
                f": {word}" for word in words[-1:]
            )


def warning(tracked: Sequence[Tracked], store_uri: str) -> str | None:
    """What to tell about runs not whole in the store, with the command that mends it; None if all are."""
    missing = [run for run in tracked if not run.ok]
    if not missing:
        return None
    where = [run.directory for run in missing]
    if len(where) > 3:
        where = [Path(os.path.commonpath(where))]
    what = f"{len(missing)} of {len(tracked)} runs are" if len(tracked) > 1 else "the run is"
    reasons = "; ".join(sorted({run.error or "unknown" for run in missing})[:3])
    command = shlex.join(["python", "-m", "runner.sync", *map(_short, where)])
    there = f"{what} not whole in {public(store_uri)} ({reasons})."
    return f"{there}\nNothing is lost, the journal has it: {command}"


def links(store_uri: str, experiment_id: str, run_id: str | None = None, sweep: str | None = None) -> str:
    """The address in MLflow's UI of a run, or of a sweep's runs side by side in the charts, or else of the
    experiment. Local stores are shown by ``mlflow ui`` at its default address (see `ui_command`)."""
    page = f"{_host(store_uri)}/#/experiments/{experiment_id}"
    if run_id is not None:
        return f"{page}/runs/{run_id}"
    if sweep is None:
        return page
    query = quote(f"tags.sweeps LIKE '%{sweep}%'", safe="")
    return f"{page}/runs?workflowType=machine_learning&compareRunsMode=CHART&searchFilter={query}"


def write_comparison(directory: Path, store_uri: str, experiment_id: str, run_ids: Sequence[str]) -> Path:
    """A page in ``directory`` that leads to the UI's comparison of these runs (of many the first `COMPARED`):
    parallel coordinates, scatter and contour plots. The address has every run's id in it, too long to be shown."""
    runs, experiments = (quote(json.dumps(ids)) for ids in (list(run_ids[:COMPARED]), [experiment_id]))
    address = f"{_host(store_uri)}/#/compare-runs?runs={runs}&experiments={experiments}"
    path = directory / "compare.html"
    replace_file(path, f'<!doctype html>\n<meta http-equiv="refresh" content="0; url={address}">\n')
    return path


def ui_command(store_uri: str) -> str | None:
    """The command that serves the pages `links` points to; None for a server, which serves them itself."""
    if _is_server(store_uri):
        return None
    path = sqlite_path(store_uri)
    uri = f"sqlite:///{_short(path)}" if path else public(store_uri)
    return shlex.join(["mlflow", "ui", "--backend-store-uri", uri])


def default_store() -> str:
    """The store that is meant where none is named."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT


def resolve(store_uri: str) -> str:
    """``store_uri`` with the path of a sqlite file made absolute, so that it means the same everywhere."""
    path = sqlite_path(store_uri)
    return f"sqlite:///{path}" if path else store_uri


def sqlite_path(store_uri: str) -> Path | None:
    """The absolute path of the database file of a sqlite store; None for any other store."""
    head, _, path = store_uri.partition(":///")
    return Path(path).absolute() if head == "sqlite" and path else None


def public(store_uri: str) -> str:
    """The URI that may be shown and kept: absolute, without a password."""
    return hide(resolve(store_uri))


def _host(store_uri: str) -> str:
    return public(store_uri).rstrip("/") if _is_server(store_uri) else "http://127.0.0.1:5000"


def _is_server(store_uri: str) -> bool:
    return store_uri.startswith(("http://", "https://"))


def _short(path: Path) -> str:
    """``path`` from the working directory if it is inside of it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
