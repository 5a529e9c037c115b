"""Which settings cannot be told from the best, corrected for having looked at all of them."""

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
EXACT = 12  # units up to which every flip of signs is tried
DRAWN = 4000  # flips beyond
NUMBERS = 50_000_000  # held at once


def ranks(values: Floats) -> Floats:
    """The ranks of the settings within each unit, 1 the best: (units, K), of values (K, units, blocks).

    Means over the blocks that all settings have; a unit without any is left out. Those that diverged, whose value is
    inf, share the last rank.
    """
    whole = ~np.isnan(values).any(axis=0)  # (units, blocks)
    ranked = np.where(whole, stats.rankdata(values, axis=0), 0.0)  # (K, units, blocks)
    counts = whole.sum(axis=1)
    return (ranked.sum(axis=2)[:, counts > 0] / counts[counts > 0]).T


def contenders(ranked: Floats, level: float = 0.95) -> NDArray[np.bool_]:
    """The settings that may be the best: with probability `level` the best is among them.

    Arguments:
        ranked: (units, K), of `ranks`.
        level: of the set. The best has the least expected rank, is the likeliest to beat another one drawn at random.

    With d the differences of its ranks from another one's, unit by unit, a setting is left out if the greatest of its
    T = sum(d) / sqrt(sum(d^2)) is greater than chance allows: than the greatest when all its d are flipped in sign,
    unit by unit, at random (max-T: Westfall & Young, Resampling-Based Multiple Testing, 1993; every flip is tried up
    to 12 units). Of two settings it is the sign test. A side has (1 - level) / 2, so that what is left out agrees with
    a two-sided interval.

    >>> clear = np.tile([1.0, 2.0, 3.0], (8, 1))
    >>> contenders(clear).tolist()
    [True, False, False]
    >>> contenders(clear[:5]).tolist()  # five seeds prove nothing
    [True, True, True]
    """
    units, settings = ranked.shape
    if not units:
        return np.ones(settings, dtype=bool)
    signs = _signs(units, settings)  # (flips, units), the first all 1
    found = []
    for one in range(settings):
        behind = ranked[:, one : one + 1] - ranked  # (units, K): by how much each of the others is ahead of it
        lengths = np.sqrt((behind**2).sum(axis=0))
        furthest = (signs @ (behind / np.where(lengths > 0, lengths, 1.0))).max(axis=1)  # (flips,): T of the one ahead
        share = np.mean(furthest >= furthest[0] - 1e-9)
        found.append(share > (1 - level) / 2)
    return np.array(found)


def _signs(units: int, settings: int) -> Floats:
    if units <= EXACT:
        return np.array(list(product((1.0, -1.0), repeat=units)))
    flips = max(400, min(DRAWN, NUMBERS // settings))
    drawn = np.random.default_rng(0).choice((1.0, -1.0), (flips, units))
    drawn[0] = 1.0
    return drawn
