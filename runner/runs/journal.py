"""The journal: everything a run says, one JSON record a line, in ``journal.jsonl`` in the run's directory.

It is the truth; ``summary.json``, MLflow and the report are views of it. Each record is one ``os.write`` of a
whole line to a file opened with ``O_APPEND``: what was written survives ``kill -9``, and the only damage a
crash can do is a torn last line, which readers drop. While a journal is open its writer holds an ``flock`` on
it, which the kernel gives back however the process ends: that is how others know a dead run from a live one
(a process id alone may have been given to somebody else since).

Records, by ``kind`` (``time``: integer milliseconds since 1970, ``path``: relative to the run's directory)::

    start     time uid pid host name experiment params tags dataset command     always the first line; where they are
              title experiment_id run_id                                        said, what only MLflow is told
    row       time step values
    artifact  time path folder
    tags      time tags
    finding   time ...
    end       time status metrics tags                                          how the run ended
    resume    time pid host tags                                                a later process goes on

After an ``end`` only what was made of the run may follow: an ``artifact`` (its pictures), ``tags``, a ``finding``.
The run's status stays that of its end.

Non-finite floats are the strings ``"nan"``, ``"inf"`` and ``"-inf"`` in the file. Where only numbers can
stand (``values`` of a row, ``metrics`` of an end) they are read as floats again; elsewhere they stay strings.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runner import Refusal
from runner.runs.files import alive, opened, spelled

FILE = "journal.jsonl"
STATUSES = ("finished", "diverged", "error", "killed", "interrupted", "pruned")
LATE = ("artifact", "tags", "finding")  # what may come after an end

Record = dict[str, Any]

_FIRST = b'{"kind":"start",'
_TAIL = 1 << 16  # bytes from the end in which `last` looks first
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class JournalError(Refusal):
    """A journal that is missing, is no journal, is already there, is in use, or cannot be written."""


class NoRun(JournalError, FileNotFoundError):
    """There is no such run, or it has not ended."""


class Journal:
    """The writing end of one run's journal; a context manager that closes the file.

    Made by `create`, `reopen` or `supplement`, never directly. Leaving the ``with`` block by an exception writes
    the end that belongs to it (``interrupted`` for Ctrl-C, else ``error``) unless an end has been written already.

    Attributes: ``directory``, ``uid`` (the run's identity in every store), ``last_step`` (of the rows that
    were there when it was opened; -1 for none).
    """

    def __init__(self, directory: Path, file: int, uid: str, size: int, last_step: int) -> None:
        self.directory, self.uid, self.last_step = directory, uid, last_step
        self._file, self._size, self._torn, self._ended = file, size, False, False

    @classmethod
    def create(
        cls,
        directory: str | os.PathLike[str],
        *,
        name: str,
        experiment: str,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        dataset: Mapping[str, Any] | None = None,
        command: str = "",
        uid: str = "",
        store: Mapping[str, str | None] | None = None,
    ) -> Journal:
        """Start the journal of a new run in ``directory`` (made if need be), with a new ``uid`` if none is given.

        ``name`` and ``experiment`` are MLflow's; ``params`` the flattened configuration; ``dataset`` has
        ``name``, ``digest``, ``source`` and ``profile``; ``store`` what only MLflow is told: a longer ``title``, the
        ``experiment_id`` and the ``run_id`` that the user has named. Raises `JournalError` if there is a journal
        already.
        """
        directory = Path(directory).absolute()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        try:
            directory.mkdir(parents=True, exist_ok=True)
            file = opened(directory / FILE, flags)
        except FileExistsError:
            raise JournalError(f"{directory / FILE} exists: resume it or choose another directory") from None
        except OSError as error:
            raise _cannot("create", directory / FILE, error) from error
        journal = cls(directory, file, uid or uuid.uuid4().hex, size=0, last_step=-1)
        start = {"uid": journal.uid, **_process(), "name": name, "experiment": experiment}
        more = {"params": dict(params or {}), "tags": dict(tags or {}), "dataset": dict(dataset or {})}
        try:
            _lock(file, directory)
            told = {key: value for key, value in (store or {}).items() if value}
            journal._write("start", {**start, **more, **told, "command": command})
        except BaseException:
            journal.close()
            (directory / FILE).unlink()
            raise
        return journal

    @classmethod
    def reopen(cls, directory: str | os.PathLike[str], tags: Mapping[str, str] | None = None) -> Journal:
        """Resume the journal in ``directory``: cut off a torn last line and append a ``resume`` record.

        Rows up to ``last_step`` are in the journal, so `row` ignores them: what a resumed run computes a
        second time between its checkpoint and where it was stopped is the same bit for bit, and keeping the
        first writing keeps it single in every store. Raises `JournalError` if there is no journal, or if
        another process is writing it.
        """
        journal, _ = cls._again(directory)
        journal._write("resume", {**_process(), "tags": dict(tags or {})})
        return journal

    @classmethod
    def supplement(cls, directory: str | os.PathLike[str]) -> Journal:
        """Add to the journal of a run that has ended what was made of it since; it takes nothing but `LATE` records.

        While it is open the tracking process keeps following the run. Raises `JournalError` if there is no journal,
        if its run has not ended, or if another process is writing it.
        """
        journal, ended = cls._again(directory)
        if not ended:
            journal.close()
            raise JournalError(f"{journal.directory / FILE} has no end: only a run that ended can be supplemented")
        journal._ended = True
        return journal

    @classmethod
    def _again(cls, directory: str | os.PathLike[str]) -> tuple[Journal, bool]:
        """The journal in ``directory``, locked, a torn last line cut off; and whether its run has ended."""
        directory = Path(directory).absolute()
        try:
            file = opened(directory / FILE, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise _cannot("open", directory / FILE, error) from error
        try:
            _lock(file, directory)
            uid, size, last_step, ended = "", 0, -1, False
            for record, offset in read(directory):
                uid, size = record.get("uid", uid), offset
                ended = record["kind"] == "end" or (ended and record["kind"] in LATE)
                if record["kind"] == "row":
                    last_step = max(last_step, record["step"])
            if not uid:
                raise JournalError(f"{directory / FILE} has no start: its run was killed before it began")
            os.ftruncate(file, size)
        except BaseException:
            os.close(file)
            raise
        return cls(directory, file, uid, size, last_step), ended

    def row(self, step: int, values: Mapping[str, float]) -> None:
        """Append metrics taken after ``step`` optimizer steps (not up to ``last_step``: see `reopen`)."""
        if step > self.last_step:
            self._write("row", {"step": int(step), "values": {key: float(v) for key, v in values.items()}})

    def artifact(self, path: str | os.PathLike[str], folder: str = "") -> None:
        """Name a file or folder in the run's directory that belongs to it, to be stored under ``folder``."""
        path = Path(path)
        relative = path.relative_to(self.directory) if path.is_absolute() else path
        self._write("artifact", {"path": relative.as_posix(), "folder": folder})

    def tags(self, tags: Mapping[str, str]) -> None:
        """Append tags; they overwrite earlier ones of the same name."""
        self._write("tags", {"tags": dict(tags)})

    def finding(self, finding: Mapping[str, Any]) -> None:
        """Append a finding as it is (its keys must not be ``kind`` or ``time``)."""
        self._write("finding", dict(finding))

    def end(
        self, status: str, metrics: Mapping[str, float] | None = None, tags: Mapping[str, str] | None = None
    ) -> None:
        """Append the end: ``status`` (one of `STATUSES`), final ``metrics`` such as ``best/...``, and tags.

        Write ``summary.json`` before it: whoever follows the journal adds the MLflow run id to that file when
        it meets the end.
        """
        if status not in STATUSES:
            raise ValueError(f"status must be one of {', '.join(STATUSES)}. Got {status!r}.")
        numbers = {key: float(value) for key, value in (metrics or {}).items()}
        self._write("end", {"status": status, "metrics": numbers, "tags": dict(tags or {})})
        self._ended = True

    def close(self) -> None:
        """Close the file and give its lock back; closing twice is fine."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is not None and not self._ended:
                status = "interrupted" if issubclass(kind, KeyboardInterrupt) else "error"
                self.end(status, tags={"error": f"{kind.__name__}: {error}"} if status == "error" else None)
        except JournalError:
            pass  # the exception on its way out matters more than a journal that cannot take its end
        finally:
            self.close()

    def _write(self, kind: str, fields: Record) -> None:
        """Append one record as one line; a line that did not fit is taken back: the next one is whole."""
        if self._file < 0 or (self._ended and kind not in LATE):
            raise JournalError(f"{self.directory / FILE} has been {'closed' if self._file < 0 else 'ended'}")
        record = {"kind": kind, "time": time.time_ns() // 1_000_000, **fields}
        try:
            line = (_encode(record) + "\n").encode()
        except ValueError:  # something in it is not finite
            line = (_encode(spelled(record)) + "\n").encode()
        try:
            if self._torn:
                self._take_back()
            written = os.write(self._file, line)
            while written < len(line):  # nearly full, or a signal: the next write says which
                self._torn = True
                written += os.write(self._file, line[written:])
        except OSError as error:
            self._torn = True
            with contextlib.suppress(OSError):  # tried again before the next write
                self._take_back()
            raise _cannot("write", self.directory / FILE, error) from error
        self._size, self._torn = self._size + len(line), False

    def _take_back(self) -> None:
        os.ftruncate(self._file, self._size)
        self._torn = False


def read(directory: str | os.PathLike[str], offset: int = 0) -> Iterator[tuple[Record, int]]:
    """Yield ``(record, next_offset)`` for the whole lines from byte ``offset`` on.

    A tailer continues from the last ``next_offset`` it saw. A torn last line (without its newline, or no JSON)
    is left out; the same anywhere else, a file that does not begin with a ``start``, an offset beyond the end
    or no file at all raise `JournalError`.
    """
    path = Path(directory) / FILE
    try:
        with path.open("rb") as file:
            if offset > file.seek(0, os.SEEK_END):
                raise JournalError(f"{path} is shorter than the {offset} bytes read of it before")
            file.seek(offset)
            for line in file:
                if offset == 0 and not _FIRST.startswith(line[: len(_FIRST)]):
                    raise JournalError(f"{path} is not a journal: it does not begin with a start record")
                record = _decode(line)
                if record is None:
                    if line.endswith(b"\n") and file.read(1):
                        raise JournalError(f"{path} is damaged: no record at byte {offset}")
                    return
                offset += len(line)
                yield record, offset
    except OSError as error:
        raise _cannot("read", path, error) from error


def first(directory: str | os.PathLike[str]) -> Record:
    """The ``start`` record of the journal in ``directory``; `JournalError` if there is none."""
    for record, _ in read(directory):
        return record
    raise JournalError(f"{Path(directory) / FILE} has no start: its run was killed before it began")


def last(directory: str | os.PathLike[str]) -> Record | None:
    """The last whole record, read from the end of the file; None if none. `JournalError` if no file."""
    return next(_backwards(directory), None)


def ending(directory: str | os.PathLike[str]) -> Record | None:
    """The end of the run, whatever was added after it; None while it has none. `JournalError` if no file."""
    record = next((record for record in _backwards(directory) if record["kind"] not in LATE), None)
    return record if record is not None and record["kind"] == "end" else None


def last_rows(directory: str | os.PathLike[str], most: int) -> list[Record]:
    """The last rows of the journal, at most so many, in their order. `JournalError` if no file."""
    rows = (record for record in _backwards(directory) if record["kind"] == "row")
    return list(itertools.islice(rows, most))[::-1]


def _backwards(directory: str | os.PathLike[str]) -> Iterator[Record]:
    """The whole records from the last on; more of the file is read only where they are asked for."""
    path = Path(directory) / FILE
    try:
        with path.open("rb") as file:
            size, window, given = file.seek(0, os.SEEK_END), _TAIL, 0
            while True:
                file.seek(max(0, size - window))
                lines = file.read(min(size, window)).splitlines(keepends=True)
                if size > window:
                    lines = lines[1:]  # it may begin in the middle of a record
                for line in lines[: len(lines) - given][::-1]:
                    given += 1
                    if (record := _decode(line)) is not None:
                        yield record
                if size <= window:
                    return
                window *= 8
    except OSError as error:
        raise _cannot("read", path, error) from error


def writing(directory: str | os.PathLike[str]) -> bool:
    """Whether a live process has the journal in ``directory`` open for writing.

    Asks for the lock that the writer holds. Where the file system has no locks, the process id of the last
    ``start`` or ``resume`` decides; then a journal from another host counts as not being written.
    """
    path = Path(directory) / FILE
    try:
        file = opened(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _cannot("open", path, error) from error
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError:
        writers = [record for record, _ in read(directory) if record["kind"] in ("start", "resume")]
        return bool(writers) and writers[-1]["host"] == socket.gethostname() and alive(writers[-1]["pid"])
    finally:
        os.close(file)


def status(directory: str | os.PathLike[str]) -> str:
    """``running``, one of `STATUSES` as written by the end, or ``killed`` for a run whose writer is gone."""
    alive = writing(directory)  # first: a run that ends between the two questions has ended
    record = ending(directory)
    if record is not None:
        return str(record["status"])
    return "running" if alive else "killed"


def _process() -> Record:
    return {"pid": os.getpid(), "host": socket.gethostname()}


def _lock(file: int, directory: Path) -> None:
    """Hold the journal for writing; readers that ask `writing` hold it for an instant, hence the patience."""
    for patience in (0.01, 0.05, 0.2, 0.5, 0.0):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(patience)
        except OSError:
            return  # a file system without locks: `writing` asks for the process id there
    raise JournalError(f"{directory / FILE} is being written by another process")


def _cannot(verb: str, path: Path, error: OSError) -> JournalError:
    return JournalError(f"cannot {verb} {path}: {error.strerror or error}")


def _decode(line: bytes) -> Record | None:
    """The record on a line, or None when it is torn."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or "kind" not in record:
        return None
    for field in ("values", "metrics"):
        if field in record and record["kind"] in ("row", "end"):
            record[field] = {key: float(value) for key, value in record[field].items()}
    return record
