"""The tracking process, ``python -m runner.tracking.follow``: follows journals into an MLflow store until they end.

It is spawned by `runner.tracking.tracker.Tracker` and talks to it in JSON lines. In: the settings, then the directory
of each run. Out: ``ready``, and for each run ``follow`` (the directory has come), ``run`` (it has an id),
``progress``, and ``done`` or ``error``. A run is done when it has ended and nobody adds to its journal any more.
No more runs come when stdin ends or the parent is gone; neither ends this process before all journals have
ended, or lost their writers. mlflow is imported before the settings are there, a fresh store is made while the
parent trains, and runs that died earlier are ended when there is nothing else to do.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from runner.runs import journal
from runner.runs.files import hide
from runner.tracking.errors import TrackingError, is_final, reason
from runner.tracking.opening import lighten, quieten
from runner.tracking.state import State
from runner.tracking.store import Store

POLL = 0.05  # seconds between looks at the journals
PATIENCE = 5.0  # seconds for which a store that does not answer is tried again once all runs have ended
LIVE = 1.0  # seconds, at least, between two visits to a run that is still going


class Following:
    """The journals under way and the store they go to: `step` brings there what is due."""

    def __init__(self, settings: dict[str, Any], report: Any) -> None:
        self.settings, self.report = settings, report
        self.store: Store | None = None
        self.sizes: dict[Path, int] = {}  # directory -> bytes of its journal that are in the store
        self.known: set[Path] = set()  # directories whose run id was reported
        self.held: dict[Path, State] = {}  # ended and in the store, but somebody still added to the journal
        self.released: set[Path] = set()  # nobody wrote the journal any more when it was last pushed
        self.closed: float | None = None  # when it was learned that no more runs come
        self.failures, self.retry_at, self.live_at = 0, 0.0, 0.0
        self.buried = False
        self.refused: Exception | None = None  # a store's answer that may be another one next time

    def step(self) -> None:
        """Open the store if that is still to do, then visit every journal that is due.

        A store that does not answer is left alone for 1, 2, 4, 8, 10, 10 ... s; the journals wait. After the parent
        has closed it gets `PATIENCE` seconds more, then every run left is given up with the reason.
        """
        if time.monotonic() < self.retry_at:
            return
        try:
            self._open()
            self._visit()
            self.failures = 0
        except Exception as error:
            self.failures += 1
            longest = 1.0 if self.closed else 10.0
            self.retry_at = time.monotonic() + min(2.0 ** (self.failures - 1), longest)
            self._note(error)
            if self.closed and time.monotonic() > self.closed + PATIENCE:
                for directory in list(self.sizes):
                    self._give_up(directory, error)

    def follow(self, directory: Path) -> None:
        """Follow one more journal; one that was followed before has got, or is getting, something after its end."""
        self.sizes.setdefault(directory, 0)
        self._tell("follow", directory)

    def close(self) -> None:
        """No more runs come: from now on look for dead writers, and try a failing store at once."""
        self.closed = time.monotonic()
        self.live_at = self.retry_at = 0.0

    def _open(self) -> None:
        if self.store is None:
            self.store = Store(self.settings["store"], self.settings["artifact_root"])
            gc.collect()
            gc.freeze()  # mlflow is a million objects; not walking through them saves a tenth of every call
            gc.set_threshold(50_000, 20, 100)
        if name := self.settings.pop("experiment", None):
            with contextlib.suppress(TrackingError):  # said for each run that is in it
                self.store.experiment(name)
            self.report(event="ready")

    def bury(self) -> None:
        """End the runs which this machine's dead processes have left RUNNING, once; a failure is only noted."""
        if self.store is not None and not self.buried:
            self.buried = True
            try:
                self.store.bury(leave=self.sizes)
            except Exception as error:
                self._note(error)

    def _visit(self) -> None:
        """Push the journals that have ended, together; those still growing only now and then, to fill the batches."""
        assert self.store is not None
        began = time.monotonic()
        live = began >= self.live_at
        due: dict[Path, int] = {}
        for directory in list(self.sizes):
            try:
                held = directory in self.held
                released = held and not journal.writing(directory)  # asked first: then all of it is written
                size = (directory / journal.FILE).stat().st_size
                news = size > self.sizes[directory]
                if released and not news:
                    self._finish(directory, self.held[directory])
                    continue
                if (news and journal.ending(directory)) or (live and (news or (self.closed and not held))):
                    due[directory] = size
                    self.released.discard(directory)
                    if released or not journal.writing(directory):
                        self.released.add(directory)
            except Exception as error:
                if not is_final(error):
                    raise
                self._give_up(directory, error)
        if due:
            report = functools.partial(self._progress, due)
            for directory, outcome in self.store.push_all(due, closing=self.closed is not None, report=report).items():
                self._pushed(directory, outcome)
            if self.refused is not None:  # the others are through; this one is tried again later
                refused, self.refused = self.refused, None
                raise refused
        else:
            self.bury()
        if live:
            self.live_at = time.monotonic() + max(LIVE, 5 * (time.monotonic() - began))

    def _progress(self, sizes: dict[Path, int], directory: Path, state: State) -> None:
        if directory not in self.known:
            self.known.add(directory)
            self._tell("run", directory, run_id=state.run_id, experiment_id=state.experiment_id)
        self._tell("progress", directory, offset=state.offset, size=max(sizes[directory], state.offset))
        if state.done and state.offset >= sizes[directory]:
            self._pushed(directory, state)

    def _pushed(self, directory: Path, outcome: State | Exception) -> None:
        if directory not in self.sizes:
            return
        if isinstance(outcome, Exception):
            if is_final(outcome):
                self._give_up(directory, outcome)
            else:
                self.refused = outcome
            return
        self.sizes[directory] = outcome.offset
        if outcome.deleted or (outcome.done and directory in self.released):
            self._finish(directory, outcome)
        elif outcome.done:
            self.held[directory] = outcome
        else:
            self.held.pop(directory, None)

    def _finish(self, directory: Path, state: State) -> None:
        del self.sizes[directory]
        self.held.pop(directory, None)
        self.released.discard(directory)
        notes = state.notes + ["it was deleted in the store"] * state.deleted
        ids = {"run_id": state.run_id, "experiment_id": state.experiment_id}
        self._tell("done", directory, **ids, **({"message": "; ".join(notes)} if notes else {}))

    def _give_up(self, directory: Path, error: Exception) -> None:
        del self.sizes[directory]
        self.held.pop(directory, None)
        self.released.discard(directory)
        self._tell("error", directory, message=reason(error))

    def _note(self, error: Exception) -> None:
        print(hide(f"{type(error).__name__}: {error}"), file=sys.stderr, flush=True)

    def _tell(self, event: str, directory: Path, **more: Any) -> None:
        self.report(event=event, directory=str(directory), **more)


