"""Kernels of the hidden activations: (f(z), f'(z)) of eight numbers.

One function each, named as in runner.nn.activations. An activation without a kernel here is trained by NumPy.
"""

import math

from runner.training.compiled.kernels import elementary
from runner.training.compiled.kernels.elementary import erf, exp, expit, expm1
from runner.training.compiled.kernels.lanes import Eight, at_least, at_most, fma

ROOT_HALF = math.sqrt(0.5)
DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)


def identity(z: Eight) -> tuple[Eight, Eight]:
    """f = z; f' = 1."""
    return z, z.choose(z < 0.0, 1.0, 1.0)


def sigmoid(z: Eight) -> tuple[Eight, Eight]:
    """f = 1 / (1 + exp(-z)); f' = (1 - f) f."""
    a = expit(z)
    return a, (1.0 - a) * a


def tanh(z: Eight) -> tuple[Eight, Eight]:
    """f = tanh(z); f' = 1 - f²."""
    a = elementary.tanh(z)
    return a, 1.0 - a * a


def relu(z: Eight) -> tuple[Eight, Eight]:
    """f = max(0, z); f' = 1 where z > 0, else 0."""
    return at_least(z, 0.0), z.choose(z > 0.0, 1.0, 0.0)


def leaky_relu(z: Eight) -> tuple[Eight, Eight]:
    """f = max(z, 0.01 z); f' = 1 where z > 0, else 0.01."""
    return z.choose(z > 0.0, z, 0.01 * z), z.choose(z > 0.0, 1.0, 0.01)


def elu(z: Eight) -> tuple[Eight, Eight]:
    """f = z where z > 0, else exp(z) - 1; f' = min(f, 0) + 1."""
    a = z.choose(z > 0.0, z, expm1(at_least(at_most(z, 0.0), -50.0)))
    return a, at_most(a, 0.0) + 1.0


def gelu(z: Eight) -> tuple[Eight, Eight]:
    """f = z Φ(z); f' = Φ(z) + z φ(z)."""
    cdf = (erf(ROOT_HALF * z) + 1.0) * 0.5
    return z * cdf, fma(z, exp(-0.5 * z * z) * DENSITY_AT_0, cdf)


def softplus(z: Eight) -> tuple[Eight, Eight]:
    """f = log(1 + exp(z)); f' = sigmoid(z)."""
    return elementary.softplus(z), expit(z)


KERNELS = [identity, sigmoid, tanh, relu, leaky_relu, elu, gelu, softplus]
