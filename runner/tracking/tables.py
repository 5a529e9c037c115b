"""Many runs in one transaction, through the tables of MLflow's own SQLAlchemy models.

MLflow's `log_batch` makes an object per value and a transaction per run: 70 ms for a run of 600 values, of which the
disk has the least. Here the same rows go in as lists. It writes what `log_batch` writes, nothing more (a test reads
both back), only into a local sqlite file, and only where the schema's revision is one that was looked at.
"""

from __future__ import annotations

import dataclasses
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runner.tracking.translation import DIRECTORY, HOST, UID, Found, Work, addressed, dataset_of

KNOWN_REVISIONS = {"dc11669786a5"}  # of MLflow 3.17
MANY = 500  # names in one `IN (...)`; sqlite's limit was once 999

Latest = tuple[int, int, float, bool]  # step, time, value, is it NaN


@dataclasses.dataclass
class Rows:
    """What is to be written: run ``ids`` by uid (None: deleted), ``new`` runs, what is ``changed`` in old ones, ..."""

    ids: dict[str, str | None] = dataclasses.field(default_factory=dict)
    new: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    changed: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    tags: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)
    params: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)
    points: dict[str, list[dict[str, Any]]] = dataclasses.field(default_factory=dict)

    def set(self, run_id: str, **values: Any) -> None:
        """Columns of a run, be it new or old."""
        (self.new if run_id in self.new else self.changed).setdefault(run_id, {}).update(values)


