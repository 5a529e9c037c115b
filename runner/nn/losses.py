"""The head of a network: its output function and its loss, J = mean over the n rows of a per-row loss.

The mean is taken once, here: `dA` and `dZ` below are gradients of J, so they carry the 1/n, and nothing further down
divides again. A loss is one function that is given the output function by name and returns the `Head` of the two.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from runner.nn.types import Array, number

LOG_2 = float(np.log(2))


class Output(NamedTuple):
    """An output function: A = `value`(Z, out); `backward`(dA, A, out) gives dZ; its values lie in `low` to `high`.

    What is given an `out` writes its result there.
    """

    value: Callable[..., Array]
    backward: Callable[..., Array]
    low: float
    high: float


class Head(NamedTuple):
    """Output function and loss as one: A = `output.value`(Z), J = `cost`(Z, A, Y) (K,), dJ/dZ = `dZ`(Z, A, Y, out).

    `squared` tells the squared errors from the cross-entropies; `weight`(A) is what the mean multiplies a row's dA by.
    `optimised` is what dZ is the gradient of, where that is not the cost itself but the cost in other units.
    """

    output: Output
    cost: Callable[[Array, Array, Array], Array]
    dZ: Callable[..., Array]
    squared: bool = False
    weight: Callable[[Array], float] = lambda A: 1 / A.shape[1]
    optimised: Callable[[Array, Array, Array], Array] | None = None
    made: str = ""  # what runner.nn.heads made of it, in words

    @property
    def objective(self) -> Callable[[Array, Array, Array], Array]:
        """What dZ is the gradient of."""
        return self.cost if self.optimised is None else self.optimised


def softmax(Z: Array, out: Array | None = None) -> Array:
    """a_i = exp(z_i) / sum_j exp(z_j) over the last axis, shifted by the row's maximum so that nothing overflows."""
    E = np.subtract(Z, Z.max(axis=-1, keepdims=True), out=out)
    np.exp(E, out=E)
    return np.divide(E, E.sum(axis=-1, keepdims=True), out=E)


def softmax_backward(dA: Array, A: Array, out: Array | None = None) -> Array:
    """dz_i = a_i (da_i - sum_j a_j da_j): the Jacobian of softmax is diag(a) - a aᵀ."""
    return np.multiply(A, dA - (A * dA).sum(axis=-1, keepdims=True), out=out)


def sigmoid_backward(dA: Array, A: Array, out: Array | None = None) -> Array:
    """dz = da a (1 - a)."""
    return np.multiply(dA, A * (1 - A), out=out)


def tanh_backward(dA: Array, A: Array, out: Array | None = None) -> Array:
    """dz = da (1 - a²)."""
    return np.multiply(dA, 1 - A * A, out=out)


def identity_backward(dA: Array, A: Array, out: Array | None = None) -> Array:
    """dz = da."""
    return np.positive(dA, out=out)


OUTPUTS = {
    "sigmoid": Output(expit, sigmoid_backward, low=0, high=1),
    "softmax": Output(softmax, softmax_backward, low=0, high=1),
    "tanh": Output(np.tanh, tanh_backward, low=-1, high=1),
    "identity": Output(np.positive, identity_backward, low=-np.inf, high=np.inf),
}

PROBABILITIES = ("sigmoid", "softmax")


def mean_over_rows(losses: Array) -> Array:
    """J (K,) = (1/n) sum over rows and outputs of `losses` (K, n, outputs)."""
    return np.add.reduce(losses, axis=(1, 2)) / losses.shape[1]


def cross_entropy(output: str, epsilon: float = 0.0) -> Head:
    """Cross-entropy from the logits: it cannot overflow, whatever the weights.

        sigmoid:  J = (1/n) sum log(1 + exp(z)) - y z       dJ/dz = (a - y) / n
        softmax:  J = (1/n) sum log(sum_j exp(z_j)) - y·z   dJ/dz = (a - y) / n

    Source: Bishop, Pattern Recognition and Machine Learning (2006), 4.3.
    """

    def sigmoid_cost(Z: Array, A: Array, Y: Array) -> Array:
        return mean_over_rows(np.logaddexp(0, Z) - Y * Z)

    def softmax_cost(Z: Array, A: Array, Y: Array) -> Array:
        top = Z.max(axis=-1, keepdims=True)
        log_sum = top + np.log(np.exp(Z - top).sum(axis=-1, keepdims=True))
        return mean_over_rows(log_sum - (Y * Z).sum(axis=-1, keepdims=True))

    def dZ(Z: Array, A: Array, Y: Array, out: Array | None = None) -> Array:
        out = np.subtract(A, Y, out)
        return np.divide(out, number(A.shape[1], out.dtype), out)

    return Head(OUTPUTS[output], softmax_cost if output == "softmax" else sigmoid_cost, dZ)


