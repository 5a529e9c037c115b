"""Mistakes in the backward pass. A gradient check finds these, and names them."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import expit

from runner.nn.activations import Activation
from runner.nn.faults.types import Fault, Meets
from runner.nn.losses import PROBABILITIES, Head, mean_over_rows, softmax_backward
from runner.nn.types import Affine, Array, Positive

NO_SLOPE = ("identity",)  # activations with a derivative of 1
STEPS = ("identity", "relu", "leaky_relu")  # those whose derivative looks at nothing but the sign of z, or of a


def none() -> Fault:
    """Nothing is wrong."""
    return Fault()


def missing_one_minus_a() -> Fault:
    """The `1 - A` is missing in the derivative of the loss: dA = -(Y/A - (1-Y)/A). The parity post's mistake.

    With a squared error it is missing in the sigmoid's derivative: dZ = (A - Y) A for (A - Y) A (1 - A).
    """
    return _loss(lambda A, Y: -(Y / A - (1 - Y) / A), lambda A, Y: (A - Y) / (1 - A), "missing 1 - A")


def flipped_sign() -> Fault:
    """The second sign in the derivative of the loss is wrong: dA = -(Y/A + (1-Y)/(1-A)). The XOR post's mistake.

    With a squared error it is dA = A + Y for A - Y.
    """
    return _loss(lambda A, Y: -(Y / A + (1 - Y) / (1 - A)), lambda A, Y: A + Y, "sign in the loss")


def output_sign() -> Fault:
    """The error at the output is the wrong way round: Y - A for A - Y. The whole gradient is the negative."""
    return Fault(head=_scaled(-1.0), kind="sign", layer=_last)


def output_derivative_missing() -> Fault:
    """The derivative of the output function is left out: dZ = dA."""

    def head(right: Head) -> Head:
        def dZ(Z: Array, A: Array, Y: Array, out: Array | None = None) -> Array:
            return np.multiply(right.weight(A), _dA(right, A, Y), out)

        return right._replace(dZ=dZ)

    def impossible(meets: Meets) -> str | None:
        return "is a mistake in the output's derivative: identity's is 1." if meets.output == "identity" else None

    return Fault(head=head, kind="output derivative missing", layer=_last, impossible=impossible)


def output_derivative_twice() -> Fault:
    """The output's derivative is taken twice: dZ = (A - Y) A (1 - A) where A - Y has it in already."""

    def head(right: Head) -> Head:
        def dZ(Z: Array, A: Array, Y: Array, out: Array | None = None) -> Array:
            return right.output.backward(right.dZ(Z, A, Y), A, out)

        return right._replace(dZ=dZ)

    def impossible(meets: Meets) -> str | None:
        return "is a mistake in the output's derivative: identity's is 1." if meets.output == "identity" else None

    return Fault(head=head, kind="output derivative twice", layer=_last, impossible=impossible)


def softmax_over_rows() -> Fault:
    """softmax sums over the rows and not over the classes: each class's probabilities sum to 1 over the data."""

    def value(Z: Array, out: Array | None = None) -> Array:
        E = np.subtract(Z, Z.max(axis=-2, keepdims=True), out=out)
        np.exp(E, out=E)
        return np.divide(E, E.sum(axis=-2, keepdims=True), out=E)

    def head(right: Head) -> Head:
        cost = right.cost if right.squared else lambda Z, A, Y: mean_over_rows(-(Y * np.log(A)))
        return right._replace(output=right.output._replace(value=value), cost=cost)

    def impossible(meets: Meets) -> str | None:
        return None if meets.output == "softmax" else f"is one of softmax, and architecture.output={meets.output}."

    return Fault(head=head, kind="softmax over rows", layer=_last, impossible=impossible)


def hidden_sign() -> Fault:
    """A minus too many at every hidden layer: dZ = -dA f'(Z)."""
    return _derivative(lambda right, Z, A: -right(Z, A), "sign", without=())


def derivative_missing() -> Fault:
    """The derivative of the hidden activations is left out: dZ = dA."""
    return _derivative(lambda right, Z, A: np.ones_like(Z), "activation derivative missing")


def derivative_twice() -> Fault:
    """The derivative of the hidden activations is taken twice: dZ = dA f'(Z) f'(Z)."""
    without = ("identity", "relu")
    return _derivative(lambda right, Z, A: right(Z, A) ** 2, "activation derivative twice", without)


def derivative_of_another() -> Fault:
    """The hidden layers have another activation's derivative: A (1 - A), the sigmoid's; a sigmoid has tanh's."""

    def activation(right: Activation) -> Activation:
        sigmoid = right.value is expit

        def derivative(Z: Array, A: Array, out: Array | None = None) -> Array:
            return np.subtract(1, A * A, out) if sigmoid else np.multiply(A, 1 - A, out)

        return Activation(right.value, derivative)

    return Fault(activation=activation, kind="another activation's derivative", layer=_hidden, impossible=_has_hidden)


