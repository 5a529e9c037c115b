"""Heads made of heads: targets that are scaled while the network trains, and rows that count more than others.

What people see of a run, costs and predictions, is in the units of its data; what is optimised is `optimised`.
"""

from collections.abc import Callable

import numpy as np

from runner.nn.losses import Head, Output
from runner.nn.types import Array


def in_units(head: Head, shift: Array, scale: Array, log: bool = False) -> Head:
    """A head of squared errors whose network learns scaled targets, and whose outputs and costs are in the units of Y.

        A = g⁻¹(shift + scale Z),   J = cost(A, Y),   optimised: cost(Z, (g(Y) - shift) / scale);   g = log if `log`

    `shift` and `scale` (outputs,). The gradient is that of what is optimised: with scale 1 it is J's own, and without
    `log` J is scale² times what is optimised.

    >>> from runner.nn.losses import mean_squared_error
    >>> head = in_units(mean_squared_error("identity"), np.array([100.0]), np.array([10.0]))
    >>> head.output.value(np.zeros((1, 2, 1))).ravel()
    array([100., 100.])
    """

    def value(Z: Array, out: Array | None = None) -> Array:
        A = np.multiply(Z, scale.astype(Z.dtype), out)
        A = np.add(A, shift.astype(Z.dtype), out)
        return np.exp(A, out) if log else A

    def scaled(Y: Array) -> Array:
        return (((np.log(Y) if log else Y) - shift) / scale).astype(Y.dtype)

    def dZ(Z: Array, A: Array, Y: Array, out: Array | None = None) -> Array:
        return head.dZ(Z, Z, scaled(Y), out)

    def backward(dA: Array, A: Array, out: Array | None = None) -> Array:
        slope = scale.astype(dA.dtype) * (A if log else 1)
        return np.multiply(dA, slope, out)

    return head._replace(
        output=Output(value, backward, 0 if log else -np.inf, np.inf),
        dZ=dZ,
        optimised=lambda Z, A, Y: head.cost(Z, Z, scaled(Y)),
        made="scaled targets",
    )


def weighted(head: Head, weight_of: Callable[[Array], Array]) -> Head:
    """A head whose rows count `weight_of`(Y), (..., n) of Y (..., n, outputs):

    J = (1/n) sum_i w_i loss_i,   dJ/dz_i = w_i dloss_i/dz_i / n
    """

    def cost(Z: Array, A: Array, Y: Array) -> Array:
        K, n, outputs = Z.shape
        each = (np.broadcast_to(part, Z.shape).reshape(K * n, 1, outputs) for part in (Z, A, Y))
        losses = head.cost(*each).reshape(K, n)  # every row is a set of one
        return np.add.reduce(losses * weight_of(Y), axis=1) / n

    def dZ(Z: Array, A: Array, Y: Array, out: Array | None = None) -> Array:
        found = head.dZ(Z, A, Y, out)
        return np.multiply(found, weight_of(Y)[..., None].astype(found.dtype), found)

    return head._replace(cost=cost, dZ=dZ, made="weighted classes")


def by_class(weights: Array, targets: Array) -> Callable[[Array], Array]:
    """The weight of each row by its class: `weights` (classes,), `targets` (classes, outputs) what each is trained to.

    >>> by_class(np.array([1.0, 3.0]), np.array([[0.0], [1.0]]))(np.array([[1.0], [0.0]]))
    array([3., 1.])
    """
    if targets.shape[1] > 1:
        return lambda Y: Y @ weights.astype(Y.dtype)  # one-hot
    borders = (targets[1:, 0] + targets[:-1, 0]) / 2
    return lambda Y: weights.astype(Y.dtype)[np.searchsorted(borders, Y[..., 0])]
