"""What pairs of runs prove about two settings: intervals that hold for few seeds, and without a normal distribution."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
MOST = 100_000  # pairs that `needed` looks for


class Interval(NamedTuple):
    """From `low` to `high`; `at` is the estimate in it."""

    at: float
    low: float
    high: float

    def clears(self, value: float) -> bool:
        """Whether the value is outside."""
        return not self.low <= value <= self.high


def wins(a: Floats, b: Floats) -> Floats:
    """Who is better, pair by pair, less being better: 1 where it is a, 0.5 where they are equal, 0 where it is b.

    A run that diverged has the value inf: it loses against any that did not, and equals any that did. NaN is a run
    that is missing, and so is its pair.

    >>> wins(np.array([1.0, 2.0, np.inf]), np.array([2.0, 2.0, np.inf])).tolist()
    [1.0, 0.5, 0.5]
    """
    return np.where(np.isnan(a) | np.isnan(b), np.nan, (a < b) + 0.5 * (a == b))


def chance(won: Floats, level: float = 0.95, folds: int | None = None) -> Interval:
    """P(A better than B), ties counted half, with an interval of Clopper and Pearson.

    Arguments:
        won: (units, blocks), of `wins`. A unit is a seed (or a seed and fold), a block one choice of the other keys.
        level: of the interval.
        folds: into how many the rows were parted, where the units are folds.

    The blocks of one seed may be alike, so pairs are not counted but as many as they are worth, n* = p(1-p) / var(p),
    var(p) over the seeds: never fewer than the seeds, nor more than the pairs (Korn & Graubard, Survey Methodology
    1998). Where one side has won all, n* is the number of seeds. Folds share rows with each other: of n pairs at most
    1 / (1/n + 1/(folds - 1)) count (Nadeau & Bengio, Machine Learning 2003). For one block and no folds this is the
    exact interval of a binomial (Clopper & Pearson, Biometrika 1934), whose coverage is never below its level.

    >>> interval = chance(np.ones((10, 1)))
    >>> interval.at, round(interval.low, 3), interval.high
    (1.0, 0.692, 1.0)
    """
    units = _means(won)
    n, pairs = len(units), int(np.isfinite(won).sum())
    if not n:
        return Interval(math.nan, 0.0, 1.0)
    p, worth = float(units.mean()), float(n)
    if pairs > n > 1 and 0 < p < 1:
        variance = float(units.var(ddof=1)) / n
        spread = float(stats.t.ppf(0.975, pairs - 1) / stats.t.ppf(0.975, n - 1)) ** 2
        worth = min(pairs, max(n, spread * p * (1 - p) / variance)) if variance else pairs
    if folds is not None:
        worth = min(worth, 1 / (1 / n + 1 / (folds - 1)))
    rest, s = (1 - level) / 2, p * worth
    low = float(stats.beta.ppf(rest, s, worth - s + 1)) if s > 0 else 0.0
    high = float(stats.beta.ppf(1 - rest, s + 1, worth - s)) if s < worth else 1.0
    return Interval(p, low, high)


def difference(a: Floats, b: Floats, level: float = 0.95, folds: int | None = None) -> Interval:
    """How much greater b's values are than a's: the median over the units of (b - a), with its exact interval.

    Of a unit with several blocks it is the median of these.

    By the order of the differences, whatever their distribution (Conover, Practical Nonparametric Statistics, 3.2);
    its ends are infinite where there are too few pairs, or where runs diverged. Of folds, which share rows, it is the
    mean with the corrected interval of Student, variance times (1/n + 1/(folds - 1)) (Nadeau & Bengio, 2003).

    >>> difference(np.zeros((10, 1)), np.arange(10.0)[:, None])
    Interval(at=4.5, low=1.0, high=8.0)
    """
    units = _medians(_less(b, a))
    n = len(units)
    if not n:
        return Interval(math.nan, -math.inf, math.inf)
    if folds is not None and n > 1 and np.isfinite(units).all():
        mean, variance = float(units.mean()), float(units.var(ddof=1))
        reach = float(stats.t.ppf((1 + level) / 2, n - 1)) * math.sqrt(variance * (1 / n + 1 / (folds - 1)))
        return Interval(mean, mean - reach, mean + reach)
    found = stats.quantile_test(units, p=0.5).confidence_interval(level)
    low, high = float(found.low), float(found.high)
    return Interval(_median(units), -math.inf if math.isnan(low) else low, math.inf if math.isnan(high) else high)


def effect(a: Floats, b: Floats) -> float:
    """How much of the ranks of the differences speaks for a: from -1, all for b, to 1, all for a.

    The matched-pairs rank-biserial correlation, (R+ - R-) / (R+ + R-), R the sums of Wilcoxon's signed ranks (Kerby,
    Comprehensive Psychology 2014). 0 where there is no difference.

    >>> effect(np.array([[0.0], [0.0], [1.0]]), np.array([[2.0], [3.0], [0.0]]))
    0.6666666666666666
    """
    units = _medians(_less(b, a))
    units = units[units != 0]
    ranks = stats.rankdata(np.abs(units))
    return float(np.sign(units) @ ranks / ranks.sum()) if len(units) else 0.0


def needed(p: float, level: float = 0.95, power: float = 0.8) -> int | None:
    """Seeds with which the interval of `chance` clears 1/2 with probability `power`, if P(A better) is p.

    The least n after which no larger one has less; None for more than `MOST`.

    >>> needed(1.0), needed(0.9), needed(0.5)
    (6, 12, None)
    """
    p = max(p, 1 - p)
    n = 1
    while n <= MOST:
        sizes = np.arange(n, 2 * n)
        clear = stats.binom.isf((1 - level) / 2, sizes, 0.5) + 1  # so many wins clear 1/2
        enough = (stats.binom.sf(clear - 1, sizes, p) >= power) & (clear <= sizes)
        if enough.all():  # power rises in teeth: a whole octave of sizes has it
            low, size = n // 2, n
            while size > low and size > 1 and _clears(size - 1, p, level, power):
                size -= 1
            return size
        n *= 2
    return None


def _clears(n: int, p: float, level: float, power: float) -> bool:
    clear = stats.binom.isf((1 - level) / 2, n, 0.5) + 1
    return clear <= n and float(stats.binom.sf(clear - 1, n, p)) >= power


def _means(values: Floats) -> Floats:
    """The mean of each unit over the blocks that it has; units without any are left out."""
    there = ~np.isnan(values)
    counts = there.sum(axis=1)
    sums = np.where(there, values, 0.0).sum(axis=1)
    return (sums[counts > 0] / counts[counts > 0]).astype(float)


def _medians(values: Floats) -> Floats:
    """The median of each unit over the blocks that it has: it stands where some of them are infinite."""
    counts = (~np.isnan(values)).sum(axis=1)
    values, counts = np.sort(values[counts > 0], axis=1), counts[counts > 0]  # NaN comes last
    rows = np.arange(len(values))
    return _between(values[rows, (counts - 1) // 2], values[rows, counts // 2])


def _less(b: Floats, a: Floats) -> Floats:
    """b - a, where two that diverged differ by nothing."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(a) & np.isinf(b), 0.0, b - a)


def _median(values: Floats) -> float:
    return float(_medians(values[None, :])[0])


def _between(low: Floats, high: Floats) -> Floats:
    """Half way; between -inf and inf it is said to be 0."""
    with np.errstate(invalid="ignore"):
        return np.where(low == high, low, np.nan_to_num((low + high) / 2, nan=0.0, posinf=np.inf, neginf=-np.inf))