def derivative_of_a_for_z() -> Fault:
    """f' is given A where it takes Z: for the sigmoid, s(a) (1 - s(a)). It is how `derivative(A1)` is written."""
    return Fault(
        activation=lambda right: Activation(
            right.value, lambda Z, A, out=None: right.derivative(A, right.value(A), out)
        ),
        kind="activation derivative at A",
        layer=_hidden,
        impossible=lambda meets: _has_hidden(meets, STEPS),
    )


def derivative_of_z_for_a() -> Fault:
    """f' is written by A and given Z: Z (1 - Z) for the sigmoid, 1 - Z² for tanh."""

    def activation(right: Activation) -> Activation:
        if right.value is expit:
            return Activation(right.value, lambda Z, A, out=None: np.multiply(Z, 1 - Z, out))
        return Activation(right.value, lambda Z, A, out=None: np.subtract(1, Z * Z, out))

    def impossible(meets: Meets) -> str | None:
        if meets.activation not in ("sigmoid", "tanh"):
            return f"is one of activations whose derivative is written by A: sigmoid, tanh. Got {meets.activation}."
        return _has_hidden(meets)

    return Fault(activation=activation, kind="activation derivative at Z", layer=_hidden, impossible=impossible)


def relu_derivative_one_at_zero() -> Fault:
    """The derivative of ReLU at exactly 0 is 1 (and not 0): (Z >= 0) for (Z > 0). Other activations stay right."""

    def activation(right: Activation) -> Activation:
        def derivative(Z: Array, A: Array, out: Array | None = None) -> Array:
            return np.greater_equal(Z, 0, out=np.empty_like(Z) if out is None else out)

        probe = np.array([-1.0, 0.0, 2.0])
        is_relu = np.array_equal(right.value(probe), [0, 0, 2])
        return Activation(right.value, derivative) if is_relu else right

    return Fault(activation=activation)


def transposed_weights() -> Fault:
    """The error goes back through W where Wᵀ belongs: W itself where it is square, reshaped where it must fit."""

    def back(W: Array) -> Array:
        K, fan_in, fan_out = W.shape
        return W.reshape(K, fan_out, fan_in)

    def layer(meets: Meets) -> int:
        return max(i for i in range(1, meets.last) if min(meets.widths[i : i + 2]) > 1)

    def impossible(meets: Meets) -> str | None:
        missing = all(min(pair) == 1 for pair in _pairs(meets.widths[1:]))
        return "needs a layer above the first with several inputs and outputs." if missing else None

    return Fault(back=back, kind="transposed", layer=layer, impossible=impossible)


def transposed_gradient() -> Fault:
    """dW = dZᵀ A, reshaped to fit, where Aᵀ dZ belongs: its numbers stand in the wrong places."""

    def gradient(g: Affine, n: int) -> None:
        for Wb in g.Wb:
            K, fan_in, fan_out = Wb[:, :-1].shape
            Wb[:, :-1] = Wb[:, :-1].swapaxes(1, 2).reshape(K, fan_in, fan_out)

    def layer(meets: Meets) -> int:
        return max(i for i, pair in enumerate(_pairs(meets.widths), 1) if min(pair) > 1)

    def impossible(meets: Meets) -> str | None:
        missing = all(min(pair) == 1 for pair in _pairs(meets.widths))
        return "needs a layer with several inputs and outputs." if missing else None

    return Fault(gradient=gradient, rotates=False, kind="transposed", layer=layer, impossible=impossible)


def current_activation() -> Fault:
    """dW_l = A_lᵀ dZ_l for A_{l-1}ᵀ dZ_l: off by one. In every hidden layer after the first that is as wide as before.

    The first layer stays right, and so does the last: there the shapes would not fit.
    """

    def inputs(transposed: Sequence[Array]) -> Sequence[Array]:
        found = list(transposed)
        for index in range(1, len(found) - 1):
            if found[index].shape == found[index + 1].shape:
                found[index] = transposed[index + 1]
        return found

    def wide(meets: Meets) -> list[int]:
        return [i for i in range(2, meets.last) if meets.widths[i - 1] == meets.widths[i]]

    def impossible(meets: Meets) -> str | None:
        return None if wide(meets) else "needs two hidden layers of the same width, one after the other."

    return Fault(inputs=inputs, kind="off by one layer", layer=lambda meets: max(wide(meets)), impossible=impossible)


def frozen_layer() -> Fault:
    """The loop of the backward pass ends one layer early: the first layer's gradient is 0."""

    def gradient(g: Affine, n: int) -> None:
        g.Wb[0][:] = 0

    return Fault(gradient=gradient, kind="frozen", layer=lambda meets: 1)


