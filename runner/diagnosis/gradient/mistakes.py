"""The mistakes that a fully connected network's backward pass can have, each as the gradient that it would give.

For a network whose structure is known (inputs, targets, activations, output and loss), backpropagation is written down
once more, plainly and for one member, and at one layer with one mistake in it at a time: a gradient that was found
wrong is compared with these (runner.diagnosis.gradient.naming). All above the layer is taken as right.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from runner.diagnosis.gradient.naming import RIGHT, Hypotheses, Hypothesis
from runner.nn import activations
from runner.nn.activations import Activation
from runner.nn.losses import Head, softmax_backward
from runner.nn.types import Array, Part

OTHERS: Mapping[str, Activation] = {
    "sigmoid": activations.sigmoid(),
    "tanh": activations.tanh(),
    "relu": activations.relu(),
    "leaky_relu": activations.leaky_relu(),
    "elu": activations.elu(),
    "softplus": activations.softplus(),
}


class Structure(NamedTuple):
    """A fully connected network on its data: `X` (n, d), `Y` (n, outputs), the `activation` of each hidden layer.

    `parts` are where each W and b stands in θ, layer by layer; `turned`: W is kept as (fan_out, fan_in), as W x + b has
    it. A layer without a bias has no such part.
    """

    X: Array
    Y: Array
    activations: Sequence[Activation]
    head: Head
    parts: Sequence[Part]
    l2: float = 0.0
    turned: bool = False


class Values(NamedTuple):
    """W, b, Z and A by layer, and dZ, the right ones; index 0 holds the inputs as A and nothing else."""

    W: list[Array]
    b: list[Array]
    Z: list[Array]
    A: list[Array]
    dZ: list[Array]


def hypotheses(of: Structure) -> Hypotheses:
    """The mistakes of one layer, (θ, layer) -> hypotheses, the right gradient among them."""

    def at(theta: Array, layer: int) -> Iterator[Hypothesis]:
        with np.errstate(all="ignore"):
            values = backpropagated(of, theta)
            yield _made(of, values, layer, RIGHT, "right", values.dZ[layer])
            for kind, says, dZ in _errors(of, values, layer):
                yield _made(of, values, layer, kind, says, dZ)
            yield from _products(of, values, layer)

    return at


def right(of: Structure, theta: Array) -> Array:
    """The right gradient (P,) of the mean cost at `theta` (P,), with L2."""
    values, g = backpropagated(of, theta), np.zeros_like(theta)
    for layer in range(1, len(values.W)):
        found = _made(of, values, layer, RIGHT, "right", values.dZ[layer]).gradient
        for part in of.parts:
            if part.layer == layer:
                g[part.start : part.stop] = np.ravel(found[part.name])
    return g


def cost(of: Structure, theta: Array) -> float:
    """The mean cost of the structure at `theta` (P,), with L2."""
    values = _forward(of, theta)
    penalty = of.l2 / 2 * sum(float((W * W).sum()) for W in values.W[1:])
    return float(of.head.objective(values.Z[-1][None], values.A[-1][None], of.Y[None])[0]) + penalty


def backpropagated(of: Structure, theta: Array) -> Values:
    """Forward and back: Rumelhart, Hinton & Williams (1986), as in runner.nn.network, for one member."""
    values = _forward(of, theta)
    Z, A, last = values.Z, values.A, len(values.W) - 1
    values.dZ[last] = of.head.dZ(Z[last][None], A[last][None], of.Y[None])[0]
    for layer in range(last - 1, 0, -1):
        dA = values.dZ[layer + 1] @ values.W[layer + 1].T
        values.dZ[layer] = dA * of.activations[layer - 1].derivative(Z[layer], A[layer])
    return values


def _forward(of: Structure, theta: Array) -> Values:
    last = max(part.layer for part in of.parts)
    nothing = np.empty(0)
    values = Values([nothing], [nothing], [nothing], [of.X], [nothing] * (last + 1))
    for layer in range(1, last + 1):
        own = {part.kind: theta[part.start : part.stop].reshape(part.shape) for part in of.parts if part.layer == layer}
        W = own["W"].T if of.turned else own["W"]
        b = own["b"].ravel() if "b" in own else np.zeros(W.shape[1])
        Z = values.A[-1] @ W + b
        f = of.activations[layer - 1].value if layer < last else of.head.output.value
        for into, array in zip(values[:4], (W, b, Z, f(Z)), strict=True):
            into.append(array)
    return values


def _made(
    of: Structure, values: Values, layer: int, kind: str, says: str, dZ: Array, inputs: Array | None = None
) -> Hypothesis:
    """The gradient that `dZ` (n, fan_out) gives: dW = A_{l-1}ᵀ dZ + λ W, db = 1ᵀ dZ."""
    A = values.A[layer - 1] if inputs is None else inputs
    dW, found = A.T @ dZ + of.l2 * values.W[layer], {}
    for part in of.parts:
        if part.layer == layer:
            found[part.name] = (dW.T if of.turned else dW) if part.kind == "W" else dZ.sum(axis=0)
    return Hypothesis(kind, f"{says} (layer {layer})." if kind != RIGHT else says, found)


def _errors(of: Structure, values: Values, layer: int) -> Iterator[tuple[str, str, Array]]:
    """dZ of the layer with each mistake that can be made in it: (kind, sentence, dZ)."""
    dZ, n = values.dZ[layer], len(of.X)
    # Where there is L2, the layer's gradient is no multiple of the right one: λ W is added to it afterwards.
    yield "sign", "The error has the wrong sign", -dZ
    yield "missing mean", f"The error is {n} times too large: a sum over the {n} rows in place of the mean", n * dZ
    yield "doubled mean", f"The error is {n} times too small: the mean over the {n} rows is taken twice", dZ / n
    yield from _at_output(of, values) if layer == len(values.W) - 1 else _at_hidden(of, values, layer)


def _at_output(of: Structure, values: Values) -> Iterator[tuple[str, str, Array]]:
    head, Z, A, Y, dZ = of.head, values.Z[-1], values.A[-1], of.Y, values.dZ[-1]
    weight, softmax = head.weight(A[None]), head.output.backward is softmax_backward
    if head.squared:
        dA, missing, flipped = A - Y, (A - Y) / (1 - A), A + Y
    else:
        dA = -(Y / A) if softmax else -(Y / A - (1 - Y) / (1 - A))
        missing, flipped = -(Y / A - (1 - Y) / A), -(Y / A + (1 - Y) / (1 - A))

    def through(dA: Array) -> Array:
        return head.output.backward(weight * dA, A)

    yield "missing 1 - A", "A factor 1 - A is missing in the derivative of the loss by the output", through(missing)
    yield "sign in the loss", "The second sign in the derivative of the loss by the output is wrong", through(flipped)
    yield "output derivative missing", "The derivative of the output function is left out: dZ = dA", weight * dA
    says = "The derivative of the output function is taken twice"
    yield "output derivative twice", says, head.output.backward(dZ, A)
    if not head.squared:
        says = "The error is A + Y, where A - Y belongs"
        yield "sign in the loss", says, weight * (A + Y)
    if softmax:
        E = np.exp(Z - Z.max(axis=0))
        wrong = E / E.sum(axis=0)
        for given in (A, wrong):
            columns = weight * (given - Y) if not head.squared else softmax_backward(weight * (given - Y), given)
            yield "softmax over rows", "softmax sums over the rows in place of the classes", columns
    sigmoid = expit(Z)
    for name, slope in (("sigmoid", sigmoid * (1 - sigmoid)), ("tanh", 1 - np.tanh(Z) ** 2), ("relu", Z > 0)):
        says = f"The derivative of the output function is that of {name}"
        yield "another output's derivative", says, weight * dA * slope
    yield (
        "output derivative at Z",
        "The derivative of the output function is taken at Z for A",
        weight * dA * Z * (1 - Z),
    )


def _at_hidden(of: Structure, values: Values, layer: int) -> Iterator[tuple[str, str, Array]]:
    activation, Z, A = of.activations[layer - 1], values.Z[layer], values.A[layer]
    above, W = values.dZ[layer + 1], values.W[layer + 1]
    dA, slope = above @ W.T, activation.derivative(Z, A)
    yield "activation derivative missing", "The derivative of the activation is left out: dZ = dA", dA
    yield "activation derivative twice", "The derivative of the activation is taken twice", dA * slope * slope
    says = "The derivative of the activation takes Z and is given A"
    yield "activation derivative at A", says, dA * activation.derivative(A, activation.value(A))
    says = "The derivative of the activation is written by A and is given Z"
    yield "activation derivative at Z", says, dA * activation.derivative(Z, Z)
    turned = above @ W.reshape(W.shape[::-1])
    yield (
        "transposed",
        f"The error comes down through W of layer {layer + 1} where its transpose belongs",
        turned * slope,
    )
    if above.shape == Z.shape:
        yield "off by one layer", "The error is that of the layer above, not yet brought down through its W", above
    for name, other in OTHERS.items():
        says = f"The derivative is that of {name}, and not of this layer's activation"
        yield "another activation's derivative", says, dA * other.derivative(Z, A)
        # Written by A, as `A * (1 - A)` is for the sigmoid, whatever the activation was.
        yield "another activation's derivative", says, dA * other.derivative(A, A)
    for factor, written in ((A, "A"), (1 - A, "1 - A"), (1 + A * A, "1 + A²"), (1 - Z * Z, "1 - Z²")):
        yield (
            "another activation's derivative",
            f"The derivative of the activation is taken to be {written}",
            dA * factor,
        )
    for other_layer in range(1, len(values.Z) - 1):
        if other_layer != layer and values.Z[other_layer].shape == Z.shape:
            shifted = activation.derivative(values.Z[other_layer], values.A[other_layer])
            yield "off by one layer", f"The derivative is taken at layer {other_layer}", dA * shifted


def _products(of: Structure, values: Values, layer: int) -> Iterator[Hypothesis]:
    """A right dZ, and a dW made with something else than the activations that come in."""
    dZ, right_inputs = values.dZ[layer], values.A[layer - 1]
    for other in range(len(values.A)):
        if other != layer - 1 and values.A[other].shape == right_inputs.shape:
            says = f"dW is made with the activations of layer {other} and not of layer {layer - 1}"
            yield _made(of, values, layer, "off by one layer", says, dZ, values.A[other])
    if layer > 1:
        says = f"dW is made with Z of layer {layer - 1}, before its activation, and not with A"
        yield _made(of, values, layer, "wrong inputs", says, dZ, values.Z[layer - 1])
