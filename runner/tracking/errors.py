"""What can go wrong on the way into a store: whether trying again helps, and how it is told."""

from __future__ import annotations

import re

from runner import Refusal
from runner.runs.files import hide
from runner.runs.journal import JournalError

# MLflow's words for a "no" that stays one; what is not among them (a 500, a 503, too many requests) may pass.
REFUSALS = frozenset(
    [
        "INVALID_PARAMETER_VALUE",
        "BAD_REQUEST",
        "PERMISSION_DENIED",
        "UNAUTHENTICATED",
        "CUSTOMER_UNAUTHORIZED",
        "NOT_FOUND",
        "ENDPOINT_NOT_FOUND",
        "NOT_IMPLEMENTED",
        "RESOURCE_DOES_NOT_EXIST",
        "RESOURCE_ALREADY_EXISTS",
        "ALREADY_EXISTS",
    ]
)
_SILENCE = re.compile(r"failed with (timeout )?exception")
TURNED_AWAY = ("UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED")
_FORBIDDEN = ("PERMISSION_DENIED",)
_POSTGRES = re.compile(r"password authentication failed|no password supplied")
LOGIN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or give --store http://USER:PASSWORD@HOST"
POSTGRES = "set PGPASSWORD, or give --store postgresql://USER:PASSWORD@HOST/DATABASE"


class TrackingError(Refusal):
    """This journal cannot be brought into this store, however often it is tried."""


def is_final(error: Exception) -> bool:
    """Whether trying again is of no use: the store has answered and said no, or the journal is the matter."""
    ours = (TrackingError, JournalError, FileNotFoundError, LookupError, TypeError, ImportError)
    if isinstance(error, ours) or getattr(error, "error_code", None) in REFUSALS or _way_in(error):
        return True
    status = _status(error)
    if status is not None:  # of an artifact, which goes to the server without MLflow's words
        return 400 <= status < 500 and status not in (408, 429)
    return isinstance(error, ValueError)


def is_answer(error: Exception) -> bool:
    """Whether it is the store's answer about one run; else nobody answers, and it is of no use to ask about others."""
    code = getattr(error, "error_code", None)
    said = code not in (None, "TEMPORARILY_UNAVAILABLE") and not _SILENCE.search(str(error))
    return is_final(error) or said or _status(error) is not None


def _way_in(error: Exception) -> str | None:
    """What to do where the store turns us away; of a 403 it says itself why, as it knows the user."""
    code, status, words = getattr(error, "error_code", None), _status(error), str(error)
    if code in TURNED_AWAY or status == 401:
        return LOGIN
    if code in _FORBIDDEN or status == 403:
        return f"{hide(words).strip().splitlines()[0]}. For another user {LOGIN}"
    return POSTGRES if _POSTGRES.search(words) else None


def lacks_endpoint(error: Exception) -> bool:
    """Whether the server does not know the call: it is older than the client."""
    return getattr(error, "error_code", None) in ("ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED")


def _status(error: Exception) -> int | None:
    """The HTTP status of an error of the requests library."""
    return getattr(getattr(error, "response", None), "status_code", None)


def if_answer(error: Exception) -> Exception:
    """The error, or raise it where the store does not answer at all."""
    if not is_answer(error):
        raise error
    return error


def reason(error: Exception) -> str:
    """The first line of what it says, without a password; its kind, where it says nothing."""
    if way := _way_in(error):
        return f"the store turned us away: {way}"
    if isinstance(error, ModuleNotFoundError) and error.name in DRIVERS:
        return DRIVERS[error.name]
    lines = hide(str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__


# What SQLAlchemy imports for a database, and how it is had.
DRIVERS = {
    "psycopg": "postgresql:// needs psycopg: pip install '.[postgres]', or pip install 'psycopg[binary]'",
}
