"""Where a training first left the numbers: the exact step, layer and array of the first inf or NaN.

The first *producer* is named, in the order of computation: Z and A layer by layer, the cost, then backwards dZ, dW,
db, and last the updated W and b. What only passes it on comes later in that order.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from runner.nn.network import backward, forward
from runner.nn.types import Array, affine_of
from runner.training.stack import Stack


class NonFinite(NamedTuple):
    """`step` updates had been made when `array` of `layer` (1 is the first) was first inf or NaN.

    `first_bad_gradient` is the array in which the same step's backward pass first went wrong, None where it did not.
    """

    step: int
    layer: int
    array: str
    first_bad_gradient: str | None


def first_nonfinite(stack: Stack) -> NonFinite | None:
    """The first bad value of this step of a stack of one member, or None. Leaves the stack as it is."""
    layers = stack.layers
    for index, Wb in enumerate(layers.Wb, 1):
        for name, array in (("W", Wb[:, :-1]), ("b", Wb[:, -1])):
            if not _finite(array):
                return NonFinite(stack.step, index, name, None)
    whole, Y = stack.looked_at()
    cost = stack.network.head.cost(whole.Z[-1], whole.A[-1], Y)
    gradient = next((found for found in _backward(stack) if not _finite(found[2])), None)
    bad_gradient = gradient[0] if gradient else None
    for index, (Z, A) in enumerate(zip(whole.Z, whole.A, strict=True), 1):
        for name, array in (("Z", Z), ("A", A)):
            if not _finite(array):
                return NonFinite(stack.step, index, name, bad_gradient)
    if not _finite(cost):
        return NonFinite(stack.step, len(layers.Wb), "cost", bad_gradient)
    return NonFinite(stack.step, gradient[1], gradient[0], gradient[0]) if gradient else None


def _backward(stack: Stack) -> Iterator[tuple[str, int, Array]]:
    """This step's gradients in the order in which backpropagation makes them: (array's name, layer, values)."""
    passed, Y = stack.batch()
    masks = stack.masks(passed.n)
    gradients = affine_of(np.empty_like(stack.theta), stack.network.widths)
    forward(stack.network, stack.layers, passed, masks)
    dZs = backward(stack.back_network, stack.back_layers, passed, Y, gradients, masks)
    if stack.fault.gradient:
        stack.fault.gradient(gradients, passed.n)
    for index in range(len(dZs), 0, -1):
        yield "dZ", index, dZs[index - 1]
        yield "dW", index, gradients.WT[index - 1]
        yield "db", index, gradients.Wb[index - 1][:, -1]


def _finite(array: Array) -> bool:
    return bool(np.isfinite(array).all())
