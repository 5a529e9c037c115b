"""How far a run's journal is in a store, and what stores are called."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

from runner.runs.files import hide, replace_file

STATE = "tracking.json"
DEFAULT = "sqlite:///mlflow.db"
_FIELDS = ("store", "uid", "experiment_id", "run_id", "offset", "done")


@dataclasses.dataclass
class State:
    """How far a run's journal is in a store: ``tracking.json`` in the run's directory.

    ``store`` (URI without password), ``uid`` of the journal, MLflow's ``experiment_id`` and ``run_id`` (None
    until made), ``offset`` (bytes of the journal that are in the store), ``done`` (the run has been ended
    there). Not kept in the file: ``deleted`` (somebody deleted the run in the store), ``change`` (``new`` or
    ``changed`` when something was written), ``notes`` (what could not be stored, for people).
    """

    store: str
    uid: str
    experiment_id: str
    run_id: str | None = None
    offset: int = 0
    done: bool = False
    deleted: bool = False
    change: str = dataclasses.field(default="", compare=False)
    notes: list[str] = dataclasses.field(default_factory=list, compare=False)

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> State | None:
        """The state in ``directory``; None if there is none or it cannot be read (then stores are asked)."""
        try:
            return cls(**json.loads((Path(directory) / STATE).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write it whole or not at all."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        replace_file(Path(directory) / STATE, json.dumps(fields) + "\n")


def default_store() -> str:
    """The store that is meant where none is named."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT


def resolve(store_uri: str) -> str:
    """``store_uri`` with the path of a sqlite file made absolute, so that it means the same everywhere."""
    path = sqlite_path(store_uri)
    return f"sqlite:///{path}" if path else store_uri


def sqlite_path(store_uri: str) -> Path | None:
    """The absolute path of the database file of a sqlite store; None for any other store."""
    head, _, path = store_uri.partition(":///")
    return Path(path).absolute() if head == "sqlite" and path else None


def public(store_uri: str) -> str:
    """The URI that may be shown and kept: absolute, without a password."""
    return hide(resolve(store_uri))


def is_server(store_uri: str) -> bool:
    """Whether it is a tracking server, which shows its pages itself."""
    return store_uri.startswith(("http://", "https://"))
