"""Before a store is opened: mlflow made quiet and light, the database of a fresh sqlite store."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Retrying is done here, where it is known whether a call may be made twice: creating a run may not.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "PGCONNECT_TIMEOUT": "10",
}


def quieten() -> None:
    """Have mlflow, which is imported after this, keep to itself."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def lighten() -> None:
    """Have mlflow, which is imported after this, leave out a third of what it imports.

    For a process that does nothing but tracking. mlflow takes these for its data set types and does without where
    they are not installed (as its own mlflow-skinny).
    """
    for name in ("numpy", "pandas", "pyarrow"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def ask_once() -> None:
    """Have mlflow ask a database once: where that does not let it in, it would go on for two minutes."""
    from mlflow.store.db import utils

    utils.MAX_RETRY_COUNT = 1


def make_database(database: Path, artifact_root: str) -> None:
    """Make MLflow's schema in a fresh sqlite file, once and alone.

    Takes seconds, in which two processes would ruin it for each other and a kill would leave it half made. So
    it is made beside, under a lock, and moved into place whole.
    """
    if database.exists() and database.stat().st_size:
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    database.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{database}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if database.exists() and database.stat().st_size:
            return
        for leftover in database.parent.glob(f"{database.name}.new*"):
            leftover.unlink()
        SqlAlchemyStore(f"sqlite:///{database}.new", artifact_root).engine.dispose()
        os.replace(f"{database}.new", database)
