"""Successive halving: at a few rungs of a run only the best of all that have come so far go on. NumPy only."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from runner.nn.types import Array


class Halving:
    """Which members of a stack stop at a step (a `runner.training.train.Prune`).

    Rung k of R is the first row after iterations / η^(R - k) updates. There a member goes on if its objective is among
    the best n / η (rounded up) of the n that have come to this rung: those beside it, and those of stacks that have
    trained before. These stand in `pools`, a list a rung, which grows. So no trial waits for another (asynchronous
    successive halving: Li, Jamieson, Rostamizadeh, Gonina, Hardt, Recht & Talwalkar, MLSys 2020), and which of them go
    on depends on the order in which they come.

    >>> halving = Halving(iterations=90, reduction=3, pools=[[], []])
    >>> halving.steps
    [10, 30]
    >>> halving(10, np.array([0.3, 0.1, 0.2]))
    array([ True, False,  True])
    """

    def __init__(self, iterations: int, reduction: int, pools: list[list[float]]):
        self.pools, self.reduction, self.passed = pools, reduction, 0
        self.steps = rung_steps(iterations, reduction, len(pools))

    def __call__(self, step: int, objective: Array) -> np.ndarray:
        """Which of the members with these objectives (k,), the less the better, stop at this row."""
        stops = np.zeros(len(objective), dtype=bool)
        while self.passed < len(self.steps) and step >= self.steps[self.passed]:
            pool = self.pools[self.passed]
            values = np.where(np.isfinite(objective), objective, np.inf)
            pool += values[~stops].tolist()
            stops |= values > sorted(pool)[math.ceil(len(pool) / self.reduction) - 1]
            self.passed += 1
        return stops


def rung_steps(iterations: int, reduction: int, rungs: int) -> list[int]:
    """How many updates there are before each rung, at the least.

    >>> rung_steps(iterations=270, reduction=3, rungs=3)
    [10, 30, 90]
    """
    return [math.ceil(iterations / reduction ** (rungs - k)) for k in range(rungs)]


def at_rungs(rows: Mapping[int, float], steps: Sequence[int]) -> list[float]:
    """What a run's objective was, row by row (by step), at each rung that it has come to."""
    found = []
    for rung in steps:
        later = [step for step in rows if step >= rung]
        if not later:
            break
        found.append(rows[min(later)])
    return found
