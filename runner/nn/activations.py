"""Hidden activations: A = f(Z) and its derivative f'(Z).

To add one, write one function here that returns an `Activation`; `architecture.activation=NAME` finds it by name, and
the tests hold its derivative against finite differences. Both functions write to `out` where they are given one (never
Z or A themselves), so that a training step allocates nothing.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import erf, expit

from runner.nn.types import Array


class Activation(NamedTuple):
    """`value`(Z, out) maps Z to A; `derivative`(Z, A, out) to dA/dZ, elementwise (A saves computing f twice)."""

    value: Callable[..., Array]
    derivative: Callable[..., Array]


def identity() -> Activation:
    """f(z) = z: no non-linearity; a deep network of these is a linear one."""

    def derivative(Z: Array, A: Array, out: Array | None = None) -> Array:
        out = np.empty_like(Z) if out is None else out
        out.fill(1)
        return out

    return Activation(np.positive, derivative)


def sigmoid() -> Activation:
    """f(z) = 1 / (1 + exp(-z)); f' = (1 - f) f."""

    def derivative(Z: Array, A: Array, out: Array | None = None) -> Array:
        out = np.subtract(1, A, out)
        return np.multiply(out, A, out)

    return Activation(expit, derivative)


def tanh() -> Activation:
    """f(z) = tanh(z); f' = 1 - f²."""

    def derivative(Z: Array, A: Array, out: Array | None = None) -> Array:
        out = np.multiply(A, A, out)
        return np.subtract(1, out, out)

    return Activation(np.tanh, derivative)


def relu() -> Activation:
    """f(z) = max(0, z); f' = 1 where z > 0, else 0.

    The derivative at exactly 0 is 0. It matters: the published costs of the cats network need it (a unit whose
    inputs are all dead has z = 0 exactly).
    """

    def value(Z: Array, out: Array | None = None) -> Array:
        return np.maximum(Z, 0, out=out)

    def derivative(Z: Array, A: Array, out: Array | None = None) -> Array:
        return np.greater(Z, 0, out=np.empty_like(Z) if out is None else out)

    return Activation(value, derivative)


def leaky_relu() -> Activation:
    """f(z) = max(z, 0.01 z): z where z > 0, else 0.01 z (Maas, Hannun & Ng, 2013)."""
    slope = 0.01

    def value(Z: Array, out: Array | None = None) -> Array:
        out = np.multiply(Z, slope, out=out)
        return np.maximum(Z, out, out=out)

    def derivative(Z: Array, A: Array, out: Array | None = None) -> Array:
        out = np.greater(Z, 0, out=np.empty_like(Z) if out is None else out)
        return np.maximum(out, slope, out=out)

    return Activation(value, derivative)


def elu() -> Activation:
    """f(z) = max(z, 0) + exp(min(z, 0)) - 1 (Clevert, Unterthiner & Hochreiter, 2016); f' = min(f, 0) + 1."""

    def value(Z: Array, out: Array | None = None) -> Array:
        out = np.minimum(Z, 0, out=out)
        np.expm1(out, out=out)
        return np.maximum(Z, out, out=out)  # below 0 exp(z) - 1 is above z, and above 0 it is 0 here

    def derivative(Z: Array, A: Array, out: Array | None = None) -> Array:
        out = np.minimum(A, 0, out=out)
        return np.add(out, 1, out=out)

    return Activation(value, derivative)


def gelu() -> Activation:
    """f(z) = z Φ(z), Φ the standard normal distribution function (Hendrycks & Gimpel, 2016); f' = Φ(z) + z φ(z)."""

    def normal_cdf(Z: Array, out: Array | None = None) -> Array:
        out = np.multiply(Z, 1 / np.sqrt(2.0).item(), out=out)
        erf(out, out=out)
        out += 1
        out *= 0.5
        return out

    def value(Z: Array, out: Array | None = None) -> Array:
        out = normal_cdf(Z, out)
        return np.multiply(Z, out, out=out)

    def derivative(Z: Array, A: Array, out: Array | None = None) -> Array:
        normal_density = np.exp(-0.5 * Z * Z) / np.sqrt(2 * np.pi).astype(Z.dtype)
        out = normal_cdf(Z, out)
        return np.add(out, Z * normal_density, out=out)

    return Activation(value, derivative)


def softplus() -> Activation:
    """f(z) = log(1 + exp(z)), without overflow; f' = sigmoid(z)."""

    def value(Z: Array, out: Array | None = None) -> Array:
        return np.logaddexp(0, Z, out=out)

    def derivative(Z: Array, A: Array, out: Array | None = None) -> Array:
        return expit(Z, out=out)

    return Activation(value, derivative)
