"""How weights begin. Each function here takes a `scale` and a `bias_scale` and returns an `Initializer`.

All weights are drawn layer by layer, each matrix as (fan_out, fan_in) and transposed, as the textbooks that print
W x + b do; then the biases, `bias_scale` times standard normal draws. To add one: one function here, one yaml in
conf/init.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from runner.nn.types import Array, NonNegative, layers_of

Generator = np.random.Generator | np.random.RandomState


class Initializer(NamedTuple):
    """`weights` draws one matrix (fan_in, fan_out) from a generator; `bias_scale` is the spread of the biases."""

    weights: Callable[[Generator, int, int], Array]
    bias_scale: float


def draw(initializer: Initializer, generator: Generator, widths: tuple[int, ...]) -> Array:
    """The flat initial parameters (P,) of one network with `widths` (inputs, hidden ..., outputs), float64.

    A member is drawn alone, from its own generator: it never knows how many others train beside it.
    """
    fans = list(pairwise(widths))
    weights = [initializer.weights(generator, fan_in, fan_out) for fan_in, fan_out in fans]
    biases = [np.zeros(fan_out) for _, fan_out in fans]
    if initializer.bias_scale > 0:
        biases = [initializer.bias_scale * generator.standard_normal(fan_out) for _, fan_out in fans]
    theta = np.empty((1, sum(W.size + b.size for W, b in zip(weights, biases, strict=True))))
    for layer, W, b in zip(layers_of(theta, widths), weights, biases, strict=True):
        layer.W[0], layer.b[0, 0] = W, b
    return theta[0]


def zeros(scale: float = 1.0, bias_scale: NonNegative = 0.0) -> Initializer:
    """W = 0: every hidden unit of a layer stays the same as its neighbours for ever. `scale` changes nothing."""
    return Initializer(lambda generator, fan_in, fan_out: np.zeros((fan_in, fan_out)), bias_scale)


def constant(scale: float = 0.5, bias_scale: NonNegative = 0.0) -> Initializer:
    """W = scale in every place: as symmetric as zeros."""
    return Initializer(lambda generator, fan_in, fan_out: np.full((fan_in, fan_out), scale), bias_scale)


def normal(scale: NonNegative = 0.01, bias_scale: NonNegative = 0.0, fan_in_first: bool = False) -> Initializer:
    """W = scale N(0, 1), whatever the width. `fan_in_first` draws each matrix as (fan_in, fan_out)."""

    def weights(generator: Generator, fan_in: int, fan_out: int) -> Array:
        if fan_in_first:
            return scale * generator.standard_normal((fan_in, fan_out))
        return scale * generator.standard_normal((fan_out, fan_in)).T

    return Initializer(weights, bias_scale)


def uniform(scale: NonNegative = 0.05, bias_scale: NonNegative = 0.0) -> Initializer:
    """W = U(-scale, scale), whatever the width."""
    return Initializer(_uniform(lambda fan_in, fan_out: scale), bias_scale)


def xavier_normal(scale: NonNegative = 1.0, bias_scale: NonNegative = 0.0) -> Initializer:
    """W = scale sqrt(2 / (fan_in + fan_out)) N(0, 1) (Glorot & Bengio, 2010): for tanh and sigmoid."""
    return Initializer(_normal(lambda fan_in, fan_out: scale * np.sqrt(2 / (fan_in + fan_out))), bias_scale)


def xavier_uniform(scale: NonNegative = 1.0, bias_scale: NonNegative = 0.0) -> Initializer:
    """W = U(-a, a), a = scale sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio, 2010)."""
    return Initializer(_uniform(lambda fan_in, fan_out: scale * np.sqrt(6 / (fan_in + fan_out))), bias_scale)


def he_normal(scale: NonNegative = 1.0, bias_scale: NonNegative = 0.0) -> Initializer:
    """W = scale sqrt(2 / fan_in) N(0, 1) (He, Zhang, Ren & Sun, 2015): for ReLU and its kin."""
    return Initializer(_normal(lambda fan_in, fan_out: scale * np.sqrt(2 / fan_in)), bias_scale)


def he_uniform(scale: NonNegative = 1.0, bias_scale: NonNegative = 0.0) -> Initializer:
    """W = U(-a, a), a = scale sqrt(6 / fan_in) (He, Zhang, Ren & Sun, 2015)."""
    return Initializer(_uniform(lambda fan_in, fan_out: scale * np.sqrt(6 / fan_in)), bias_scale)


def lecun_normal(scale: NonNegative = 1.0, bias_scale: NonNegative = 0.0) -> Initializer:
    """W = scale N(0, 1) / sqrt(fan_in) (LeCun, Bottou, Orr & Müller, 1998)."""

    def weights(generator: Generator, fan_in: int, fan_out: int) -> Array:
        # A division and not a product with 1/sqrt(fan_in): it is what the published costs were made with.
        return scale * (generator.standard_normal((fan_out, fan_in)).T / np.sqrt(fan_in))

    return Initializer(weights, bias_scale)


def lecun_uniform(scale: NonNegative = 1.0, bias_scale: NonNegative = 0.0) -> Initializer:
    """W = U(-a, a), a = scale sqrt(3 / fan_in) (LeCun, Bottou, Orr & Müller, 1998)."""
    return Initializer(_uniform(lambda fan_in, fan_out: scale * np.sqrt(3 / fan_in)), bias_scale)


def orthogonal(scale: NonNegative = 1.0, bias_scale: NonNegative = 0.0) -> Initializer:
    """W = scale Q, Q with orthonormal rows or columns, uniform among those (Saxe, McClelland & Ganguli, 2014)."""

    def weights(generator: Generator, fan_in: int, fan_out: int) -> Array:
        tall = generator.standard_normal((max(fan_in, fan_out), min(fan_in, fan_out)))
        Q, R = np.linalg.qr(tall)
        Q = Q * np.sign(np.diag(R))  # without the signs Q is not uniform (Mezzadri, 2007)
        return scale * (Q if fan_in >= fan_out else Q.T)

    return Initializer(weights, bias_scale)


def _normal(spread: Callable[[int, int], float]) -> Callable[[Generator, int, int], Array]:
    return lambda generator, fan_in, fan_out: generator.standard_normal((fan_out, fan_in)).T * spread(fan_in, fan_out)


def _uniform(bound: Callable[[int, int], float]) -> Callable[[Generator, int, int], Array]:
    return lambda generator, fan_in, fan_out: generator.uniform(-1.0, 1.0, (fan_out, fan_in)).T * bound(fan_in, fan_out)
