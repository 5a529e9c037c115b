"""The settings of a sweep with what is proved of them: how likely the best is better, and by how much."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runner.sweeps.compare import best, intervals
from runner.sweeps.compare.intervals import Interval
from runner.sweeps.compare.matched import Matched

LEVEL = 0.95


@dataclass(frozen=True)
class Standing:
    """A setting beside the best one: `better` is P(the best is better than it), of `pairs`, None for the best.

    `difference` is by how much its metric is worse. The intervals of all pairs of settings hold together.
    """

    name: str
    runs: int
    diverged: int
    median: float
    contends: bool
    pairs: int
    better: Interval | None
    difference: Interval | None
    effect: float | None


def standings(given: Matched, level: float = LEVEL) -> list[Standing]:
    """The settings, best first by their mean rank. What contends cannot be told from the best."""
    values = given.values
    ranked = best.ranks(values)
    among = best.contenders(ranked, level)
    middle = np.array([_median(one) for one in values])
    order = np.lexsort((middle, ranked.mean(axis=0))) if len(ranked) else np.argsort(middle)
    first = int(order[0])
    return [_standing(given, int(one), first, bool(among[one]), _together(len(values), level)) for one in order]


def _together(settings: int, level: float) -> float:
    """The level of each interval with which those of all pairs of settings hold together (Bonferroni)."""
    return 1 - (1 - level) / max(1, settings * (settings - 1) // 2)


def _standing(given: Matched, one: int, first: int, contends: bool, level: float) -> Standing:
    a, b = given.values[first], given.values[one]
    there = b[~np.isnan(b)]
    about = (given.settings[one], there.size, int(np.isinf(there).sum()), given.objective.sign * _median(b), contends)
    if one == first:
        return Standing(*about, 0, None, None, None)
    won = intervals.wins(a, b)
    apart = intervals.difference(a, b, level, given.folds)
    chance = intervals.chance(won, level, given.folds)
    return Standing(*about, int(np.isfinite(won).sum()), chance, apart, intervals.effect(a, b))


def needed(standing: Sequence[Standing], units: int) -> tuple[Standing, int | None] | None:
    """The strongest of those that cannot be told from the best, and how many more units would tell them apart.

    None where there is no such setting. The units are counted as if the best were the better in as many pairs as now;
    `None` units: no number would, as they are even.
    """
    open_ones = [one for one in standing[1:] if one.contends and one.better is not None]
    if not open_ones:
        return None
    nearest = min(open_ones, key=lambda one: abs(one.better.at - 0.5) if one.better else 0.0)
    assert nearest.better is not None
    whole = intervals.needed(nearest.better.at, _together(len(standing), LEVEL))
    return nearest, None if whole is None else max(1, whole - units)


def _median(values: NDArray[np.float64]) -> float:
    there = np.sort(values[~np.isnan(values)])
    return float(there[[(len(there) - 1) // 2, len(there) // 2]].mean()) if len(there) else np.nan
