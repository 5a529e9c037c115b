"""How well each class is found: recall, precision and F1 of a confusion matrix, and the area under the ROC curve."""

from typing import Any

import numpy as np

from runner.nn.types import Array

Counts = np.ndarray[Any, np.dtype[np.int64]]


def confusion(predicted: np.ndarray, y: np.ndarray, classes: int) -> Counts:
    """C (classes, classes): C[i, j] rows of class i were answered with class j; `predicted` and `y` (n,) are indices.

    >>> confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    cells = np.bincount(y.astype(np.int64) * classes + predicted.astype(np.int64), minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


def recall(C: Counts) -> Array:
    """Of each class (classes,): the share of its rows that are found, C_ii / Σ_j C_ij; NaN where it has no row."""
    with np.errstate(invalid="ignore"):
        return np.diag(C) / C.sum(axis=1)


def balanced_accuracy(C: Counts) -> float:
    """The mean of the recalls of those classes that have rows: 1 / classes is as good as one answer for all.

    Source: Brodersen et al., The balanced accuracy and its posterior distribution (2010).
    """
    return float(np.nanmean(recall(C)))


def f1(C: Counts) -> Array:
    """Of each class (classes,): 2 precision recall / (precision + recall) = 2 C_ii / (Σ_j C_ij + Σ_j C_ji).

    0 where none is found; NaN where the class neither has a row nor is answered. Source: van Rijsbergen (1979).
    """
    with np.errstate(invalid="ignore"):
        return 2 * np.diag(C) / (C.sum(axis=1) + C.sum(axis=0))


def auc(score: Array, positive: np.ndarray) -> float:
    """The area under the ROC curve: how often a row that is `positive` (n,) scores above one that is not, ties half.

    From the sum R of the positive rows' ranks, (R - P (P + 1) / 2) / (P N). NaN where there are only rows of one kind.
    Source: Hanley & McNeil (1982).

    >>> auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    0.75
    """
    P = int(positive.sum())
    N = len(positive) - P
    if not P or not N:
        return float("nan")
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # of equal scores the mean of theirs
    return float((ranks[positive].sum() - P * (P + 1) / 2) / (P * N))
