"""How well each class is found at the end of a run, where classes have unequally many rows: beside accuracy.

With 95 rows of 100 of one class, always answering it has an accuracy of 0.95, and a balanced accuracy of 0.5.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from datasets import survey
from runner.experiment.experiment import Experiment
from runner.nn import confusion, scores
from runner.nn.types import Array
from runner.runs.model_code import Network
from runner.training.kinds import kind_of

UNEQUAL = 1.5  # the largest class has more than so many times the rows of the smallest
MOST = 50  # classes
BLOCK = 65_536  # rows that are passed forward at once

Found = dict[str, dict[str, Any]]


def by_class(experiment: Experiment, theta: Array) -> Found:
    """Of each set: confusion (a row a class, as it is; a column as it was answered), recall by class, balanced
    accuracy, the mean F1 of the classes, and the area under the ROC curve (of several classes the mean of each against
    the rest); None where one is not defined.

    Empty where the classes have about as many rows each, where there are none, and for a network of the user's own.
    """
    classes = experiment.dataset.classes
    counts = survey.balance(experiment.dataset)
    if classes is None or not kind_of(experiment.recipe).known or not np.isfinite(theta).all():
        return {}
    if len(classes) > MOST or max(counts) <= UNEQUAL * min(counts) or experiment.config["fault"]["name"] != "none":
        return {}
    arrays = kind_of(experiment.recipe).arrays(theta)
    layers = [(arrays[f"W{layer}"], arrays[f"b{layer}"]) for layer in range(1, len(experiment.recipe.widths))]
    network = Network(layers, experiment.activation, experiment.output, None, ())
    return {
        name: _of(experiment, _outputs(network, data.X), data.y.astype(np.int64), labels(classes))
        for name, data in experiment.recipe.sets.items()
        if len(data.X)
    }


def labels(classes: Any) -> list[str]:
    """The classes as one writes them: 1, not 1.0."""
    return [f"{each:g}" if isinstance(each, float) else str(each) for each in classes]


def metrics(found: Found) -> dict[str, float]:
    """The same as metrics, by names that MLflow takes; without what is not defined."""
    said: dict[str, float] = {}
    for name, scored in found.items():
        for kind in ("balanced_accuracy", "f1_macro", "auc"):
            said[f"{name}/{kind}"] = scored[kind]
        for label, share in scored["recall"].items():
            safe = re.sub(r"[^-.: \w]", "_", label)
            said[f"{name}/recall/{safe}"] = share
    return {key: value for key, value in said.items() if value is not None}


def lines(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What a user is told, a line a set."""
    told = []
    for name, scored in found.items():
        shares = ", ".join(f"{label} {_number(share)}" for label, share in list(scored["recall"].items())[:8])
        more = ", ..." if len(scored["recall"]) > 8 else ""
        told.append(
            f"{name}: balanced accuracy {_number(scored['balanced_accuracy'])}, F1 {_number(scored['f1_macro'])}, "
            f"AUC {_number(scored['auc'])}; found of {shares}{more}"
        )
    return told


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3g}"


def _outputs(network: Network, X: Array) -> Array:
    return np.concatenate([network.outputs_of(X[start : start + BLOCK]) for start in range(0, len(X), BLOCK)])


def _of(experiment: Experiment, A: Array, y: np.ndarray, names: list[str]) -> dict[str, Any]:
    one = A.shape[1] == 1
    predicted = scores.nearest_label(A, experiment.labels) if one else scores.most_probable(A)
    C = confusion.confusion(predicted, y, len(names))
    if len(names) == 2:
        area = confusion.auc(A[:, 0] if one else A[:, 1], y == 1)
    else:
        areas = [] if one else [confusion.auc(A[:, k], y == k) for k in np.unique(y).tolist()]
        area = float(np.mean(areas)) if areas else float("nan")
    return {
        "balanced_accuracy": _defined(confusion.balanced_accuracy(C)),
        "f1_macro": _defined(np.nanmean(confusion.f1(C))),
        "auc": _defined(area),
        "recall": {name: _defined(share) for name, share in zip(names, confusion.recall(C).tolist(), strict=True)},
        "confusion": C.tolist(),
    }


def _defined(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
