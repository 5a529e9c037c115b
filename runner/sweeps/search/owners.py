"""Who is at which trial: locks that the kernel or the database gives back however a process ends.

Each process at a study holds a lock with a number of its own, which stands in the trials that it trains. Where nobody
holds it any more the process is gone, and another one resumes its trials.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

NUMBERS = 2**31 - 1  # of owners, from 1 on


class Owners(Protocol):
    """The processes at one study."""

    def hold(self, number: int) -> None:
        """Be the owner with this number until the process ends, or `close`."""

    def alive(self, number: int) -> bool:
        """Whether another process is the owner with this number."""

    def claiming(self) -> contextlib.AbstractContextManager[None]:
        """Be the only one that claims trials in this storage, or makes a study there."""

    def close(self) -> None:
        """Give all locks back."""


class FileOwners:
    """The same machine, or a file system with locks: bytes of a file beside the storage."""

    def __init__(self, path: Path, study: int):
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._start = study * 2 * NUMBERS

    def hold(self, number: int) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, self._start + number)

    def alive(self, number: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self._start + number)
        except BlockingIOError:
            return True
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, self._start + number)
        return False

    @contextlib.contextmanager
    def claiming(self) -> Iterator[None]:
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, 0)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, 0)

    def close(self) -> None:
        os.close(self._file)


class ServerOwners:
    """PostgreSQL's advisory locks, on a connection that is open as long as the process is at the study."""

    def __init__(self, engine: Any, study: int):
        self._connection, self._study = engine.connect().execution_options(isolation_level="AUTOCOMMIT"), study

    def hold(self, number: int) -> None:
        self._ask("pg_advisory_lock", self._study, number)

    def alive(self, number: int) -> bool:
        if not self._ask("pg_try_advisory_lock", self._study, number):
            return True
        self._ask("pg_advisory_unlock", self._study, number)
        return False

    @contextlib.contextmanager
    def claiming(self) -> Iterator[None]:
        self._ask("pg_advisory_lock", 0, 0)
        try:
            yield
        finally:
            self._ask("pg_advisory_unlock", 0, 0)

    def close(self) -> None:
        self._connection.close()

    def _ask(self, function: str, study: int, number: int) -> Any:
        from sqlalchemy import text

        asked = text(f"SELECT {function}(:study, :number)")
        return self._connection.execute(asked, {"study": study, "number": number}).scalar()
