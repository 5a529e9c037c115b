"""What can go wrong on the way into a store: whether trying again helps, and how it is told."""

from __future__ import annotations

from runner import Refusal
from runner.runs.files import hide
from runner.runs.journal import JournalError


class TrackingError(Refusal):
    """This journal cannot be brought into this store, however often it is tried."""


def is_final(error: Exception) -> bool:
    """Whether trying again is of no use: the store has answered and said no, or the journal is the matter."""
    ours = (TrackingError, JournalError, FileNotFoundError, LookupError, TypeError, ValueError)
    refusals = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "PERMISSION_DENIED")
    return isinstance(error, ours) or getattr(error, "error_code", None) in refusals


def if_final(error: Exception) -> Exception:
    """The error, or raise it where trying again may help."""
    if not is_final(error):
        raise error
    return error


def reason(error: Exception) -> str:
    """The first line of what it says, without a password; its kind, where it says nothing."""
    lines = hide(str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__
