"""Where the trials of a search are kept: a path is a ledger of ours, a URL a storage of Optuna's."""

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.experiment.samplers import SearchOptions
from runner.experiment.schema import ConfigError
from runner.runs.files import hide
from runner.sweeps.search.ledger import Ledger
from runner.sweeps.search.loop import Book, Search
from runner.sweeps.search.owned import Owned
from runner.sweeps.search.owners import FileOwners, Owners, ServerOwners
from runner.sweeps.search.shared import Shared

SQLITE, JOURNAL = "sqlite:///", "journal:///"
LEDGER, STUDIES, RECORDS, FOREIGN = "a ledger of this program", "an Optuna database", "an Optuna journal", "foreign"


def check(options: SearchOptions) -> None:
    """Raises ConfigError where the trials cannot be kept there; nothing is written."""
    text = options.storage
    shown = f"search.storage={hide(text)}"
    if options.study is not None and not options.shared:
        study = f"search.study={options.study} names an Optuna study"
        raise ConfigError([f"{study}, and {shown} holds none. Write search.storage=sqlite:///{text}."])
    if text.startswith("postgresql"):
        _engine(text).dispose()
        return
    path, wanted = _file(text)
    if path is None:
        urls = "sqlite:///FILE, journal:///FILE or postgresql://HOST/NAME"
        raise ConfigError([f"{shown} must be a path, {urls}. Got another URL."])
    if not path.parent.is_dir():
        raise ConfigError([f"{shown}: there is no directory {path.parent}."])
    if path.is_dir():
        raise ConfigError([f"{shown} is a directory. It must be a file."])
    kind = kind_of(path)
    if kind not in (None, wanted):
        instead = {LEDGER: f"search.storage={path}", STUDIES: f"search.storage={SQLITE}{path}"}
        instead[RECORDS] = f"search.storage={JOURNAL}{path}"
        if kind == FOREIGN:
            raise ConfigError([f"{shown} must be free or hold a search. Got a file of another program."])
        raise ConfigError([f"{shown} must be free or {wanted}. Got {kind}: {instead[str(kind)]} goes on with it."])


@contextlib.contextmanager
def opened(search: Search) -> Iterator[Book]:
    """The trials of the search, to be gone on with. Raises ConfigError where another process has it alone."""
    text = search.options.storage
    if not search.options.shared:
        with Owned.opened(search, Ledger(Path(text).absolute(), search.id)) as book:
            yield book
        return
    number = int(search.id[:7], 16)
    with contextlib.ExitStack() as stack, _in_words(text):
        storage, owners = _optuna(text, number)
        stack.callback(owners.close)
        yield Shared(search, storage, search.options.study or search.id, owners)


def _optuna(text: str, number: int) -> tuple[Any, Owners]:
    """The storage of Optuna's, and the locks of the study with this number."""
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    path, _ = _file(text)
    if path is None:
        storage = RDBStorage(text)
        return storage, ServerOwners(storage.engine, number)
    owners = FileOwners(path.with_name(f"{path.name}.owners"), number)
    with owners.claiming():
        if text.startswith(JOURNAL):
            return JournalStorage(JournalFileBackend(str(path))), owners
        return RDBStorage(f"{SQLITE}{path}", engine_kwargs={"connect_args": {"timeout": 60}}), owners


def _file(text: str) -> tuple[Path | None, str]:
    """The file that is meant, and what it must be; None for a server."""
    if "://" not in text:
        return Path(text).absolute(), LEDGER
    for start, kind in ((SQLITE, STUDIES), (JOURNAL, RECORDS)):
        name = text.removeprefix(start).partition("?")[0]
        if text.startswith(start) and name not in ("", ":memory:"):
            return Path(name).absolute(), kind
    return None, ""


def kind_of(path: Path) -> str | None:
    """What a file holds; None where there is none, or nothing in it."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    with path.open("rb") as file:
        start = file.readline(1 << 16)
    if not start.startswith(b"SQLite format 3\0"):
        return RECORDS if _is_record(start) else FOREIGN
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            columns = {row[1] for row in database.execute("PRAGMA table_info(trials)")}
    except sqlite3.Error:
        return FOREIGN
    if {"studies", "trials", "version_info"} <= tables:
        return STUDIES
    if not tables:
        return None
    return LEDGER if tables == {"trials"} and {"search", "drawn", "rungs"} <= columns else FOREIGN


def _is_record(line: bytes) -> bool:
    try:
        return "op_code" in json.loads(line)
    except (ValueError, TypeError):
        return False


def _engine(text: str) -> Any:
    """A database that answers, and that Optuna may use. Raises ConfigError."""
    import sqlalchemy

    with _in_words(text):
        engine = sqlalchemy.create_engine(text)
        tables = set(sqlalchemy.inspect(engine).get_table_names())
    if "alembic_version" in tables and "version_info" not in tables:
        shown = f"search.storage={hide(text)}"
        raise ConfigError([f"{shown} must be a database of its own. Got one that another program (MLflow?) keeps."])
    return engine


@contextlib.contextmanager
def _in_words(text: str) -> Iterator[None]:
    """What a database says, in a sentence without the password."""
    import sqlalchemy.exc

    try:
        yield
    except ImportError as error:
        driver = error.name or "a driver"
        raise ConfigError(
            [f"search.storage={hide(text)} needs {driver}, and it is not installed: pip install 'psycopg[binary]'"]
        ) from error
    except sqlalchemy.exc.SQLAlchemyError as error:
        said = re.sub(r"\s+", " ", str(getattr(error, "orig", None) or error)).strip()
        raise ConfigError([f"search.storage={hide(text)}: {hide(said)}"]) from error
