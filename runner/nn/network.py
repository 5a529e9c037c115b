"""A fully connected network, K at a time: the forward pass and backpropagation.

    Z_l = A_{l-1} W_l + b_l,   A_l = f(Z_l),   A_0 = X

Data `X` is (n, d), shared by all members, or (K, n, d), each its own rows; weights are (K, fan_in, fan_out). Nothing
here reduces over the member axis, so a member gets the same bits alone as among a thousand.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from runner.nn.activations import Activation
from runner.nn.losses import Head
from runner.nn.types import Array, Layer


class Network(NamedTuple):
    """What the layers compute; the parameters are kept apart.

    `widths` (inputs, hidden ..., outputs); `l2` is a column (K, 1, 1), or None where no member has any.
    """

    widths: tuple[int, ...]
    activation: Activation
    head: Head
    l2: Array | None = None


class Pass(NamedTuple):
    """A forward pass: `Z[l]` before and `A[l + 1]` after the activation of layer l; `A[0]` is the input."""

    Z: Sequence[Array]
    A: Sequence[Array]


def forward(network: Network, layers: Sequence[Layer], X: Array, masks: Sequence[Array] = ()) -> Pass:
    """Z and A of every layer. `masks`, one a hidden layer, are dropout's: 0 where a unit is out, else 1 / (1 - rate).

    Raises nothing: overflow gives inf and NaN, as in any program written by hand, and train.py watches for them.
    """
    Zs, As = [], [X]
    for index, (W, b) in enumerate(layers):
        Z = As[-1] @ W
        Z += b  # (K, n, fan_out)
        if index == len(layers) - 1:
            A = network.head.output.value(Z)
        else:
            A = network.activation.value(Z)
            if masks:
                A = A * masks[index]
        Zs.append(Z)
        As.append(A)
    return Pass(Zs, As)


def backward(
    network: Network,
    layers: Sequence[Layer],
    passed: Pass,
    Y: Array,
    out: Sequence[Layer],
    masks: Sequence[Array] = (),
) -> list[Array]:
    """Write the gradient of the mean cost (with L2) into `out`; return every dZ_l, the first layer's first.

        dZ_L = dJ/dZ_L (the head's);   dW_l = A_{l-1}ᵀ dZ_l + λ W_l;   db_l = sum over rows of dZ_l
        dA_{l-1} = dZ_l W_lᵀ;          dZ_{l-1} = dA_{l-1} * f'(Z_{l-1})

    Source: Rumelhart, Hinton & Williams, Nature 323 (1986).
    """
    dZ = network.head.dZ(passed.Z[-1], passed.A[-1], Y)
    dZs = [dZ]
    for index in range(len(layers) - 1, -1, -1):
        W, dW, db = layers[index].W, out[index].W, out[index].b
        np.matmul(passed.A[index].swapaxes(-1, -2), dZ, out=dW)
        np.sum(dZ, axis=1, keepdims=True, out=db)
        if network.l2 is not None:
            dW += network.l2 * W
        if index == 0:
            break
        dA = dZ @ W.swapaxes(-1, -2)
        if masks:
            dA *= masks[index - 1]
        # f' is taken at what the activation gave before dropout: Z alone, or A where no mask has touched it.
        A = network.activation.value(passed.Z[index - 1]) if masks else passed.A[index]
        dZ = dA * network.activation.derivative(passed.Z[index - 1], A)
        dZs.insert(0, dZ)
    return dZs


def penalty(network: Network, layers: Sequence[Layer]) -> Array:
    """(λ/2) sum over layers of |W_l|², (K,): what L2 adds to the cost. Biases are not penalised."""
    if network.l2 is None:
        return np.zeros(len(layers[0].W), dtype=layers[0].W.dtype)
    squares = np.stack([(layer.W * layer.W).sum(axis=(1, 2)) for layer in layers]).sum(axis=0)
    return network.l2[:, 0, 0] / 2 * squares
