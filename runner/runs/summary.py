"""What `summary.json` says: how a run ended, of what data, by which network, on which machine, in one look."""

import json
from typing import Any

from datasets import survey
from runner.experiment.experiment import Experiment
from runner.runs.provenance import versions
from runner.runs.result import Result
from runner.training import shrink, threads
from runner.training.kinds import kind_of
from runner.training.machine import Machine, said


def summary(result: Result, command: str, where: Machine) -> dict[str, Any]:
    """What `summary.json` holds of a run that has ended; `where` is the machine that trained it."""
    experiment, recipe = result.experiment, result.experiment.recipe
    return {
        "status": result.status,
        "name": result.name,
        "command": command,
        "steps": result.step,
        "target": _target(experiment, result.target_reached),
        "constant_predictor_cost": experiment.constant_cost,
        "first_nonfinite": result.nonfinite._asdict() if result.nonfinite else None,
        "metrics": {"last": result.last, "best": result.best},
        **({"by_class": result.by_class} if result.by_class else {}),
        "findings": result.findings,
        "error": result.error,
        "timings": {
            "training_seconds": round(result.seconds, 6),
            "blas_threads": threads.count(recipe),
            "shrunk_to": shrink.coordinates(recipe) - 1 if shrink.applies(recipe) else None,
        },
        "engine": recipe.engine,
        "seed": recipe.seed,
        "dataset": described(experiment),
        "network": network_of(experiment),
        "versions": versions(),
        "machine": said(recipe, where),
        "mlflow_run_id": None,
    }


def _target(experiment: Experiment, reached: bool) -> dict[str, Any]:
    """What was to be reached; `above` is the score that a constant answer gets, where one counts as well."""
    metric, value, above = experiment.target
    beside = {} if above is None else {"above": {"metric": above[0], "value": above[1]}}
    return {"metric": metric, "value": value, **beside, "reached": reached}


def profile(experiment: Experiment) -> str:
    """The size of the data and what is in it, as JSON."""
    dataset = experiment.dataset
    classes = None if dataset.classes is None else [str(label) for label in dataset.classes]
    return json.dumps({"rows": experiment.recipe.sizes, "features": dataset.n_features, "classes": classes})


def described(experiment: Experiment) -> dict[str, Any]:
    """The data in `summary.json`: which, how many rows of each class to train on, and what its columns are called."""
    dataset = experiment.dataset
    counts = None
    if dataset.classes is not None:
        counts = {str(label): n for label, n in zip(dataset.classes, survey.balance(dataset), strict=True)}
    return {
        "name": dataset.name,
        "sha256": experiment.data_digest,
        "inputs": list(dataset.inputs),
        "target": experiment.config["dataset"].get("target"),
        **({"targets": list(dataset.learned)} if dataset.learned else {}),
        "balance": counts,
    }


def network_of(experiment: Experiment) -> dict[str, Any]:
    """What must be known beside the weights to make predictions."""
    classes = experiment.dataset.classes
    return {
        "widths": list(experiment.recipe.widths),
        "activation": experiment.activation,
        "output": experiment.output,
        "loss": experiment.loss,
        "classes": None if classes is None else list(classes),
        "labels": experiment.labels.tolist(),
        **_of_the_data(experiment),
        **kind_of(experiment.recipe).recorded(),
    }


def _of_the_data(experiment: Experiment) -> dict[str, Any]:
    """How rows become inputs and outputs become answers, where there is anything to it."""
    dataset = experiment.dataset
    found: dict[str, Any] = {}
    if dataset.encoding is not None:
        found["encoding"] = dataset.encoding.as_json()
    if dataset.targets is not None:
        shift, scale, log = dataset.targets
        found["target_scaling"] = {"shift": shift.tolist(), "scale": scale.tolist(), "log": log}
    if dataset.outputs:
        found["targets"] = list(dataset.outputs)
    return found