def bias_gradient_missing() -> Fault:
    """db = 0: the biases are left out of the backward pass."""

    def gradient(g: Affine, n: int) -> None:
        for Wb in g.Wb:
            Wb[:, -1] = 0

    return Fault(gradient=gradient, kind="frozen bias", layer=_last)


def bias_gradient_summed() -> Fault:
    """db = np.sum(dZ) without an axis: one number, the sum over rows and units, for all of a layer's biases."""

    def gradient(g: Affine, n: int) -> None:
        for Wb in g.Wb:
            Wb[:, -1] = Wb[:, -1].sum(axis=-1, keepdims=True)

    def layer(meets: Meets) -> int:
        return max(i for i, width in enumerate(meets.widths) if i and width > 1)

    def impossible(meets: Meets) -> str | None:
        return None if max(meets.widths[1:]) > 1 else "needs a layer with several units."

    return Fault(gradient=gradient, kind="wrong bias", layer=layer, impossible=impossible)


def bias_not_averaged() -> Fault:
    """db is the sum over the rows, and dW the mean."""

    def gradient(g: Affine, n: int) -> None:
        for Wb in g.Wb:
            Wb[:, -1] *= n

    return Fault(gradient=gradient, kind="missing mean", layer=_last)


def summed_gradient() -> Fault:
    """The 1/n is missing: the gradient is the sum over the rows, n times too large."""
    return Fault(gradient=_times(lambda n: n), kind="missing mean", layer=_last)


def averaged_twice() -> Fault:
    """The 1/n is there twice, in the loss and in dW and db: the gradient is n times too small."""
    return Fault(gradient=_times(lambda n: 1 / n), kind="doubled mean", layer=_last)


def halved_gradient(severity: Positive = 2.0) -> Fault:
    """The update divides the gradient by `severity`: half the rate that the configuration says. The spiral post's."""
    return Fault(gradient=_times(lambda n: 1 / severity), kind="factor", layer=_last)


def l2_left_out() -> Fault:
    """The cost has the penalty and the gradient does not: λ W is forgotten. It needs architecture.l2 above 0."""

    def impossible(meets: Meets) -> str | None:
        return None if meets.l2 else "is a mistake in L2, and architecture.l2=0."

    return Fault(l2=False, kind="l2", layer=_last, impossible=impossible)


def _dA(head: Head, A: Array, Y: Array) -> Array:
    """The derivative of a row's loss by the outputs, right."""
    if head.squared:
        return A - Y
    return -(Y / A) if head.output.backward is softmax_backward else -(Y / A - (1 - Y) / (1 - A))


def _times(factor: Callable[[int], float]) -> Callable[[Affine, int], None]:
    def gradient(g: Affine, n: int) -> None:
        for Wb in g.Wb:
            Wb *= factor(n)

    return gradient


def _scaled(factor: float) -> Callable[[Head], Head]:
    def head(right: Head) -> Head:
        def dZ(Z: Array, A: Array, Y: Array, out: Array | None = None) -> Array:
            return np.multiply(right.dZ(Z, A, Y, out), factor, out)

        return right._replace(dZ=dZ)

    return head


def _loss(dA: Callable[[Array, Array], Array], squared_dA: Callable[[Array, Array], Array], kind: str) -> Fault:
    """A loss with another derivative by the outputs, (A, Y) -> dA of a row, before the mean is taken."""

    def head(right: Head) -> Head:
        wrong = squared_dA if right.squared else dA

        def dZ(Z: Array, A: Array, Y: Array, out: Array | None = None) -> Array:
            return right.output.backward(right.weight(A) * wrong(A, Y), A, out)

        return right._replace(dZ=dZ)

    def impossible(meets: Meets) -> str | None:
        if meets.output in PROBABILITIES:
            return None
        return f"is a mistake in probabilities, and architecture.output={meets.output} gives none."

    return Fault(head=head, kind=kind, layer=_last, impossible=impossible)


def _derivative(wrong: Callable[..., Array], kind: str, without: tuple[str, ...] = NO_SLOPE) -> Fault:
    """The hidden activations with a derivative made of the right one: `wrong`(derivative, Z, A)."""

    def activation(right: Activation) -> Activation:
        def derivative(Z: Array, A: Array, out: Array | None = None) -> Array:
            return np.positive(wrong(right.derivative, Z, A), out=out)

        return Activation(right.value, derivative)

    return Fault(activation=activation, kind=kind, layer=_hidden, impossible=lambda meets: _has_hidden(meets, without))


def _has_hidden(meets: Meets, without: tuple[str, ...] = ()) -> str | None:
    if meets.last < 2:
        return "is a mistake in hidden layers, and architecture.hidden=[]."
    if meets.activation in without:
        return f"changes nothing with architecture.activation={meets.activation}."
    return None


def _pairs(widths: Sequence[int]) -> list[Any]:
    return list(pairwise(widths))


def _last(meets: Meets) -> int:
    return meets.last


def _hidden(meets: Meets) -> int:
    return meets.last - 1
