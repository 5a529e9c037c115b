"""Which loss a cost is, of which outputs and which labels: told by its value."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

ROWS = 200_000  # numbers of an array that is tried, at most
PAIRS = 6000


@dataclass(frozen=True)
class Match:
    """A cost that is `factor` x the sum of `loss` over what stands at `output` and `labels`.

    Attributes:
        axis: of the classes, for losses of one class in several; else -1.
    """

    loss: str
    output: str
    labels: str
    factor: float
    axis: int = -1


def binary(A: np.ndarray, Y: np.ndarray) -> float:
    """Σ -(Y log A + (1 - Y) log(1 - A)), of probabilities."""
    if A.min() < 0 or A.max() > 1 or Y.min() < 0 or Y.max() > 1:
        return np.nan
    with np.errstate(all="ignore"):
        parts = np.where(Y > 0, -Y * np.log(A), 0.0) + np.where(Y < 1, -(1 - Y) * np.log(1 - A), 0.0)
    return float(parts.sum())


def logits(A: np.ndarray, Y: np.ndarray) -> float:
    """Σ log(1 + exp(Z)) - Y Z, the binary cross-entropy of logits."""
    return np.nan if Y.min() < 0 or Y.max() > 1 else float((np.logaddexp(0, A) - Y * A).sum())


def square(A: np.ndarray, Y: np.ndarray) -> float:
    """Σ (A - Y)^2."""
    return float(np.square(A - Y).sum())


def absolute(A: np.ndarray, Y: np.ndarray) -> float:
    """Σ |A - Y|."""
    return float(np.abs(A - Y).sum())


def categorical(A: np.ndarray, Y: np.ndarray) -> float:
    """Σ -Y log A, of probabilities and one-hot labels."""
    if A.min() < 0 or A.max() > 1 or Y.min() < 0:
        return np.nan
    with np.errstate(all="ignore"):
        return float(np.where(Y > 0, -Y * np.log(A), 0.0).sum())


SAME: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "binary cross-entropy": binary,
    "squared error": square,
    "categorical cross-entropy": categorical,
    "binary cross-entropy of logits": logits,
    "absolute error": absolute,
}


def indexed(A: np.ndarray, y: np.ndarray) -> Iterator[tuple[str, int, float]]:
    """Losses of integer labels against one column, or row, a class: (name, axis of the classes, sum)."""
    if A.ndim != 2 or np.any(y != np.round(y)) or y.min() < 0:
        return
    labels = y.astype(int)
    for axis in (1, 0):
        if A.shape[1 - axis] != y.size or labels.max() >= A.shape[axis]:
            continue
        table = A if axis == 1 else A.T
        with np.errstate(all="ignore"):
            if table.min() >= 0 and table.max() <= 1:
                yield "categorical cross-entropy", axis, float(-np.log(table[np.arange(y.size), labels]).sum())
            peak = table.max(1, keepdims=True)
            yield (
                "categorical cross-entropy of logits",
                axis,
                float((peak[:, 0] + np.log(np.exp(table - peak).sum(1)) - table[np.arange(y.size), labels]).sum()),
            )


def _factors(A: np.ndarray) -> np.ndarray:
    """What a sum may be multiplied by: a mean's, a half, per cent, the logarithm to the base 2."""
    sizes = {1.0, float(A.size), *map(float, A.shape)}
    return np.array([more / size for size in sorted(sizes) for more in (1.0, 0.5, 2.0, 1 / np.log(2), 100.0)])


def recognise(
    costs: dict[str, float], outputs: dict[str, np.ndarray], labels: dict[str, np.ndarray]
) -> dict[str, Match]:
    """For each cost the loss that it is, where it is one of those above: of all pairs the first that gives its value.

    >>> A, Y = np.array([[.9, .2]]), np.array([[1, 0]])
    >>> recognise({"cost": 0.025}, {"A": A}, {"Y": Y})["cost"].loss
    'squared error'
    """
    wanted = {key: value for key, value in costs.items() if np.isfinite(value) and abs(value) > 1e-12}
    found: dict[str, Match] = {}
    later: dict[str, Match] = {}  # of logits, of numbers of classes: probabilities and one-hot labels come first
    tried = 0
    for output, A in outputs.items():
        factors = _factors(A)
        for label, Y in labels.items():
            if label == output or not wanted or tried > PAIRS:
                continue
            for name, axis, total in _totals(A, Y):
                tried += 1
                if not np.isfinite(total) or total == 0:
                    continue
                for key, value in list(wanted.items()):
                    if np.any(np.abs(abs(value / total) / factors - 1) < 1e-6):
                        match = Match(name, output, label, value / total, axis)
                        if name.endswith("logits") or axis >= 0:
                            later.setdefault(key, match)
                        else:
                            found[key] = match
                            del wanted[key]
    return {**later, **found}


def _totals(A: np.ndarray, Y: np.ndarray) -> Iterator[tuple[str, int, float]]:
    if A.size == Y.size:
        if A.shape != Y.shape and np.squeeze(A).shape != np.squeeze(Y).shape:
            return
        flat, goal = A.reshape(-1), Y.reshape(-1)
        for name, loss in SAME.items():
            yield name, -1, loss(flat, goal)
    elif Y.size < A.size and (Y.ndim == 1 or 1 in Y.shape):
        yield from indexed(A, Y.reshape(-1))