class Tables:
    """The tables of an open store. Made by `open_tables`."""

    def __init__(self, store: Any) -> None:
        from mlflow.store.tracking.dbmodels import models

        self.store = store
        names = ("Run", "Tag", "Param", "Metric", "LatestMetric", "Dataset", "Input", "InputTag")
        self.tables = {name: getattr(models, f"Sql{name}").__table__ for name in names}
        self._locations: dict[str, str] = {}

    def find(self, uids: Iterable[str]) -> dict[str, Found]:
        """The runs of these journals, by uid; the oldest, if somebody has copied one."""
        from sqlalchemy import select

        runs, tags, found = self.tables["Run"], self.tables["Tag"], {}
        columns = (tags.c.value, runs.c.run_uuid, runs.c.experiment_id, runs.c.lifecycle_stage)
        query = select(*columns).join(runs, runs.c.run_uuid == tags.c.run_uuid).where(tags.c.key == UID)
        with self.store.ManagedSessionMaker() as session:
            for some in _parts(list(uids)):
                ordered = query.where(tags.c.value.in_(some)).order_by(runs.c.start_time.desc())
                for uid, run_id, experiment_id, stage in session.execute(ordered):
                    found[uid] = Found(run_id, str(experiment_id), stage == "active")
        return found

    def running(self, host: str) -> dict[str, Mapping[str, str]]:
        """The tags of the runs that are RUNNING on ``host``, by run id."""
        from sqlalchemy import select

        runs, tags = self.tables["Run"], self.tables["Tag"]
        there = select(tags.c.run_uuid).where(tags.c.key == HOST, tags.c.value == host)
        query = select(tags.c.run_uuid, tags.c.key, tags.c.value).join(runs, runs.c.run_uuid == tags.c.run_uuid)
        query = query.where(runs.c.status == "RUNNING", runs.c.lifecycle_stage == "active", runs.c.run_uuid.in_(there))
        found: dict[str, dict[str, str]] = {}
        with self.store.ManagedSessionMaker() as session:
            for run_id, key, value in session.execute(query):
                found.setdefault(run_id, {})[key] = value
        return dict(found)

    def write(self, work: Sequence[Work]) -> dict[str, str | None]:
        """All of it or nothing; returns each uid's run id, None for a run that was deleted meanwhile.

        A run may come several times, in the order of its journal.
        """
        from sqlalchemy import false, update

        runs = self.tables["Run"]
        with self.store.ManagedSessionMaker(read_only=False) as session:
            # A write that changes nothing takes sqlite's lock before anything is read.
            session.execute(update(runs).where(false()).values(status=runs.c.status))
            active = self._active(session, [item.run_id for item in work if item.run_id])
            rows = self._rows(work, active)
            self._insert(session, "Run", rows.new.values(), "")
            for run_id, values in rows.changed.items():
                session.execute(update(runs).where(runs.c.run_uuid == run_id).values(**values))
            self._insert(session, "Tag", _entries(rows.tags), "OR REPLACE")
            self._insert(session, "Param", _entries(rows.params), "OR IGNORE")
            self._insert(session, "Metric", (row for points in rows.points.values() for row in points), "OR IGNORE")
            self._insert(session, "LatestMetric", self._latest(session, rows.points, active), "OR REPLACE")
            self._datasets(session, [(item, there) for item in work if (there := rows.ids[item.uid])])
        return rows.ids

    def _active(self, session: Any, run_ids: Sequence[str]) -> set[str]:
        """Those of these runs that nobody has deleted."""
        from sqlalchemy import select

        runs, found = self.tables["Run"], set()
        for some in _parts(run_ids):
            query = select(runs.c.run_uuid).where(runs.c.run_uuid.in_(some), runs.c.lifecycle_stage == "active")
            found |= set(session.scalars(query))
        return found

    def _rows(self, work: Sequence[Work], active: set[str]) -> Rows:
        """What the batches come to, table by table; new runs get their ids here."""
        rows = Rows()
        for item in work:
            run_id, batch = rows.ids.get(item.uid, item.run_id), item.batch
            if item.run_id and item.run_id not in active:
                rows.ids[item.uid] = None
                continue
            if run_id is None:
                run_id = uuid.uuid4().hex
                rows.new[run_id] = self._run(run_id, item)
                rows.tags[run_id, "mlflow.runName"] = item.name
                rows.tags |= {(run_id, key): value for key, value in item.tags.items()}
            rows.ids[item.uid] = run_id
            if batch.resumed or batch.started:
                rows.tags[run_id, DIRECTORY] = item.tags[DIRECTORY]
                rows.set(run_id, status="RUNNING")
            if batch.ended:
                status, time = batch.ended
                rows.set(run_id, status=status, end_time=time)
            rows.tags |= {(run_id, key): value for key, value in addressed(batch.tags, run_id).items()}
            rows.params |= {(run_id, key): value for key, value in batch.params.items()}
            rows.points.setdefault(run_id, []).extend(_row(run_id, *point) for point in batch.metrics)
        return rows

    def _run(self, run_id: str, item: Work) -> dict[str, Any]:
        """A row of the runs, as `SqlAlchemyStore.create_run` makes it."""
        from mlflow.utils.uri import append_to_uri_path

        if item.experiment_id not in self._locations:
            location = self.store.get_experiment(item.experiment_id).artifact_location
            self._locations[item.experiment_id] = location
        return {
            "run_uuid": run_id,
            "name": item.name,
            "experiment_id": int(item.experiment_id),
            "artifact_uri": append_to_uri_path(self._locations[item.experiment_id], run_id, "artifacts"),
            "source_type": "UNKNOWN",
            "source_name": "",
            "entry_point_name": "",
            "source_version": "",
            "user_id": {**item.tags, **item.batch.tags}.get("mlflow.user", "unknown"),
            "status": "RUNNING",
            "start_time": item.started,
            "end_time": None,
            "deleted_time": None,
            "lifecycle_stage": "active",
        }

    def _latest(
        self, session: Any, points: Mapping[str, Sequence[Mapping[str, Any]]], old: set[str]
    ) -> list[dict[str, Any]]:
        """The metrics' last values: the greatest (step, time, value), as MLflow has it, where NaN counts as 0."""
        from sqlalchemy import select

        table, latest, changed = self.tables["LatestMetric"], {}, {}
        columns = ("step", "timestamp", "value", "is_nan")
        for some in _parts([run_id for run_id in points if run_id in old]):
            for row in session.execute(select(table).where(table.c.run_uuid.in_(some))).mappings():
                latest[row["run_uuid"], row["key"]] = [row[column] for column in columns]
        for run_id, rows in points.items():
            for row in rows:
                now, name = [row[column] for column in columns], (run_id, row["key"])
                if name not in latest or now[:3] > latest[name][:3]:
                    latest[name] = changed[name] = now
        return [
            {"run_uuid": run_id, "key": key, **dict(zip(columns, values, strict=True))}
            for (run_id, key), values in changed.items()
        ]

    def _datasets(self, session: Any, work: Sequence[tuple[Work, str]]) -> None:
        """A dataset once per experiment, and an input for each run of it."""
        from sqlalchemy import select

        table, wanted = self.tables["Dataset"], []
        known = {}
        for item, run_id in work:
            if item.batch.dataset:
                named, experiment_id = dataset_of(item.batch), int(item.experiment_id)
                wanted.append((run_id, (experiment_id, named["name"], named["digest"]), named))
        columns = (table.c.experiment_id, table.c.name, table.c.digest, table.c.dataset_uuid)
        for experiment_id in {key[0] for _, key, _ in wanted}:
            for *key, dataset_id in session.execute(select(*columns).where(columns[0] == experiment_id)):
                known[tuple(key)] = dataset_id
        datasets, inputs, tags = [], [], []
        has_input = self._inputs_of(session, [run_id for run_id, _, _ in wanted])
        for run_id, key, named in wanted:
            if key not in known:
                known[key] = uuid.uuid4().hex
                source, profile = {"dataset_source_type": "local", "dataset_source": named["source"]}, named["profile"]
                identity = {"dataset_uuid": known[key], "experiment_id": key[0], "name": key[1], "digest": key[2]}
                datasets.append({**identity, **source, "dataset_schema": None, "dataset_profile": profile})
            if (known[key], run_id) not in has_input:
                input_id = uuid.uuid4().hex
                ends = {"source_type": "DATASET", "source_id": known[key], "destination_type": "RUN"}
                inputs.append({"input_uuid": input_id, **ends, "destination_id": run_id, "step": 0})
                tags.append({"input_uuid": input_id, "name": "mlflow.data.context", "value": "training"})
                has_input.add((known[key], run_id))
        self._insert(session, "Dataset", datasets, "")
        self._insert(session, "Input", inputs, "")
        self._insert(session, "InputTag", tags, "")

    def _inputs_of(self, session: Any, run_ids: Sequence[str]) -> set[tuple[str, str]]:
        from sqlalchemy import select

        table = self.tables["Input"]
        found: set[tuple[str, str]] = set()
        for some in _parts(run_ids):
            query = select(table.c.source_id, table.c.destination_id).where(
                table.c.destination_type == "RUN", table.c.source_type == "DATASET", table.c.destination_id.in_(some)
            )
            found |= {(source, run_id) for source, run_id in session.execute(query)}
        return found

    def _insert(self, session: Any, name: str, rows: Iterable[Mapping[str, Any]], otherwise: str) -> None:
        """Insert the rows; ``otherwise`` is what sqlite does with one whose key is there already."""
        from sqlalchemy import insert

        if rows := list(rows):
            statement = insert(self.tables[name])
            session.execute(statement.prefix_with(otherwise) if otherwise else statement, rows)


