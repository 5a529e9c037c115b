"""A fully connected network, K at a time: the forward pass and backpropagation.

    Z_l = A_{l-1} W_l + b_l = [A_{l-1} 1] Wb_l,   A_l = f(Z_l),   A_0 = X

Weights are (K, fan_in, fan_out), and the bias is one more row of them (`Affine`): inputs carry a column of ones, so
that a layer is one product, and so is its gradient. Nothing here reduces over the member axis: a member gets the same
bits alone as among a thousand.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from runner.nn.activations import Activation
from runner.nn.losses import Head
from runner.nn.types import Affine, Array

matmul, multiply = np.matmul, np.multiply  # the names are looked up in every step


class Network(NamedTuple):
    """What the layers compute; the parameters are kept apart.

    `widths` (inputs, hidden ..., outputs); `l2` is a column (K, 1, 1), or None where no member has any.
    """

    widths: tuple[int, ...]
    activation: Activation
    head: Head
    l2: Array | None = None


class Pass(NamedTuple):
    """The arrays of a forward and a backward pass over n rows, made once and written to at every step.

    Layer l reads `inputs[l]` (K, n, fan_in + 1), the activations before it and a column of ones (`transposed` are views
    of them), and writes `Z[l]` and `A[l]` (K, n, fan_out), before and after its activation. `kept[l]` is where the next
    layer reads what dropout left of A: a view of `inputs[l + 1]`. Without dropout `A[l]` is that view itself.
    `dZ[l]` is the gradient by `Z[l]`, and `slope[l]` is f'(Z[l]).
    """

    n: int
    inputs: Sequence[Array]
    transposed: Sequence[Array]
    Z: Sequence[Array]
    A: Sequence[Array]
    kept: Sequence[Array]
    dZ: Sequence[Array]
    slope: Sequence[Array]


def with_ones(X: Array) -> Array:
    """[X 1]: inputs (n, d) with a column of ones, (n, d + 1)."""
    return np.concatenate([X, np.ones_like(X[:, :1])], axis=1)


def make_pass(widths: tuple[int, ...], X1: Array, K: int, dropping: bool = False) -> Pass:
    """Arrays for K networks on the inputs `X1` with ones, (n, d + 1) shared or (K, n, d + 1) each its own.

    A unit's values of all the rows lie side by side in memory: then a column of ones interrupts nothing.
    """
    n, dtype = X1.shape[-2], X1.dtype

    def array(width: int) -> Array:
        return np.ones((K, width, n), dtype=dtype).swapaxes(1, 2)  # (K, n, width)

    hidden, outputs = widths[1:-1], widths[-1]
    inputs = [X1, *(array(width + 1) for width in hidden)]
    kept = [each[..., :-1] for each in inputs[1:]]
    A = [array(width) for width in hidden] if dropping else kept
    return Pass(
        n=n,
        inputs=inputs,
        transposed=[each.swapaxes(-1, -2) for each in inputs],
        Z=[array(width) for width in widths[1:]],
        A=[*A, array(outputs)],
        kept=kept,
        dZ=[array(width) for width in widths[1:]],
        slope=[array(width) for width in hidden],
    )


def forward(network: Network, layers: Affine, passed: Pass, masks: Sequence[Array] = ()) -> Pass:
    """Fill in Z and A of every layer. `masks`, one a hidden layer, are dropout's: 0 where a unit is out, else
    1 / (1 - rate).

    Raises nothing: overflow gives inf and NaN, as in any program written by hand, and train.py watches for them.
    """
    inputs, Z, A, Wb = passed.inputs, passed.Z, passed.A, layers.Wb
    f, last = network.activation.value, len(Z) - 1
    for index in range(last):
        matmul(inputs[index], Wb[index], Z[index])  # Z = A W + b  (K, n, fan_out)
        f(Z[index], A[index])
        if masks:
            multiply(A[index], masks[index], passed.kept[index])
    matmul(inputs[last], Wb[last], Z[last])
    network.head.output.value(Z[last], A[last])
    return passed


def backward(
    network: Network, layers: Affine, passed: Pass, Y: Array, out: Affine, masks: Sequence[Array] = ()
) -> Sequence[Array]:
    """Write the gradient of the mean cost (with L2) into `out`; return every dZ_l, the first layer's first.

        dZ_L = dJ/dZ_L (the head's);   dW_l = A_{l-1}ᵀ dZ_l + λ W_l;   db_l = 1ᵀ dZ_l = sum over rows of dZ_l
        dA_{l-1} = dZ_l W_lᵀ;          dZ_{l-1} = dA_{l-1} * f'(Z_{l-1})

    Source: Rumelhart, Hinton & Williams, Nature 323 (1986).
    """
    transposed, Z, A, dZs, slope = passed.transposed, passed.Z, passed.A, passed.dZ, passed.slope
    WT, dWb, derivative, last = layers.WT, out.Wb, network.activation.derivative, len(Z) - 1
    # A product with one output is an outer one: a multiplication without a sum.
    product = multiply if network.widths[-1] == 1 else matmul
    dZ = network.head.dZ(Z[last], A[last], Y, dZs[last])
    for index in range(last, 0, -1):
        matmul(transposed[index], dZ, dWb[index])  # dW, and db below it
        dA = product(dZ, WT[index], dZs[index - 1])
        if masks:
            multiply(dA, masks[index - 1], dA)
        dZ = multiply(dA, derivative(Z[index - 1], A[index - 1], slope[index - 1]), dA)
        product = matmul
    matmul(transposed[0], dZ, dWb[0])
    if network.l2 is not None:
        for dW, W in zip(dWb, layers.Wb, strict=True):
            dW[:, :-1] += network.l2 * W[:, :-1]
    return dZs


def penalty(network: Network, layers: Affine) -> Array:
    """(λ/2) sum over layers of |W_l|², (K,): what L2 adds to the cost. Biases are not penalised."""
    if network.l2 is None:
        return np.zeros(len(layers.Wb[0]), dtype=layers.Wb[0].dtype)
    squares = np.stack([(WT * WT).sum(axis=(1, 2)) for WT in layers.WT]).sum(axis=0)
    return network.l2[:, 0, 0] / 2 * squares
