"""The losses that an output and labels may be meant for, written so that they can be traced. NumPy only."""

from collections.abc import Callable
from typing import Any

import numpy as np


def _whole(A: Any, Y: Any) -> bool:
    return np.size(A) == np.size(Y)


def squared(A: Any, Y: Any) -> Any:
    """Σ (A - Y)² / 2."""
    return np.sum(np.square(A - np.reshape(np.asarray(Y), np.shape(A)))) / 2 if _whole(A, Y) else None


def entropy(A: Any, Y: Any) -> Any:
    """Σ -Y log A - (1 - Y) log(1 - A), of probabilities."""
    if not _whole(A, Y) or np.min(A) < 0 or np.max(A) > 1:
        return None
    T = np.reshape(np.asarray(Y), np.shape(A))
    return -np.sum(np.multiply(T, np.log(A)) + np.multiply(1 - T, np.log(1 - A)))


def categorical(A: Any, Y: Any) -> Any:
    """Σ -Y log A, of probabilities and one-hot labels, or labels by number."""
    if np.min(A) < 0 or np.max(A) > 1:
        return None
    if _whole(A, Y):
        return -np.sum(np.multiply(np.reshape(np.asarray(Y), np.shape(A)), np.log(A)))
    labels = np.ravel(np.asarray(Y)).astype(int)
    if np.ndim(A) == 2 and np.shape(A)[0] == labels.size:
        return -np.sum(np.log(A[np.arange(labels.size), labels]))
    return (
        -np.sum(np.log(A[labels, np.arange(labels.size)]))
        if np.ndim(A) == 2 and np.shape(A)[1] == labels.size
        else None
    )


COSTS: dict[str, Callable[[Any, Any], Any]] = {
    "squared error": squared,
    "binary cross-entropy": entropy,
    "categorical cross-entropy": categorical,
}
