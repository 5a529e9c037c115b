"""Schedules: the factor on the learning rate at step t of `total` steps (t = 0 is the first update).

Each has a linear warm-up over its first `warmup` steps: the factor is multiplied by (t + 1) / warmup until it is 1.
To add one: one function here and one yaml in conf/schedule.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from runner.nn.types import Count, Fraction, Positive, PositiveCount


class Schedule(NamedTuple):
    """`factor` maps (step t, total steps) to what the learning rate is multiplied by; `steady`: by 1 always."""

    factor: Callable[[int, int], float]
    steady: bool = False


def constant(warmup: Count = 0) -> Schedule:
    """factor(t) = 1."""
    return Schedule(lambda t, total: _warm(t, warmup), steady=warmup == 0)


def step(every: PositiveCount = 1000, factor: Positive = 0.5, warmup: Count = 0) -> Schedule:
    """factor(t) = factor ** floor(t / every)."""
    return Schedule(lambda t, total: _warm(t, warmup) * factor ** (t // every))


def exponential(half_life: Positive = 1000.0, warmup: Count = 0) -> Schedule:
    """factor(t) = 2 ** (-t / half_life): halved every `half_life` steps, smoothly."""
    return Schedule(lambda t, total: _warm(t, warmup) * 2.0 ** (-t / half_life))


def cosine(final: Fraction = 0.0, warmup: Count = 0) -> Schedule:
    """factor(t) = final + (1 - final) (1 + cos(π u)) / 2, u the share of the steps after the warm-up that are done.

    Source: Loshchilov & Hutter, SGDR (2017), without restarts.
    """

    def factor(t: int, total: int) -> float:
        u = min(1.0, max(0, t - warmup) / max(1, total - warmup))
        return _warm(t, warmup) * (final + (1 - final) * (1 + float(np.cos(np.pi * u))) / 2)

    return Schedule(factor)


def _warm(t: int, warmup: int) -> float:
    return min(1.0, (t + 1) / warmup) if warmup else 1.0
