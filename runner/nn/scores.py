"""How well a network's outputs `A` (K, n, outputs) fit the truth, one number a member.

In the tables it is called `accuracy`, or of a regression `r2`.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np

from runner.nn.types import Array

T = TypeVar("T")


def most_probable(A: Array) -> np.ndarray:
    """The class with the largest output: (K, n) indices. Ties go to the first."""
    return A.argmax(axis=-1)


def nearest_label(A: Array, labels: Array) -> np.ndarray:
    """The class whose label is nearest to a single output: (K, n) indices into the ascending `labels`.

    Halfway between two labels counts as the lower: a sigmoid says 1 only above 0.5.
    """
    return between(A, halfway(labels))


def halfway(labels: Array) -> Array:
    """The borders between neighbouring ascending labels."""
    return (labels[1:] + labels[:-1]) / 2


def between(A: Array, borders: Array) -> np.ndarray:
    """`nearest_label`, for those who keep the borders: (K, n) the number of borders below a single output."""
    return borders.searchsorted(A[..., 0])


def share_right(predicted: np.ndarray, y: np.ndarray) -> Array:
    """Accuracy (K,): the share of rows whose predicted class (K, n) is the true one (n,)."""
    return np.add.reduce(predicted == y, axis=1, dtype=np.intp) / len(y)


def r_squared(A: Array, Y: Array, variance: float | None = None) -> Array:
    """R² (K,) = 1 - sum (a - y)² / sum (y - mean y)²: 1 is perfect, 0 is as good as the mean, below is worse.

    `variance`: that of all targets, where these are a part of them; then the mean of the parts' R², each weighted by
    its rows, is that of the whole.
    NaN where the targets do not vary: there is nothing to explain.
    """
    unexplained = ((A - Y) ** 2).sum(axis=(1, 2))
    if variance is not None:
        return 1 - unexplained / (np.float64(variance) * Y.size)
    return 1 - unexplained / ((Y - Y.mean(axis=0)) ** 2).sum()


def is_score(metric: str) -> bool:
    """Whether a metric says how much is right, and so more of it is better."""
    return metric.endswith(("/accuracy", "/r2"))


def named(metric: str, metrics: Iterable[str]) -> str:
    """A metric by the name that a run has it under: R² was called accuracy before.

    >>> named("val/accuracy", ["val/cost", "val/r2"]), named("val/accuracy", ["val/cost", "val/accuracy"])
    ('val/r2', 'val/accuracy')
    """
    now = metric.removesuffix("/accuracy") + "/r2"
    known = set(metrics)
    return now if metric.endswith("/accuracy") and metric not in known and now in known else metric


def renamed(values: Mapping[str, T], scored: str) -> dict[str, T]:
    """What a record says by metric, where the score is called `scored` now.

    >>> renamed({"train/cost": 1.0, "train/accuracy": 0.5}, "r2")
    {'train/cost': 1.0, 'train/r2': 0.5}
    """
    if scored != "r2":
        return dict(values)
    return {f"{key.removesuffix('/accuracy')}/r2" if key.endswith("/accuracy") else key: values[key] for key in values}
