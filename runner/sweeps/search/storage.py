"""Where the trials of a search are kept: a path is a ledger of ours, a URL a storage of Optuna's."""

import contextlib
import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from runner import Refusal
from runner.experiment.samplers import SearchOptions
from runner.experiment.schema import ConfigError
from runner.runs.files import hide
from runner.runs.passwords import address
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
        raise ConfigError([f"{shown} must be free or {wanted}. Got {kind}: {instead[str(kind)]} resumes it."])


@contextlib.contextmanager
def opened(search: Search) -> Iterator[Book]:
    """The trials of the search, to be resumed. Raises ConfigError where another process has it alone."""
    text = search.options.storage
    if not search.options.shared:
        with Owned.opened(search, Ledger(Path(text).absolute(), search.id)) as book:
            yield book
        return
    name = search.options.study or search.id
    with contextlib.ExitStack() as stack, _in_words(text):
        storage, owners = _optuna(text, int(hashlib.sha256(name.encode()).hexdigest()[:7], 16))
        stack.callback(owners.close)
        yield Shared(search, storage, name, owners)


def _optuna(text: str, number: int) -> tuple[Any, Owners]:
    """The storage of Optuna's, and the locks of the study with this number."""
    import optuna
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path, _ = _file(text)
    if path is None:
        server = ServerOwners(_engine(text), number)
        with server.claiming():
            return RDBStorage(_driven(text)), server
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
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=60)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            columns = {row[1] for row in database.execute("PRAGMA table_info(trials)")}
    except sqlite3.OperationalError as error:
        raise ConfigError([f"search.storage={path}: {error}."]) from error
    except sqlite3.DatabaseError:
        return FOREIGN
    if {"studies", "trials", "version_info"} <= tables or _is_being_made(tables):
        return STUDIES
    if not tables:
        return None
    return LEDGER if tables == {"trials"} and {"search", "drawn", "rungs"} <= columns else FOREIGN


def _is_being_made(tables: set[str]) -> bool:
    """Whether another process is at making the tables of Optuna."""
    from optuna.storages._rdb.models import BaseModel

    return "studies" in tables and tables <= {*BaseModel.metadata.tables, "alembic_version"}


def _is_record(line: bytes) -> bool:
    try:
        return "op_code" in json.loads(line)
    except (ValueError, TypeError):
        return False


def _engine(text: str) -> Any:
    """A database that answers, and that Optuna may use. Raises ConfigError."""
    import sqlalchemy

    shown = f"search.storage={hide(text)}"
    try:
        engine = sqlalchemy.create_engine(_driven(text))
        tables = set(sqlalchemy.inspect(engine).get_table_names())
    except ImportError as error:
        needed = f"{shown} needs psycopg, and it is not installed"
        raise ConfigError([f"{needed}: pip install '.[postgres]', or pip install 'psycopg[binary]'"]) from error
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise ConfigError([f"{shown}: {_said(error)}"]) from error
    if "alembic_version" in tables and "version_info" not in tables:
        raise ConfigError([f"{shown} must be a database of its own. Got one that another program (MLflow?) keeps."])
    return engine


def _driven(text: str) -> str:
    """The address with its password, and with the driver that there is: SQLAlchemy's own depends on its version."""
    dialect = "postgresql+psycopg:" if find_spec("psycopg") else "postgresql:"
    return re.sub("^postgresql:", dialect, address(text))


@contextlib.contextmanager
def _in_words(text: str) -> Iterator[None]:
    """What a database says while a search runs, in a sentence without the password."""
    import sqlalchemy.exc
    from optuna.exceptions import StorageInternalError

    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, StorageInternalError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        said = f"search.storage={hide(text)}: {_said(cause or error)}"
        raise Refusal(f"{said}\nWhat has been trained is recorded, and the same command goes on.") from error


def _said(error: BaseException) -> str:
    """The first line of what a database says."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return hide(lines[0] if lines else type(error).__name__)
