"""The arrays and small records that the network's mathematics passes around.

Every array of a network carries a leading *member* axis: K networks of the same shape are trained as one, and one
network is K = 1. No operation in this package reduces over that axis.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Lt
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Ge(0), Lt(1)]
Count = Annotated[int, Ge(0)]
PositiveCount = Annotated[int, Ge(1)]


class Layer(NamedTuple):
    """The parameters of one layer, or their gradients: `W` (K, fan_in, fan_out), `b` (K, 1, fan_out)."""

    W: Array
    b: Array


class Affine(NamedTuple):
    """The layers as one matrix each, for inputs with a column of ones: A W + b = [A 1] Wb.

    `Wb[l]` (K, fan_in + 1, fan_out) is W with b as its last row; `WT[l]` (K, fan_out, fan_in) is W transposed.
    """

    Wb: Sequence[Array]
    WT: Sequence[Array]


class Span(NamedTuple):
    """Where one layer stands in a member's flat parameters: W in [start, bias), b in [bias, stop)."""

    start: int
    bias: int
    stop: int


def spans(widths: tuple[int, ...]) -> list[Span]:
    """Where each layer of a network with these `widths` (inputs, hidden ..., outputs) stands in the flat vector.

    >>> spans((2, 4, 1))
    [Span(start=0, bias=8, stop=12), Span(start=12, bias=16, stop=17)]
    """
    found, start = [], 0
    for fan_in, fan_out in pairwise(widths):
        bias = start + fan_in * fan_out
        found.append(Span(start, bias, bias + fan_out))
        start = bias + fan_out
    return found


def layers_of(theta: Array, widths: tuple[int, ...]) -> list[Layer]:
    """The layers as views of the flat parameters `theta` (K, P): what is written to one is written to the other.

    One flat array makes an optimizer's update one operation, whatever the depth.
    """
    K = len(theta)
    return [
        Layer(
            theta[:, span.start : span.bias].reshape(K, fan_in, fan_out),
            theta[:, span.bias : span.stop].reshape(K, 1, fan_out),
        )
        for span, fan_in, fan_out in zip(spans(widths), widths[:-1], widths[1:], strict=True)
    ]


def affine_of(theta: Array, widths: tuple[int, ...]) -> Affine:
    """The layers as one matrix each, views of the flat parameters `theta` (K, P): there b follows W."""
    Wb = [
        theta[:, span.start : span.stop].reshape(len(theta), fan_in + 1, fan_out)
        for span, fan_in, fan_out in zip(spans(widths), widths[:-1], widths[1:], strict=True)
    ]
    return Affine(Wb, [each[:, :-1].swapaxes(1, 2) for each in Wb])


@lru_cache(maxsize=256)
def number(value: float, dtype: np.dtype) -> Array:
    """A number as an array (), which a ufunc takes faster than one of Python's."""
    return np.array(value, dtype=dtype)


class Part(NamedTuple):
    """One array of parameters: θ[start:stop] in its `shape`, the W or the b of `layer` (the first is 1)."""

    name: str
    layer: int
    kind: Literal["W", "b"]
    start: int
    stop: int
    shape: tuple[int, ...]


def parts_of(widths: tuple[int, ...]) -> list[Part]:
    """The parts of a fully connected network with these `widths`, as this project lays out θ.

    >>> [part.name for part in parts_of((2, 4, 1))]
    ['W1', 'b1', 'W2', 'b2']
    """
    found = []
    for layer, (span, fans) in enumerate(zip(spans(widths), pairwise(widths), strict=True), 1):
        found.append(Part(f"W{layer}", layer, "W", span.start, span.bias, fans))
        found.append(Part(f"b{layer}", layer, "b", span.bias, span.stop, (fans[1],)))
    return found
