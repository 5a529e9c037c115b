"""Mistakes in the data: made after the data has been checked and prepared, so that nothing refuses them.

What is random is drawn from the fault's own `seed`: the members of a stack share their data.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Le

from runner.nn.faults.types import Fault, Meets, Sets
from runner.nn.types import Count, Positive

Share = Annotated[float, Gt(0), Le(1)]


def labels_off_by_one() -> Fault:
    """Labels count from 1 where the network counts from 0: each is one more than it should be; the last class is lost.

    One-hot, the last class has no column: its rows have no 1 at all.
    """

    def wrong(rows: Any, name: str) -> Any:
        if rows.Y.shape[1] > 1:
            return rows._replace(Y=np.concatenate([np.zeros_like(rows.Y[:, :1]), rows.Y[:, :-1]], axis=1))
        return rows._replace(Y=rows.Y + rows.Y.dtype.type(1))

    return Fault(sets=_each(wrong))


def labels_shuffled(severity: Share = 1.0, seed: Count = 0) -> Fault:
    """`severity` of the training rows have the labels of other rows: sorted or shuffled apart from their inputs."""

    def wrong(rows: Any, name: str) -> Any:
        if name != "train":
            return rows
        generator = np.random.default_rng(seed)
        chosen = generator.choice(len(rows.X), round(severity * len(rows.X)), replace=False)
        order = np.arange(len(rows.X))
        for _ in range(100):  # of few labels, a permutation may give each row the one that it had
            order[chosen] = generator.permutation(chosen)
            if not np.array_equal(rows.Y[order], rows.Y):
                break
        return rows._replace(Y=rows.Y[order], y=rows.y[order])

    return Fault(sets=_each(wrong))


def labels_out_of_range(severity: Positive = 255.0) -> Fault:
    """Labels are `severity` times what the outputs can reach: 0 and 255 for 0 and 1."""

    def impossible(meets: Meets) -> str | None:
        unbounded = meets.output == "identity"
        return "is a mistake in what outputs can reach, and identity reaches all." if unbounded else None

    return Fault(
        sets=_each(lambda rows, name: rows._replace(Y=rows.Y * rows.Y.dtype.type(severity))), impossible=impossible
    )


def inputs_unscaled(severity: Positive = 255.0) -> Fault:
    """The inputs are `severity` times too large: pixels that nobody divided by 255."""
    return Fault(sets=_each(lambda rows, name: rows._replace(X=rows.X * rows.X.dtype.type(severity))))


def unscaled_test(severity: Positive = 255.0) -> Fault:
    """The test and validation rows did not go through the scaling of the training rows."""

    def wrong(rows: Any, name: str) -> Any:
        return rows if name == "train" else rows._replace(X=rows.X * rows.X.dtype.type(severity))

    return Fault(sets=_each(wrong))


def feature_lost(seed: Count = 0) -> Fault:
    """One feature is 0 in every row, the one that `seed` draws."""

    def wrong(rows: Any, name: str) -> Any:
        X = rows.X.copy()
        X[:, np.random.default_rng(seed).integers(X.shape[1])] = 0
        return rows._replace(X=X)

    return Fault(sets=_each(wrong))


def constant_inputs() -> Fault:
    """Every row has the inputs of the first: as when a loop reads the same file again and again."""
    return Fault(sets=_each(lambda rows, name: rows._replace(X=np.repeat(rows.X[:1], len(rows.X), axis=0))))


def _each(wrong: Callable[[Any, str], Any]) -> Callable[[Sets], Sets]:
    """`wrong`(rows, the set's name) for every set."""

    def sets(right: Sets) -> Mapping[str, Any]:
        return {name: wrong(rows, name) for name, rows in right.items()}

    return sets