def cross_entropy_from_probabilities(output: str, epsilon: float = 0.0) -> Head:
    """Cross-entropy from the probabilities, as textbooks print it and programs should not write it.

        sigmoid:  J = -(1/n) sum y log(a + ε) + (1 - y) log(1 - a + ε)
                  dJ/da = -(y / (a + ε) - (1 - y) / (1 - a + ε)) / n
        softmax:  J = -(1/n) sum y·log(a + ε),   dJ/da = -y / (a + ε) / n

    At a = 1 exactly (z > 36.74 in float64) it is log(0) and 1/0. An epsilon hides that and biases the gradient.
    """

    def sigmoid_cost(Z: Array, A: Array, Y: Array) -> Array:
        return mean_over_rows(-(Y * np.log(A + epsilon) + (1 - Y) * np.log(1 - A + epsilon)))

    def softmax_cost(Z: Array, A: Array, Y: Array) -> Array:
        return mean_over_rows(-(Y * np.log(A + epsilon)))

    def dZ(Z: Array, A: Array, Y: Array, out: Array | None = None) -> Array:
        dA = -(Y / (A + epsilon) - (1 - Y) / (1 - A + epsilon)) / Z.shape[1]
        return OUTPUTS[output].backward(dA, A, out)

    def softmax_dZ(Z: Array, A: Array, Y: Array, out: Array | None = None) -> Array:
        dA = -(Y / (A + epsilon)) / Z.shape[1]
        return OUTPUTS[output].backward(dA, A, out)

    if output == "softmax":
        return Head(OUTPUTS[output], softmax_cost, softmax_dZ)
    return Head(OUTPUTS[output], sigmoid_cost, dZ)


def mean_squared_error(output: str, epsilon: float = 0.0) -> Head:
    """J = mean over rows and outputs of (a - y)²;  dJ/da = 2 (a - y) / (n outputs)."""

    def dZ(Z: Array, A: Array, Y: Array, out: Array | None = None) -> Array:
        return OUTPUTS[output].backward((2 / A[0].size) * (A - Y), A, out)

    return Head(
        output=OUTPUTS[output],
        cost=lambda Z, A, Y: mean_over_rows((A - Y) ** 2) / A.shape[2],
        dZ=dZ,
        squared=True,
        weight=lambda A: 2 / A[0].size,
    )


def half_squared_error(output: str, epsilon: float = 0.0) -> Head:
    """J = (1/n) sum (a - y)² / 2;  dJ/da = (a - y) / n. The half is there so that the derivative has no 2."""

    def dZ(Z: Array, A: Array, Y: Array, out: Array | None = None) -> Array:
        return OUTPUTS[output].backward((A - Y) / Z.shape[1], A, out)

    return Head(OUTPUTS[output], lambda Z, A, Y: mean_over_rows((A - Y) ** 2) / 2, dZ, squared=True)


def constant_cost(loss: str, output: str, Y: Array) -> float:
    """The least cost of a network that ignores its inputs: the entropy of the labels, or their variance.

    `Y` (n, outputs). Under cross-entropy it is H = -sum p log p in nats, p the share of each class;
    under the squared errors the variance of the targets (half of it for the half).
    """
    return constant_cost_of(loss, output, Y.mean(axis=0), Y.var(axis=0))


def constant_cost_of(loss: str, output: str, mean: Array, variance: Array) -> float:
    """`constant_cost` of targets with this mean and variance (outputs,)."""
    if loss.startswith("cross_entropy"):
        p = mean
        entropy = -float(np.sum(p * np.log(np.where(p > 0, p, 1))))
        if output == "sigmoid":
            entropy -= float(np.sum((1 - p) * np.log(np.where(p < 1, 1 - p, 1))))
        return entropy
    return float(variance.mean() if loss == "mean_squared_error" else variance.sum() / 2)
