"""What `summary.json` says of a run's data and its network."""

import json
from typing import Any

from datasets import survey
from runner.experiment.experiment import Experiment
from runner.training.recipe import OwnSource


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
        "balance": counts,
    }


def network_of(experiment: Experiment) -> dict[str, Any]:
    """What must be known beside the weights to make predictions."""
    classes, own = experiment.dataset.classes, experiment.recipe.own
    return {
        "widths": list(experiment.recipe.widths),
        "activation": experiment.activation,
        "output": experiment.output,
        "loss": experiment.loss,
        "classes": None if classes is None else list(classes),
        "labels": experiment.labels.tolist(),
        **({"own": own_of(own, experiment.recipe.seed)} if own is not None else {}),
    }


def own_of(own: OwnSource, seed: int) -> dict[str, Any]:
    """What must be known to make a network of the user's own again."""
    return {**own._asdict(), "options": own.options._asdict(), "seed": seed}
