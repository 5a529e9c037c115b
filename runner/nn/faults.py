"""Mistakes that people make in their own backward pass, as parts that a network can be built with.

A `Fault` replaces a piece of the mathematics and leaves the rest as it is. To add one: one function here and one yaml
in conf/fault.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from runner.nn.activations import Activation
from runner.nn.types import Array


class Fault(NamedTuple):
    """What is wrong.

    `dA` replaces the derivative of cross-entropy by the outputs, `squared_dA` that of a squared error: (A, Y) -> dA of
    a row, before the mean is taken. `derivative` replaces a hidden activation's derivative: (Activation) -> Activation.
    `factor` multiplies the whole gradient: (rows in the batch) -> number.
    """

    dA: Callable[[Array, Array], Array] | None = None
    squared_dA: Callable[[Array, Array], Array] | None = None
    derivative: Callable[[Activation], Activation] | None = None
    factor: Callable[[int], float] | None = None


def none() -> Fault:
    """Nothing is wrong."""
    return Fault()


def missing_one_minus_a() -> Fault:
    """The `1 - A` is missing in the derivative of the loss: dA = -(Y/A - (1-Y)/A). The parity post's mistake.

    With a squared error it is missing in the sigmoid's derivative: dZ = (A - Y) A for (A - Y) A (1 - A).
    """
    return Fault(dA=lambda A, Y: -(Y / A - (1 - Y) / A), squared_dA=lambda A, Y: (A - Y) / (1 - A))


def flipped_sign() -> Fault:
    """The second sign in the derivative of the loss is wrong: dA = -(Y/A + (1-Y)/(1-A)). The XOR post's mistake.

    With a squared error it is dA = A + Y for A - Y.
    """
    return Fault(dA=lambda A, Y: -(Y / A + (1 - Y) / (1 - A)), squared_dA=lambda A, Y: A + Y)


def summed_gradient() -> Fault:
    """The 1/n is missing: the gradient is the sum over the rows, n times too large."""
    return Fault(factor=float)


def halved_gradient() -> Fault:
    """The update halves the gradient: half the learning rate that the configuration says. The spiral post's."""
    return Fault(factor=lambda n: 0.5)


def relu_derivative_one_at_zero() -> Fault:
    """The derivative of ReLU at exactly 0 is 1 (and not 0): (Z >= 0) for (Z > 0). Other activations stay right."""

    def at_zero(activation: Activation) -> Activation:
        def derivative(Z: Array, A: Array, out: Array | None = None) -> Array:
            return np.greater_equal(Z, 0, out=np.empty_like(Z) if out is None else out)

        return Activation(activation.value, derivative)

    return Fault(derivative=at_zero)
