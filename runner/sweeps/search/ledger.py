"""The trials of searches in an sqlite file: what was asked, and what came of it.

A batch is written in one transaction when it is asked and in another when it has ended, so a search that is killed at
any moment finds whole batches. One process at a time resumes a search; others may use the same file.
"""

import contextlib
import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.experiment.schema import ConfigError

SCHEMA = """CREATE TABLE IF NOT EXISTS trials (
    search TEXT, number INTEGER, batch INTEGER, drawn TEXT, status TEXT, objectives TEXT, rungs TEXT, directory TEXT,
    PRIMARY KEY (search, number))"""


@dataclass(frozen=True)
class Trial:
    """One trial of a search, as it is kept.

    `drawn`: what the sampler drew for each range, by key. `status` is None until it has ended; then there are its
    `objectives`, the less the better and infinite where it failed, and what the first of them was at each of the
    `rungs` that it came to.
    """

    number: int
    batch: int
    drawn: Mapping[str, Any]
    status: str | None = None
    objectives: Sequence[float] = ()
    rungs: Sequence[float] = ()
    directory: Path | None = None


@dataclass
class Ledger:
    """The trials of one search in the file at `path`, which is made when the first of them is asked."""

    path: Path
    search: str
    _database: sqlite3.Connection | None = field(default=None, repr=False)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only process that resumes this search. Raises ConfigError where another one does."""
        start = int(self.search[:7], 16)  # a byte of the lock file for each search
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, start)
            with contextlib.closing(sqlite3.connect(self.path, timeout=60)) as self._database:
                with self._database:
                    self._database.execute(SCHEMA)
                yield
        except BlockingIOError as error:
            raise ConfigError([f"search.storage={self.path}: another process is at this same search."]) from error
        except sqlite3.Error as error:
            raise ConfigError([f"search.storage={self.path}: {error}."]) from error
        finally:
            self._database = None
            os.close(file)

    def trials(self) -> list[Trial]:
        """All of them, in their order."""
        query = "SELECT number, batch, drawn, status, objectives, rungs, directory FROM trials WHERE search = ?"
        rows = self._open().execute(query + " ORDER BY number", [self.search])
        return [
            Trial(
                number,
                batch,
                json.loads(drawn),
                status,
                tuple(json.loads(objectives)),
                tuple(json.loads(rungs)),
                _path(directory),
            )
            for number, batch, drawn, status, objectives, rungs, directory in rows
        ]

    def write(self, trials: Sequence[Trial]) -> None:
        """Add these, or replace what is there of them: all or none."""
        rows = [
            (
                self.search,
                one.number,
                one.batch,
                json.dumps(one.drawn),
                one.status,
                json.dumps(list(one.objectives)),
                json.dumps(list(one.rungs)),
                str(one.directory) if one.directory else None,
            )
            for one in trials
        ]
        with self._open() as database:
            database.executemany("INSERT OR REPLACE INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _open(self) -> sqlite3.Connection:
        assert self._database is not None
        return self._database


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
