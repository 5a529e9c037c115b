"""A journal as MLflow takes it: what one call or one transaction can carry, within MLflow's limits and names.

Pure reading: no store and no mlflow here, so that the two writers (`runner.tracking.api` by MLflow's client,
`runner.tracking.tables` by its tables) are given the same.
"""

from __future__ import annotations

import dataclasses
import json
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
LARGEST = 1e300  # see `_points`
# What is no hyper-parameter, as it does not change the result: it stands in the run's config.yaml, an artifact.
RECORDED = ("tracking", "plots", "progress", "sweep", "search", "resume", "diagnosis", "watch")
LAYER = "/layer_"  # in the keys of which a sweep's run has fewer points, see `Thinning`
LAST = 3  # rows at the end that are whole, even so
EVERY = "tracking.layers_every"  # of the configuration; journals from before it are thinned as by 8
LESS = (
    "Of the layers' metrics one row in {kept} is here, the run's journal has all. `tracking.layers_every=1` keeps all."
)

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
    started: bool = False
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
    thin = _thinning(directory)
    for record, after in journal.read(directory, offset):
        if record["kind"] == "row" and batch.metrics and len(record["values"]) > most - batch.size:
            yield batch
            batch = Batch(batch.offset)
        if record["kind"] == "end" and thin.every:
            batch.metrics += _last(directory)
        _add(batch, record, thin)
        batch.offset, empty = after, False
        batch.done = ended = record["kind"] == "end" or (ended and record["kind"] in journal.LATE)
        if record["kind"] == "end":
            yield batch
            batch, empty = Batch(after, done=True), True
    if orphaned and not ended:
        last = journal.last(directory)
        batch.metrics += _last(directory) if thin.every else []
        batch.tags |= {"status": "killed", **({NOTE: thin.note} if thin.note else {})}
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
    return str(start.get("title") or start["name"])[:250] or "run"


def is_parameter(key: str) -> bool:
    """Whether a key of the configuration is a hyper-parameter.

    >>> [is_parameter(key) for key in ("optimizer.lr", "tracking.uri", "progress", "search")]
    [True, False, False, True]
    """
    section, dot, _ = key.partition(".")
    return section not in RECORDED or (section == "search" and not dot)  # `search`: of a sweep's own run


class Thinning(NamedTuple):
    """Which rows of a sweep's run, logged ``every`` so many steps, go into a store without their layers' values.

    They are most of what a store holds. Of a curve that is one of hundreds every eighth point is enough
    (``tracking.layers_every``), and the first ones; the journal has all, and ``note``, which stands with the run, says
    so. A function of the step: whoever brings a journal, and however often that was cut short, the same points come.

    >>> [step for step in range(0, 321, 10) if Thinning(every=10, kept=8).keeps(step)]
    [0, 10, 20, 40, 80, 160, 240, 320]
    """

    every: int = 0  # 0: all rows are whole
    kept: int = 1
    note: str = ""

    def keeps(self, step: int) -> bool:
        return not self.every or step % (self.kept * self.every) == 0 or step in (self.every * n for n in (1, 2, 4))


def _thinning(directory: Path) -> Thinning:
    """That of a journal; none of a run that is not a sweep's, and while there is no row but the first."""
    start = journal.first(directory)
    kept = int(start["params"].get(EVERY, 8))
    rows = (record for record, _ in journal.read(directory) if record["kind"] == "row")
    every = next((int(row["step"]) for row in rows if row["step"]), 0)
    if "sweep" not in start["tags"] or kept == 1 or not every:
        return Thinning()
    thin = Thinning(every, kept)
    newest = journal.last_rows(directory, LAST)
    left_out = any(not thin.keeps(step) for step in range(every, newest[0]["step"], every))
    if not left_out or not any(LAYER in key for row in newest for key in row["values"]):
        return thin
    own = str(start["tags"].get(NOTE, ""))
    return thin._replace(note=f"{own}\n\n{LESS.format(kept=kept)}".strip())


def _last(directory: Path) -> list[Point]:
    """The last rows, whole: what the newest values are, and what came before a divergence."""
    rows = journal.last_rows(directory, LAST)
    return [point for row in rows for point in _points(row["values"], row["time"], row["step"])]


def _add(batch: Batch, record: journal.Record, thin: Thinning) -> None:
    kind, now = record["kind"], record.get("time", 0)
    tags = record.get("tags") or {}
    if thin.note and (kind == "end" or NOTE in tags):
        tags = {**tags, NOTE: f"{tags[NOTE]}\n\n{LESS.format(kept=thin.kept)}" if NOTE in tags else thin.note}
    batch.tags |= {_key(key): str(value)[:8000] for key, value in tags.items()}
    batch.tags.pop("mlflow.runName", None)  # a run has one name, that of its start
    if kind in ("start", "resume"):
        batch.tags |= {HOST: str(record["host"]), PID: str(record["pid"])}
    if kind == "start":
        batch.started = True
        # A store is read by many: a password in a URI (tracking.uri) stays out of it.
        batch.params = {
            _key(key): hide(str(value))[:6000] for key, value in record["params"].items() if is_parameter(key)
        }
        batch.dataset = record["dataset"]
    elif kind == "row":
        values = record["values"]
        if not thin.keeps(record["step"]):
            values = {key: value for key, value in values.items() if LAYER not in key}
        batch.metrics += _points(values, now, record["step"])
    elif kind == "artifact":
        batch.artifacts.append((record["path"], record["folder"]))
    elif kind == "resume":
        batch.resumed = True
        batch.tags["status"] = "running"
    elif kind == "end":
        batch.metrics += _points(record["metrics"], now, 0)
        batch.tags["status"] = record["status"]
        batch.ended = (STATUS.get(record["status"], "KILLED"), now)


def _points(values: Mapping[str, float], now: int, step: int) -> list[Point]:
    """What is finite of a row; what is not, or as good as not, stays in the journal.

    MLflow stores inf as 1.797e308, and charts scale their axis by the largest value they find: one such point, or a
    diverging cost of 1e305 on its way there, flattens every curve beside it. A curve whose newest value is NaN is not
    drawn at all, and that of a run that diverged is the one to be looked at. That it diverged, where and at which step
    say the tags and `first_nonfinite_step`.
    """
    return [(_key(key), value, now, step) for key, value in values.items() if abs(value) <= LARGEST]


def _key(key: str) -> str:
    """``key`` with what MLflow refuses in names replaced."""
    path = posixpath.normpath(re.sub(r"[^/\w.\- :]", "_", key)).strip("/")
    return (path.lstrip("./") if path.startswith("..") or path == "." else path)[:250].rstrip("/") or "_"
