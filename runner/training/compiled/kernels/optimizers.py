"""Kernels of the optimizers: (step, memory, memory) of eight parameters. One function each, named as in
runner.nn.optimizers.

`a` and `b` are what an optimizer remembers of these parameters, and what it remembers next comes back in their places;
the numbers are the member's. An optimizer without a kernel here is trained by NumPy.
"""

from typing import NamedTuple

from runner.training.compiled.kernels.lanes import Eight, root

Update = tuple[Eight, Eight, Eight]
# Where each argument of the functions in runner.nn.optimizers stands among a member's numbers.
NUMBERS = ["lr", "momentum", "rho", "beta1", "beta2", "epsilon", "weight_decay", "clip_norm"]


class Numbers(NamedTuple):
    """`lr` is this step's; `rest1` and `rest2` are 1 - β₁ᵗ and 1 - β₂ᵗ."""

    lr: Eight
    momentum: Eight
    rho: Eight
    beta1: Eight
    beta2: Eight
    epsilon: Eight
    decay: Eight
    rest1: Eight
    rest2: Eight


def gd(theta: Eight, g: Eight, a: Eight, b: Eight, *h: Eight) -> Update:
    """θ := θ - lr g."""
    return g * Numbers(*h).lr, a, b


def momentum(theta: Eight, g: Eight, v: Eight, b: Eight, *h: Eight) -> Update:
    """v := μ v + g;  θ := θ - lr v."""
    lr, mu, *_ = h
    v = v * mu + g
    return v * lr, v, b


def nesterov(theta: Eight, g: Eight, v: Eight, b: Eight, *h: Eight) -> Update:
    """v := μ v + g;  θ := θ - lr (g + μ v)."""
    lr, mu, *_ = h
    v = v * mu + g
    return (v * mu + g) * lr, v, b


def adagrad(theta: Eight, g: Eight, s: Eight, b: Eight, *h: Eight) -> Update:
    """s := s + g²;  θ := θ - lr g / (sqrt(s) + ε)."""
    n = Numbers(*h)
    s = s + g * g
    return g / (root(s) + n.epsilon) * n.lr, s, b


def rmsprop(theta: Eight, g: Eight, s: Eight, b: Eight, *h: Eight) -> Update:
    """s := ρ s + (1 - ρ) g²;  θ := θ - lr g / (sqrt(s) + ε)."""
    n = Numbers(*h)
    s = s * n.rho + g * (1.0 - n.rho) * g
    return g / (root(s) + n.epsilon) * n.lr, s, b


def adam(theta: Eight, g: Eight, m: Eight, v: Eight, *h: Eight) -> Update:
    """m := β₁ m + (1 - β₁) g;  v := β₂ v + (1 - β₂) g²;  θ := θ - lr m̂ / (sqrt(v̂) + ε)."""
    n = Numbers(*h)
    m = m * n.beta1 + g * (1.0 - n.beta1)
    v = v * n.beta2 + g * (1.0 - n.beta2) * g
    return m / (root(v / n.rest2) + n.epsilon) * (n.lr / n.rest1), m, v


def adamw(theta: Eight, g: Eight, m: Eight, v: Eight, *h: Eight) -> Update:
    """adam with θ := θ - lr λ θ beside it."""
    n = Numbers(*h)
    step, m, v = adam(theta, g, m, v, *h)
    return step + n.lr * n.decay * theta, m, v


KERNELS = [gd, momentum, nesterov, adagrad, rmsprop, adam, adamw]
REMEMBERS = {"gd": 0, "momentum": 1, "nesterov": 1, "adagrad": 1, "rmsprop": 1, "adam": 2, "adamw": 2}
