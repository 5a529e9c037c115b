"""How good outputs are, on the labels as they are given: accuracy of classes, R² of numbers."""

from typing import Any

import numpy as np

CLASSES = 20  # whole labels of so many values at most are classes


def score(output: np.ndarray, labels: np.ndarray, loss: str = "", axis: int = -1) -> dict[str, Any] | None:
    """The score of outputs on labels: {kind, value, base, n}; None where they do not fit together.

    `base` is what a constant answer gets: the share of the most frequent class, or R² 0.

    >>> score(np.array([[.9, .2]]), np.array([[1, 0]]))["value"]
    1.0
    """
    A, Y = np.asarray(output, dtype=float), np.asarray(labels, dtype=float)
    if not np.isfinite(A).all():
        A = np.nan_to_num(A, nan=0.0)
    whole = bool(np.all(np.round(Y) == Y))
    if A.size == Y.size:
        A = A.reshape(Y.shape)
        hot = _one_hot(Y) if whole else None
        if hot is not None:
            return _accuracy(A.argmax(hot), Y.argmax(hot))
        values = np.unique(Y)
        if whole and len(values) <= CLASSES and ("entropy" in loss or len(values) <= 3 or len(values) <= Y.size / 5):
            return _accuracy(_nearest(A, values, loss), np.searchsorted(values, Y))
        spread = float(((Y - Y.mean()) ** 2).sum())
        left = float(((A - Y) ** 2).sum())
        return {"kind": "R2", "value": 1 - left / spread if spread else 0.0, "base": 0.0, "n": int(Y.size)}
    y = Y.reshape(-1)
    if A.ndim == 2 and whole and y.size in A.shape:
        along = axis if axis in (0, 1) else 1 if A.shape[0] == y.size else 0
        return _accuracy(A.argmax(along), y)
    return None


def _one_hot(Y: np.ndarray) -> int | None:
    """The axis of the classes of one-hot labels."""
    if Y.ndim < 2 or not set(np.unique(Y)) <= {0.0, 1.0}:
        return None
    for axis in (Y.ndim - 1, 0):
        if Y.shape[axis] > 1 and np.all(Y.sum(axis) == 1):
            return axis
    return None


def _nearest(A: np.ndarray, values: np.ndarray, loss: str) -> np.ndarray:
    """The class of an output: the label that lies nearest, of logits by their sign."""
    if loss.endswith("logits"):
        A = (A > 0).astype(float)
    return np.abs(A[..., None] - values).argmin(-1)


def _accuracy(given: np.ndarray, true: np.ndarray) -> dict[str, Any]:
    g, t = np.ravel(given), np.ravel(true)
    _, counts = np.unique(t, return_counts=True)
    return {"kind": "accuracy", "value": float(np.mean(g == t)), "base": float(counts.max() / t.size), "n": int(t.size)}


def goal(found: dict[str, Any]) -> float:
    """What must be reached: of at most 20 rows all, else three quarters of the way from a constant answer."""
    if found["kind"] == "accuracy" and found["n"] <= 20:
        return 1.0
    share = 0.76 if found["kind"] == "accuracy" else 0.75
    return float(found["base"] + share * (1 - found["base"]))
