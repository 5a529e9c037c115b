"""Optimizers: from a gradient and a memory of past ones to the step that the parameters make.

Parameters, gradients, moments and steps are flat arrays (K, P), one row a member: θ := θ - step. A hyper-parameter is
a number, or a column (K, 1) where the members of a stack differ in it; the equations read the same. The loop, the
learning rate's schedule and clipping belong to others: `update` is handed the rate of this step.

To add one: one function here and one yaml in conf/optimizer.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from runner.nn.types import Array, Fraction, NonNegative, Positive


class Optimizer(NamedTuple):
    """`init` maps the parameters to a state; `update`(g, state, θ, lr, step) writes `step` and returns the new state.

    The arrays of the state it was given are overwritten: they are the new state's. g and θ are only read.
    `rotates`: whether turning the parameters' axes turns the steps and changes nothing else, as it does where no
    parameter is looked at alone (Ng, ICML 2004).
    """

    lr: float | Array
    clip_norm: float | None
    init: Callable[[Array], Any]
    update: Callable[[Array, Any, Array, float | Array, Array], Any]
    rotates: bool = False


class Stateless(NamedTuple):
    """Nothing is remembered."""


class Velocity(NamedTuple):
    """`v` (K, P): the decaying sum of past gradients."""

    v: Array


class SquareSum(NamedTuple):
    """`s` (K, P): the sum, or the decaying mean, of past squared gradients."""

    s: Array


class Moments(NamedTuple):
    """`m`, `v` (K, P): decaying means of past gradients and squared gradients; `t`: updates made so far."""

    m: Array
    v: Array
    t: int


def clip_by_norm(g: Array, clip_norm: float) -> Array:
    """g min(1, clip_norm / |g|), |g| the norm over all parameters of a member (Pascanu, Mikolov & Bengio, 2013)."""
    norm = np.sqrt((g * g).sum(axis=1, keepdims=True))
    shrunk = g * np.minimum(1, clip_norm / np.maximum(norm, np.finfo(g.dtype).tiny))
    if np.isfinite(norm).all():
        return shrunk
    top = np.abs(g).max(axis=1, keepdims=True)  # the squares overflowed: |g| = top |g / top|
    part = g / top
    rescued = part * np.minimum(top, clip_norm / np.sqrt((part * part).sum(axis=1, keepdims=True)))
    return np.where(np.isfinite(norm), shrunk, rescued)


def gd(lr: Positive = 0.1, clip_norm: Positive | None = None) -> Optimizer:
    """Gradient descent: θ := θ - lr g."""

    def update(g: Array, state: Stateless, theta: Array, lr: float | Array, step: Array) -> Stateless:
        np.multiply(g, lr, step)
        return state

    return Optimizer(lr, clip_norm, lambda theta: Stateless(), update, rotates=True)


def momentum(lr: Positive = 0.1, momentum: Fraction = 0.9, clip_norm: Positive | None = None) -> Optimizer:
    """v := μ v + g;  θ := θ - lr v (Polyak, 1964)."""

    def update(g: Array, state: Velocity, theta: Array, lr: float | Array, step: Array) -> Velocity:
        v = state.v
        v *= momentum
        v += g
        np.multiply(v, lr, step)
        return state

    return Optimizer(lr, clip_norm, lambda theta: Velocity(np.zeros_like(theta)), update, rotates=True)


def nesterov(lr: Positive = 0.1, momentum: Fraction = 0.9, clip_norm: Positive | None = None) -> Optimizer:
    """v := μ v + g;  θ := θ - lr (g + μ v) (Nesterov, 1983, as rewritten by Sutskever et al., 2013)."""

    def update(g: Array, state: Velocity, theta: Array, lr: float | Array, step: Array) -> Velocity:
        v = state.v
        v *= momentum
        v += g
        np.multiply(v, momentum, out=step)
        step += g
        step *= lr
        return state

    return Optimizer(lr, clip_norm, lambda theta: Velocity(np.zeros_like(theta)), update, rotates=True)


def adagrad(lr: Positive = 0.05, epsilon: Positive = 1e-8, clip_norm: Positive | None = None) -> Optimizer:
    """s := s + g²;  θ := θ - lr g / (sqrt(s) + ε) (Duchi, Hazan & Singer, 2011)."""

    def update(g: Array, state: SquareSum, theta: Array, lr: float | Array, step: Array) -> SquareSum:
        s = state.s
        s += np.multiply(g, g, out=step)
        np.divide(g, _root(s, epsilon, out=step), out=step)
        step *= lr
        return state

    return Optimizer(lr, clip_norm, lambda theta: SquareSum(np.zeros_like(theta)), update)


def rmsprop(
    lr: Positive = 0.01, rho: Fraction = 0.9, epsilon: Positive = 1e-8, clip_norm: Positive | None = None
) -> Optimizer:
    """s := ρ s + (1 - ρ) g²;  θ := θ - lr g / (sqrt(s) + ε) (Hinton, lecture 6e, 2012)."""
    rest = 1 - rho

    def update(g: Array, state: SquareSum, theta: Array, lr: float | Array, step: Array) -> SquareSum:
        s = state.s
        s *= rho
        np.multiply(g, rest, out=step)
        step *= g
        s += step
        np.divide(g, _root(s, epsilon, out=step), out=step)
        step *= lr
        return state

    return Optimizer(lr, clip_norm, lambda theta: SquareSum(np.zeros_like(theta)), update)


def adam(
    lr: Positive = 0.01,
    beta1: Fraction = 0.9,
    beta2: Fraction = 0.999,
    epsilon: Positive = 1e-8,
    clip_norm: Positive | None = None,
) -> Optimizer:
    """m := β₁ m + (1 - β₁) g;  v := β₂ v + (1 - β₂) g²;  θ := θ - lr m̂ / (sqrt(v̂) + ε) (Kingma & Ba, 2015).

    m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ) undo the pull towards the zeros that m and v start from.
    """
    return adamw(lr, beta1, beta2, epsilon, 0.0, clip_norm)


def adamw(
    lr: Positive = 0.01,
    beta1: Fraction = 0.9,
    beta2: Fraction = 0.999,
    epsilon: Positive = 1e-8,
    weight_decay: NonNegative = 0.01,
    clip_norm: Positive | None = None,
) -> Optimizer:
    """Adam with θ := θ - lr (m̂ / (sqrt(v̂) + ε) + λ θ): decay apart from the gradient (Loshchilov & Hutter, 2019)."""
    decays = bool(np.any(weight_decay))
    rest1, rest2 = 1 - beta1, 1 - beta2

    def update(g: Array, state: Moments, theta: Array, lr: float | Array, step: Array) -> Moments:
        m, v, t = state.m, state.v, state.t + 1
        m *= beta1
        m += np.multiply(g, rest1, out=step)
        v *= beta2
        np.multiply(g, rest2, out=step)
        step *= g
        v += step
        np.divide(v, 1 - beta2**t, out=step)  # v̂
        np.divide(m, _root(step, epsilon, out=step), out=step)
        step *= lr / (1 - beta1**t)  # m̂ in place of m
        if decays:
            step += lr * weight_decay * theta
        return Moments(m, v, t)

    return Optimizer(lr, clip_norm, lambda theta: Moments(np.zeros_like(theta), np.zeros_like(theta), 0), update)


def _root(squares: Array, epsilon: float, out: Array) -> Array:
    """sqrt(squares) + ε, what the coordinate-wise optimizers divide by."""
    np.sqrt(squares, out=out)
    out += epsilon
    return out
