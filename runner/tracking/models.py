"""A run's model folder into an MLflow store: a logged model of the run, registered if that is asked.

Doing it again adds nothing: a logged model is known by its run and by the digest of its weights. One that was cut off
in the middle is finished. Only MLflow's client is used, so that a tracking process without NumPy can do it.
"""

import contextlib
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import yaml

NAME = "model"  # of the logged model: runs:/RUN/model
DIGEST = "weights.sha256"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def log_model(client: Any, folder: Path, run_id: str, experiment_id: str) -> None:
    """Have the store know the model in `folder` as the run's, whole and once. `client` is an MlflowClient."""
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    about = yaml.load((folder / "MLmodel").read_text(encoding="utf-8"), _LOADER)
    digest = hashlib.sha256((folder / "artifacts" / "weights.npz").read_bytes()).hexdigest()
    found = client.search_logged_models([experiment_id], filter_string=f"source_run_id = '{run_id}'")
    model = next((model for model in found if model.tags.get(DIGEST) == digest), None)
    if model is None:
        model = client.create_logged_model(experiment_id, NAME, run_id, {DIGEST: digest}, _params(folder))
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
        client.finalize_logged_model(model.model_id, "READY")
    if name := (about.get("metadata") or {}).get("register"):
        _register(client, name, model, run_id)


def _params(folder: Path) -> dict[str, str]:
    """What the page of the model shows: the network."""
    network = json.loads((folder / "artifacts" / "network.json").read_text(encoding="utf-8"))
    return {key: str(network[key])[:500] for key in ("widths", "activation", "output", "loss")}


def _register(client: Any, name: str, model: Any, run_id: str) -> None:
    """A version of the registered model `name` that is this model, if there is none yet."""
    from mlflow.exceptions import MlflowException

    versions = []
    with contextlib.suppress(MlflowException):  # it is not there yet
        client.get_registered_model(name)
        versions = client.search_model_versions(f"name = '{name}'")
    if any(version.source == model.artifact_location for version in versions):
        return
    with contextlib.suppress(MlflowException):  # it is there
        client.create_registered_model(name)
    client.create_model_version(name, model.artifact_location, run_id, model_id=model.model_id)
