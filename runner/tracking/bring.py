"""Which journals are to go into which store, and bringing them there: as often as you like, twice changes nothing.

What was recorded offline, what a tracking process could not finish, and run directories copied from another machine
all arrive this way, artifacts included; what is in the store already stays as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from runner.runs import journal
from runner.tracking.errors import reason
from runner.tracking.state import DEFAULT, State, default_store, public, sqlite_path
from runner.tracking.store import Store

PORTION = 50  # runs between two steps of the progress line


class Journals(NamedTuple):
    """The journals below some folders, by what is to be done with them."""

    ended: dict[str, list[Path]]  # by store
    live: list[Path]
    empty: list[Path]  # the run was killed before its first line was whole
    damaged: dict[Path, str]


class Outcome(NamedTuple):
    """What became of the runs of one store."""

    runs: dict[Path, State]
    failed: dict[Path, str]
    buried: list[str]  # run ids

    def count(self, change: str) -> int:
        """How many runs are ``new``, ``changed``, or (an empty string) were whole already."""
        return sum(state.change == change and not state.deleted for state in self.runs.values())


def journals(folder: Path) -> Iterator[Path]:
    """The directories at or below ``folder`` that hold a journal; hidden ones are not looked into."""
    for directory, names, files in os.walk(folder.absolute()):
        names[:] = sorted(name for name in names if not name.startswith("."))
        if journal.FILE in files:
            yield Path(directory)


def sort(directories: Sequence[Path], store: str | None = None) -> Journals:
    """What is to be done with these journals; all those ended go to ``store``, if it is given."""
    found = Journals({}, [], [], {})
    for directory in directories:
        try:
            if journal.writing(directory):
                found.live.append(directory)
            elif b"\n" not in (directory / journal.FILE).open("rb").readline():
                found.empty.append(directory)
            else:
                start = journal.first(directory)
                found.ended.setdefault(store or store_of(directory, start), []).append(directory)
        except (journal.JournalError, OSError) as error:
            found.damaged[directory] = str(error)
    return found


def store_of(directory: Path, start: journal.Record) -> str:
    """The store where a run belongs.

    A sqlite file named by ``tracking.json`` that is not there is another machine's, where the directory comes from.
    ``tracking.json`` holds no password: the configuration or the environment may have the same address with it.
    """
    configured = str(start["params"].get("tracking.uri") or DEFAULT)
    choices = [uri for uri in (configured, default_store()) if uri != DEFAULT] or [DEFAULT]
    state = State.load(directory)
    if state is not None and ((path := sqlite_path(state.store)) is None or path.exists()):
        return next((uri for uri in choices if public(uri) == state.store), state.store)
    return choices[0]


def bring(
    directories: Sequence[Path], uri: str, artifact_root: str = "", advance: Callable[[int], None] = lambda runs: None
) -> Outcome:
    """Bring these journals, which nobody writes, into the store, and end there what died on this machine."""
    outcome = Outcome({}, {}, [])
    left = list(directories)
    try:
        store = Store(uri, artifact_root)
        while left:
            for directory, after in store.push_all(left[:PORTION], closing=True).items():
                if isinstance(after, Exception):
                    outcome.failed[directory] = reason(after)
                else:
                    outcome.runs[directory] = after
            advance(len(left[:PORTION]))
            left = left[PORTION:]
        outcome.buried.extend(store.bury())
    except Exception as error:  # the store does not answer: it will not for the others either
        outcome.failed.update(dict.fromkeys(left, reason(error)))
    return outcome
