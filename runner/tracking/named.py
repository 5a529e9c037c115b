"""What the user has named by its id: an experiment, or a run that is there already (MLFLOW_EXPERIMENT_ID, _RUN_ID)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.runs.journal import Record
from runner.tracking.translation import UID, Found

UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # MLflow's words for an id that it does not have


def experiment_by_id(client: Any, wanted: str) -> str | None:
    """The id, where the store has this experiment and it is not deleted."""
    try:
        found = client.get_experiment(wanted)
    except Exception as error:
        if getattr(error, "error_code", None) not in UNKNOWN:
            raise
        return None
    return str(found.experiment_id) if found.lifecycle_stage == "active" else None


def adopted(client: Any, wanted: str, uid: str, tags: Mapping[str, str]) -> Found | None:
    """The run with the id ``wanted``, made that of the journal ``uid``; None where it is not there, or is another's."""
    from mlflow.entities import RunTag

    try:
        run = client.get_run(wanted)
    except Exception as error:
        if getattr(error, "error_code", None) not in UNKNOWN:
            raise
        return None
    if run.info.lifecycle_stage != "active" or run.data.tags.get(UID, uid) != uid:
        return None
    client.log_batch(wanted, tags=[RunTag(*tag) for tag in tags.items()])
    client.update_run(wanted, "RUNNING")
    return Found(wanted, run.info.experiment_id, True)


def remark(start: Record, store: str, run_id: str | None, experiment_id: str) -> str | None:
    """What to say where the store has not what was named; ``run_id`` None: the run gets an id of its own."""
    experiment, run = start.get("experiment_id"), start.get("run_id")
    if run:
        missing = f"MLFLOW_RUN_ID={run}: {store} has no such run that is free. This one has an id of its own"
        return None if run_id == run else missing
    if experiment and experiment != experiment_id:
        name = start["experiment"]
        return f"MLFLOW_EXPERIMENT_ID={experiment}: {store} has no such experiment. The run is in {name!r}"
    return None
