"""Where a training first left the numbers: the exact step, layer and array of the first inf or NaN.

The first *producer* is named, in the order of computation: Z and A layer by layer, the cost, then backwards dZ, dW,
db, and last the updated W and b. What only passes it on comes later in that order.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np


class NonFinite(NamedTuple):
    """`step` updates had been made when `array` of `layer` (1 is the first) was first inf or NaN.

    `first_bad_gradient` is the array in which the same step's backward pass first went wrong, None where it did not.
    """

    step: int
    layer: int
    array: str
    first_bad_gradient: str | None

    @property
    def what(self) -> str:
        """Which array, in words: `cost of layer 2`."""
        return f"{self.array} of layer {self.layer}"

    @property
    def place(self) -> str:
        """Where, in words.

        >>> NonFinite(275, 2, "cost", "dZ").place
        'cost of layer 2 at step 275'
        """
        return f"{self.what} at step {self.step}"

    def __str__(self) -> str:
        """Where, and what of the backward pass was first to go wrong.

        >>> print(NonFinite(275, 2, "cost", "dZ"))
        cost of layer 2 at step 275, the first bad gradient is dZ
        """
        gradient = f", the first bad gradient is {self.first_bad_gradient}" if self.first_bad_gradient else ""
        return self.place + gradient


class Produced(NamedTuple):
    """`values` that a step makes: the array's name, its layer."""

    array: str
    layer: int
    values: Any


def first_of(
    step: int, weights: Iterable[Produced], forward: Iterable[Produced], backward: Iterable[Produced]
) -> NonFinite | None:
    """The first bad value of a step, or None, of what it makes, in the order of computation.

    `weights` are those that the step begins with, `forward` ends with the cost; each is only asked for as far as it
    takes, the backward pass first.
    """
    if (bad := _bad(weights)) is not None:
        return NonFinite(step, bad.layer, bad.array, None)
    gradient = _bad(backward)
    first = _bad(forward) or gradient
    return None if first is None else NonFinite(step, first.layer, first.array, gradient.array if gradient else None)


def _bad(made: Iterable[Produced]) -> Produced | None:
    return next((each for each in made if not np.isfinite(each.values).all()), None)
