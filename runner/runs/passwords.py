"""Passwords in the addresses of stores: in the environment of a command and of what it starts, and in no file.

What is typed goes on without them, so that neither Hydra's record nor ours, no printed command and no child's command
line has them to show. Who opens a store asks `address` for the whole of it.
"""

import json
import os
import re

from runner.runs.files import hide

VARIABLE = "RUNNER_ADDRESSES"  # JSON: addresses without their passwords, and with them
KEYS = ("tracking.", "search.storage=")  # whose addresses are opened by what `address` gives
_ADDRESS = re.compile(r"""[\w+.-]+://[^\s'"]+""")


def withheld(text: str) -> str:
    """``text`` without the passwords in its addresses; `address` knows them, here and in processes started here."""
    found = {hide(uri): uri for uri in _ADDRESS.findall(text) if hide(uri) != uri}
    if found:
        os.environ[VARIABLE] = json.dumps({**_known(), **found})
    return hide(text)


def without_password(override: str) -> str:
    """An override of the command line, without the password where it names a store."""
    return withheld(override) if override.lstrip("+").startswith(KEYS) else override


def address(shown: str) -> str:
    """The address that was withheld as ``shown``, or that MLFLOW_TRACKING_URI has; else what is shown is all of it."""
    given = os.environ.get("MLFLOW_TRACKING_URI") or ""
    return _known().get(shown) or (given if hide(given) == shown else shown)


def _known() -> dict[str, str]:
    known: dict[str, str] = json.loads(os.environ.get(VARIABLE) or "{}")
    return known
