"""A run's model folder into an MLflow store: a logged model of the run, registered if that is asked.

Doing it again adds nothing: a logged model is known by its run and by the digest of its weights. One that was cut off
in the middle is finished. Only MLflow's client is used, so that a tracking process without NumPy can do it.
"""

import contextlib
import hashlib
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import yaml

from runner.runs import journal
from runner.tracking.translation import LARGEST, LAYER

DIGEST = "weights.sha256"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def log_model(client: Any, folder: Path, run_id: str, experiment_id: str, name: str) -> None:
    """Have the store know the model in `folder` as the run's, whole and once, called as the run is.

    Its metrics are the run's last. `client` is an MlflowClient.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric

    about = yaml.load((folder / "MLmodel").read_text(encoding="utf-8"), _LOADER)
    digest = hashlib.sha256((folder / "artifacts" / "weights.npz").read_bytes()).hexdigest()
    found = client.search_logged_models([experiment_id], filter_string=f"source_run_id = '{run_id}'")
    model = next((model for model in found if model.tags.get(DIGEST) == digest), None)
    if model is None:
        model = client.create_logged_model(experiment_id, name_of(name), run_id, {DIGEST: digest}, _params(folder))
    if model.status != LoggedModelStatus.READY:
        outputs = client.get_run(run_id).outputs if found else None
        if model.model_id not in [each.model_id for each in (outputs.model_outputs if outputs else [])]:
            client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
        client.log_model_artifacts(model.model_id, str(folder))
        named = {"artifact_path": model.artifact_location, "run_id": run_id}
        named |= {"model_id": model.model_id, "model_uuid": model.model_id}
        with tempfile.TemporaryDirectory() as place:
            (Path(place) / "MLmodel").write_text(
                yaml.dump({**about, **named}, Dumper=_DUMPER, allow_unicode=True), "utf-8"
            )
            client.log_model_artifact(model.model_id, str(Path(place) / "MLmodel"))
        client.log_batch(run_id, [Metric(*point, model_id=model.model_id) for point in _metrics(folder.parent)])
        client.finalize_logged_model(model.model_id, "READY")
    if registered := (about.get("metadata") or {}).get("register"):
        _register(client, registered, model.artifact_location, run_id, model.model_id)


def register(client: Any, folder: Path, run_id: str) -> None:
    """Register the run's artifact `model`, if that is asked, where the store has no logged models."""
    about = yaml.load((folder / "MLmodel").read_text(encoding="utf-8"), _LOADER)
    if name := (about.get("metadata") or {}).get("register"):
        _register(client, name, f"{client.get_run(run_id).info.artifact_uri}/{folder.name}", run_id, None)


def name_of(run: str) -> str:
    """A run's name without what MLflow takes in no model's.

    >>> name_of("lr=0.1 seed=3")
    'lr=0,1 seed=3'
    """
    return re.sub(r"[/:%\"']", "_", run).replace(".", ",")[:250]


def _metrics(directory: Path) -> list[tuple[str, float, int, int]]:
    """(key, value, time, step) of the run's last finite values, as they are in the run: there they are not doubled."""
    last: dict[str, tuple[str, float, int, int]] = {}
    for record, _ in journal.read(directory):
        for key, value in record.get("values", {}).items():
            if LAYER not in key and abs(value) <= LARGEST:
                last[key] = (key, value, record["time"], record["step"])
    return list(last.values())


def _params(folder: Path) -> dict[str, str]:
    """What the page of the model shows: the network."""
    network = json.loads((folder / "artifacts" / "network.json").read_text(encoding="utf-8"))
    return {key: str(network[key])[:500] for key in ("widths", "activation", "output", "loss")}


def _register(client: Any, name: str, source: str, run_id: str, model_id: str | None) -> None:
    """A version of the registered model `name` that is the model at `source`, if there is none yet."""
    from mlflow.exceptions import MlflowException

    versions = []
    with contextlib.suppress(MlflowException):  # it is not there yet
        client.get_registered_model(name)
        versions = client.search_model_versions(f"name = '{name}'")
    if any(version.source == source for version in versions):
        return
    with contextlib.suppress(MlflowException):  # it is there
        client.create_registered_model(name)
    client.create_model_version(name, source, run_id, model_id=model_id)
