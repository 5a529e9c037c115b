"""How well a network's outputs `A` (K, n, outputs) fit the truth, one number a member: `accuracy` in the tables."""

import numpy as np

from runner.nn.types import Array


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
