"""Which output function and loss fit the targets, and what is said of those that do not."""

from typing import Any

import numpy as np

from datasets import Dataset
from runner.experiment.data import (
    label_values,
)
from runner.nn import losses
from runner.nn.architectures import Architecture


def head_for(architecture: Architecture, dataset: Dataset) -> tuple[str, str]:
    """The output function and the loss, `auto` filled in from the labels."""
    output, loss = architecture.output, architecture.loss
    if output == "auto" and dataset.classes is None:
        output = "sigmoid" if dataset.several else "identity"
    elif output == "auto":
        output = "sigmoid" if len(dataset.classes or ()) == 2 else "softmax"
    if loss == "auto":
        labelled = dataset.classes is not None or dataset.several
        loss = "cross_entropy" if output in losses.PROBABILITIES and labelled else "mean_squared_error"
    return output, loss


def head_problems(architecture: Architecture, dataset: Dataset, output: str, loss: str) -> list[str]:
    problems = []
    if loss.startswith("cross_entropy") and output not in losses.PROBABILITIES:
        problems.append(
            f"architecture.loss={loss} needs probabilities: architecture.output sigmoid or softmax. Got {output!r}"
            + (" (auto: the targets are numbers, not classes)." if architecture.output == "auto" else ".")
        )
    elif loss.startswith("cross_entropy") and dataset.classes is None and not dataset.several:
        problems.append(f"architecture.loss={loss} needs classes, and the targets of {dataset.name} are numbers.")
    if output == "softmax" and dataset.classes is None:
        asked = "output=softmax" if architecture.own is None else "labels=one_hot"
        problems.append(f"architecture.{asked} needs classes, and the targets of {dataset.name} are numbers.")
    return problems


def label_problems(plain: dict[str, Any], architecture: Architecture, dataset: Dataset, output: str) -> list[str]:
    """Labels that the output function cannot reach are refused, unless the configuration says that it knows."""
    if output == "softmax" or architecture.output == "auto" or plain["allow_unreachable_labels"]:
        return []
    low, high = losses.OUTPUTS[output].low, losses.OUTPUTS[output].high
    if dataset.classes is not None:
        values = label_values(dataset)
    elif dataset.stream is not None:
        values = np.unique([dataset.stream.targets.y.low, dataset.stream.targets.y.high])
    else:
        values = np.unique(dataset.train.y)
    outside = [f"{value:g}" for value in values if not low <= value <= high]
    if not outside:
        return []
    what = ", ".join(outside[:5]) + (", ..." if len(outside) > 5 else "")
    return [
        f"architecture.output={output} gives values in ({low:g}, {high:g}), and {dataset.name} has the "
        f"label{'s' if len(outside) > 1 else ''} {what}. architecture.output=auto fits the labels; "
        "allow_unreachable_labels=true trains all the same."
    ]


def unlike_own(architecture: Architecture, dataset: Dataset, plain: dict[str, Any]) -> list[str]:
    """What of the data is for our own networks: one of the user's gets its targets as they are, or standardised."""
    problems = []
    if architecture.own is not None and plain["dataset"].get("target_scaling") == "log":
        problems.append("dataset.target_scaling must be auto, none or standardise with architecture=own. Got log.")
    scaling = plain["dataset"].get("scaling")
    as_is = architecture.own is not None and architecture.own.inputs == "as_is" and dataset.image_shape is None
    if as_is and scaling not in (None, "none", "auto"):
        problems.append(f"dataset.scaling must be none with architecture.inputs=as_is. Got {scaling}.")
    if architecture.own is not None and dataset.class_weight is not None:
        problems.append("dataset.class_weight must be null with architecture=own, whose cost is its own.")
    return problems
