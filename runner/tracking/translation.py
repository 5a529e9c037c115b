"""A journal as MLflow takes it: what one call or one transaction can carry, within MLflow's limits and names.

Pure reading: no store and no mlflow here, so that the two writers (`runner.tracking.api` by MLflow's client,
`runner.tracking.tables` by its tables) are given the same.
"""

from __future__ import annotations

import dataclasses
import json
import math
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from runner.runs import journal
from runner.runs.files import hide

# MLflow's word for ours; KILLED for all others
STATUS = {"finished": "FINISHED", "pruned": "FINISHED", "diverged": "FAILED", "error": "FAILED"}
UID, DIRECTORY, HOST, PID = "runner.uid", "runner.directory", "runner.host", "runner.pid"  # tags of every run
NOTE = "mlflow.note.content"  # in Markdown: what the UI shows first of a run
PICTURE = re.compile(r"(!\[[^\]]*\])\((?!\w+:|get-artifact)([^)\s]+\.png)\)")  # at its place in the run's directory
LARGEST = 1e300  # see `_metric`

Point = tuple[str, float, int, int]  # key, value, time, step


@dataclasses.dataclass
class Batch:
    """Whole records of a journal up to byte ``offset``, ending early at an `end`; ``done``: the run has ended."""

    offset: int
    metrics: list[Point] = dataclasses.field(default_factory=list)
    params: dict[str, str] = dataclasses.field(default_factory=dict)
    tags: dict[str, str] = dataclasses.field(default_factory=dict)
    dataset: dict[str, Any] = dataclasses.field(default_factory=dict)
    artifacts: list[tuple[str, str]] = dataclasses.field(default_factory=list)  # path, folder
    resumed: bool = False
    done: bool = False
    ended: tuple[str, int | None] | None = None  # MLflow's status, time

    @property
    def size(self) -> int:
        return len(self.metrics) + len(self.params) + len(self.tags)


class Found(NamedTuple):
    """A run that a store has."""

    run_id: str
    experiment_id: str
    active: bool


class Work(NamedTuple):
    """A batch for a run: ``run_id`` None for a new one; ``tags`` are those of its creation."""

    uid: str
    run_id: str | None
    experiment_id: str
    name: str
    started: int
    tags: Mapping[str, str]
    batch: Batch


def batches(directory: Path, offset: int, most: int, orphaned: bool = False, ended: bool = False) -> Iterator[Batch]:
    """The journal from byte ``offset`` on in as few batches as ``most`` entries in each allow.

    A run's end closes a batch. ``ended``: whether one closed what is before ``offset``. ``orphaned``: where no end
    comes last, one is added, at the time of the last record: its writer was killed.
    """
    batch, empty = Batch(offset, done=ended), True
    for record, after in journal.read(directory, offset):
        if record["kind"] == "row" and batch.metrics and len(record["values"]) > most - batch.size:
            yield batch
            batch = Batch(batch.offset)
        _add(batch, record)
        batch.offset, empty = after, False
        batch.done = ended = record["kind"] == "end" or (ended and record["kind"] in journal.LATE)
        if record["kind"] == "end":
            yield batch
            batch, empty = Batch(after, done=True), True
    if orphaned and not ended:
        last = journal.last(directory)
        batch.tags["status"] = "killed"
        batch.ended, batch.done, empty = ("KILLED", last["time"] if last else None), True, False
    if not empty:
        yield batch


def dataset_of(batch: Batch) -> dict[str, Any]:
    """The dataset's ``name``, ``digest``, ``source`` and ``profile``, as long as MLflow lets them be."""

    def text(key: str, limit: int) -> str:
        value = batch.dataset.get(key) or ""
        return (value if isinstance(value, str) else json.dumps(value))[:limit]

    names = {"name": text("name", 500) or "dataset", "digest": text("digest", 36) or "none"}
    return names | {"source": text("source", 65_535), "profile": text("profile", 1_000_000) or None}


def addressed(tags: Mapping[str, str], run_id: str) -> dict[str, str]:
    """Tags in which the pictures that a note shows have the addresses that MLflow's UI gives the run's artifacts.

    >>> addressed({"mlflow.note.content": "![cost](plots/cost.png)"}, "1f")
    {'mlflow.note.content': '![cost](get-artifact?run_uuid=1f&path=plots%2Fcost.png)'}
    """
    if NOTE not in tags:
        return dict(tags)

    def address(found: re.Match[str]) -> str:
        return f"{found[1]}(get-artifact?run_uuid={run_id}&path={quote(found[2], safe='')})"

    return {**tags, NOTE: PICTURE.sub(address, tags[NOTE])}


def name_of(start: journal.Record) -> str:
    """What the run is called; MLflow would make a name up for an empty one."""
    return str(start["name"])[:250] or "run"


def _add(batch: Batch, record: journal.Record) -> None:
    kind, now = record["kind"], record.get("time", 0)
    batch.tags |= {_key(key): str(value)[:8000] for key, value in (record.get("tags") or {}).items()}
    batch.tags.pop("mlflow.runName", None)  # a run has one name, that of its start
    if kind in ("start", "resume"):
        batch.tags |= {HOST: str(record["host"]), PID: str(record["pid"])}
    if kind == "start":
        # A store is read by many: a password in a URI (tracking.uri) stays out of it.
        batch.params = {_key(key): hide(str(value))[:6000] for key, value in record["params"].items()}
        batch.dataset = record["dataset"]
    elif kind == "row":
        batch.metrics += [_metric(item, now, record["step"]) for item in record["values"].items()]
    elif kind == "artifact":
        batch.artifacts.append((record["path"], record["folder"]))
    elif kind == "resume":
        batch.resumed = True
        batch.tags["status"] = "running"
    elif kind == "end":
        batch.metrics += [_metric(item, now, 0) for item in record["metrics"].items()]
        batch.tags["status"] = record["status"]
        batch.ended = (STATUS.get(record["status"], "KILLED"), now)


def _metric(item: tuple[str, float], now: int, step: int) -> Point:
    """What is not finite, or as good as that, is NaN in the store.

    MLflow stores inf as 1.797e308, and charts scale their axis by the largest value they find: one such point, or a
    diverging cost of 1e305 on its way there, flattens every curve beside it. NaN they leave out.
    """
    key, value = item
    return _key(key), value if abs(value) <= LARGEST else math.nan, now, step


def _key(key: str) -> str:
    """``key`` with what MLflow refuses in names replaced."""
    path = posixpath.normpath(re.sub(r"[^/\w.\- :]", "_", key)).strip("/")
    return (path.lstrip("./") if path.startswith("..") or path == "." else path)[:250].rstrip("/") or "_"
