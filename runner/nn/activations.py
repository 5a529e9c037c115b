"""Hidden activations: A = f(Z) and its derivative f'(Z).

To add one, write one function here that returns an `Activation`; `architecture.activation=NAME` finds it by name, and
the tests hold its derivative against finite differences.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import erf, expit

from runner.nn.types import Array


class Activation(NamedTuple):
    """`value` maps Z to A; `derivative` maps (Z, A) to dA/dZ, elementwise (A saves computing f twice)."""

    value: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array]


def identity() -> Activation:
    """f(z) = z: no non-linearity; a deep network of these is a linear one."""
    return Activation(value=lambda Z: Z, derivative=lambda Z, A: np.ones_like(Z))


def sigmoid() -> Activation:
    """f(z) = 1 / (1 + exp(-z)); f' = f (1 - f)."""
    return Activation(value=expit, derivative=lambda Z, A: A * (1 - A))


def tanh() -> Activation:
    """f(z) = tanh(z); f' = 1 - f²."""
    return Activation(value=np.tanh, derivative=lambda Z, A: 1 - A * A)


def relu() -> Activation:
    """f(z) = max(0, z); f' = 1 where z > 0, else 0.

    The derivative at exactly 0 is 0. It matters: the published costs of the cats network need it (a unit whose
    inputs are all dead has z = 0 exactly).
    """
    return Activation(value=lambda Z: np.maximum(Z, 0), derivative=lambda Z, A: (Z > 0).astype(Z.dtype))


def leaky_relu() -> Activation:
    """f(z) = z where z > 0, else 0.01 z (Maas, Hannun & Ng, 2013)."""
    slope = 0.01
    return Activation(
        value=lambda Z: np.where(Z > 0, Z, slope * Z),
        derivative=lambda Z, A: np.where(Z > 0, 1, slope).astype(Z.dtype),
    )


def elu() -> Activation:
    """f(z) = z where z > 0, else exp(z) - 1 (Clevert, Unterthiner & Hochreiter, 2016); f' = f + 1 where z <= 0."""
    return Activation(
        value=lambda Z: np.where(Z > 0, Z, np.expm1(np.minimum(Z, 0))),
        derivative=lambda Z, A: np.where(Z > 0, 1, A + 1),
    )


def gelu() -> Activation:
    """f(z) = z Φ(z), Φ the standard normal distribution function (Hendrycks & Gimpel, 2016); f' = Φ(z) + z φ(z)."""

    def normal_cdf(Z: Array) -> Array:
        return 0.5 * (1 + erf(Z / np.sqrt(2).astype(Z.dtype)))

    def normal_pdf(Z: Array) -> Array:
        return np.exp(-0.5 * Z * Z) / np.sqrt(2 * np.pi).astype(Z.dtype)

    return Activation(
        value=lambda Z: Z * normal_cdf(Z),
        derivative=lambda Z, A: normal_cdf(Z) + Z * normal_pdf(Z),
    )


def softplus() -> Activation:
    """f(z) = log(1 + exp(z)), without overflow; f' = sigmoid(z)."""
    return Activation(value=lambda Z: np.logaddexp(0, Z), derivative=lambda Z, A: expit(Z))
