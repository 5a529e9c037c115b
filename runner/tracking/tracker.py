"""Tracking as the runner sees it: a handle on the process that brings journals into MLflow.

Training never imports mlflow, never waits for it and never fails because of it: `Tracker.start` spawns
``python -m runner.tracking.follow`` at time 0, `Tracker.follow` hands it a run's directory, and whatever goes wrong
there comes back as text in `Tracked`. The journals stay whole, so that ``python -m runner.sync`` can do later
what could not be done now. mlflow itself is only imported by `runner.tracking.store`.
"""

from __future__ import annotations

import contextlib
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

from runner.runs.files import relative
from runner.tracking.state import public, resolve

MOST = 3  # remarks that are told
LEAVE = 2.0  # seconds given to a tracking process that has no more to do for this command


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


def warning(
    tracked: Sequence[Tracked], store_uri: str, typed: Callable[[str], str] = lambda command: command
) -> str | None:
    """What to tell about runs not whole in the store, with the command that brings them there, and remarks, if any.

    `typed` gives the command as it has to be typed.
    """
    remarks = list(dict.fromkeys(note for run in tracked if run.ok and run.error for note in run.error.split("; ")))
    told = [_missing(missing, tracked, store_uri, typed)] if (missing := [run for run in tracked if not run.ok]) else []
    more = [f"and {len(remarks) - MOST} more remarks"] if len(remarks) > MOST else []
    return "\n".join([*told, *remarks[:MOST], *more]) or None


def _missing(
    missing: Sequence[Tracked], tracked: Sequence[Tracked], store_uri: str, typed: Callable[[str], str]
) -> str:
    where = [run.directory for run in missing]
    if len(where) > 3:
        where = [Path(os.path.commonpath(where))]
    what = f"{len(missing)} of {len(tracked)} runs are" if len(tracked) > 1 else "the run is"
    reasons = "; ".join(sorted({run.error or "unknown" for run in missing})[:3])
    command = typed(shlex.join(["python", "-m", "runner.sync", *map(relative, where)]))
    there = f"{what} not whole in {public(store_uri)} ({reasons})."
    return f"{there}\nNothing is lost, the journal has it: {command}"