def open_tables(client: Any) -> Tables | None:
    """The tables behind an `MlflowClient`; None where they are not a sqlite file's, of a known revision."""
    from mlflow.store.tracking import sqlalchemy_store
    from sqlalchemy import text

    store = client._tracking_client.store
    if type(store) is not sqlalchemy_store.SqlAlchemyStore or store.engine.dialect.name != "sqlite":
        return None
    with store.engine.connect() as connection:
        revisions = set(connection.scalars(text("SELECT version_num FROM alembic_version")))
    return Tables(store) if revisions and revisions <= KNOWN_REVISIONS else None


def _entries(named: Mapping[tuple[str, str], str]) -> Iterable[dict[str, str]]:
    """Rows of the tags or of the parameters."""
    return ({"run_uuid": run_id, "key": key, "value": value} for (run_id, key), value in named.items())


def _row(run_id: str, key: str, value: float, time: int, step: int) -> dict[str, Any]:
    """A row of the metrics; NaN is stored as 0 with a mark."""
    nan = math.isnan(value)
    return {
        "run_uuid": run_id,
        "key": key,
        "value": 0.0 if nan else value,
        "timestamp": time,
        "step": step,
        "is_nan": nan,
    }


def _parts(items: Sequence[str]) -> Iterable[Sequence[str]]:
    return (items[start : start + MANY] for start in range(0, len(items), MANY))
