"""Exclusive or: the smallest problem that no straight line solves."""

import numpy as np

from datasets.types import Dataset, Rows


def xor() -> Dataset:
    """The four points of exclusive or.

        y = x1 ⊕ x2 = (x1 + x2) mod 2

    Returns X (4, 2) in the order 00, 01, 10, 11 and y (4,): 0, 1, 1, 0. There is no test set: these are all.

    Source: Minsky and Papert, Perceptrons, 1969; Rumelhart, Hinton and Williams, Learning internal
    representations by error propagation, 1986.

    >>> xor().train.y.tolist()
    [0, 1, 1, 0]
    """
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float64)
    y = np.array([0, 1, 1, 0], dtype=np.int64)
    return Dataset("xor", Rows(X, y), classes=(0.0, 1.0), inputs=("x1", "x2"))