def main() -> None:
    """Run until stdin has ended and nothing is left to follow."""
    report = Reports()
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(inbox,), daemon=True).start()
    parent = os.getppid()
    quieten()
    lighten()
    import mlflow.tracking.client  # noqa: F401 - the longest part, so while the parent is still composing

    settings = inbox.get()
    if settings is None:
        return
    log = Log(settings["log"])
    following = Following(settings, report)
    try:
        while following.closed is None or following.sizes:
            closed = _take(inbox, following, log) or os.getppid() != parent
            if closed and following.closed is None:
                following.close()
            following.step()
        following.bury()
    finally:
        log.tidy()


class Reports:
    """Events on what was stdout; other prints go to stderr. A parent that is gone is no error."""

    def __init__(self) -> None:
        self._file: IO[str] | None = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def __call__(self, **event: Any) -> None:
        if self._file is not None:
            try:
                self._file.write(json.dumps(event) + "\n")
                self._file.flush()
            except OSError:
                self._file = None


class Log:
    """stderr: a given file, or ``tracking.log`` in the first run's directory; removed if it stays empty."""

    def __init__(self, path: str | None) -> None:
        self._path: Path | None = None
        if path:
            self.open(Path(path))

    def open(self, path: Path) -> None:
        """Send stderr and stdout to the file at ``path``, unless they go to one already."""
        if self._path is None:
            with contextlib.suppress(OSError):
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
                os.dup2(file, 2)
                os.dup2(file, 1)
                os.close(file)
                self._path = path

    def tidy(self) -> None:
        """Remove the file if nothing was printed."""
        with contextlib.suppress(FileNotFoundError):
            if self._path is not None and not self._path.stat().st_size:
                self._path.unlink()


def _listen(inbox: queue.SimpleQueue[Any]) -> None:
    """Empty stdin from the first moment on, lest the parent block on a full pipe; None at its end.

    Where it ends before the settings came, nothing is to be tracked, and an import under way need not be finished.
    """
    number = 0
    for number, line in enumerate(sys.stdin, 1):  # noqa: B007
        inbox.put(json.loads(line))
    if not number:
        os._exit(0)
    inbox.put(None)


def _take(inbox: queue.SimpleQueue[Any], following: Following, log: Log) -> bool:
    """Take in new directories, waiting `POLL` seconds for one; whether that was the end of them."""
    with contextlib.suppress(queue.Empty):
        wait = POLL
        while (directory := inbox.get(timeout=wait)) is not None:
            log.open(Path(directory) / "tracking.log")
            following.follow(Path(directory))
            wait = 0.0001
        return True
    return False


if __name__ == "__main__":
    main()
