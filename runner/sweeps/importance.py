"""Which swept key mattered: how much of the differences between runs each key accounts for, by functional ANOVA."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST, MOST = 8, 2000  # runs that it is said of; of more, a forest has as many, evenly spread over the ranking
SMALLEST = 0.02  # share that is named
MENTIONED = 5  # keys and pairs, at most


def importance(columns: Mapping[str, Sequence[Any]], values: Sequence[float]) -> dict[str, float]:
    """The share of the variance of the runs' values that each key has alone, and each pair together, greatest first.

    Arguments:
        columns: by key, its value in each run; None where a run has no such key.
        values: what the runs are ranked by, less being better; inf is a run that diverged.

    What is missing to 1 is what no key or pair explains. Runs that diverged count as a tenth of the spread behind the
    worst that did not; values above 0 that span a power of ten are taken by their logarithm, so that one extreme cost
    does not decide. A key that follows from another (adam's own beta) is left out. Empty where there are fewer than
    `FEWEST` runs or none differs.

    Where all combinations were run, the shares are exact: the variances of the means over all else (Fisher's analysis
    of variance; functional ANOVA as of Hutter, Hoos & Leyton-Brown, An efficient approach for assessing hyperparameter
    importance, ICML 2014). Else, as in a search, they are those of Optuna's random forest of 64 trees, of keys alone.

    >>> grid = [(lr, seed) for lr in (1, 2, 3, 4) for seed in (0, 1, 2)]
    >>> found = importance({"lr": [lr for lr, _ in grid], "seed": [seed for _, seed in grid]}, [lr for lr, _ in grid])
    >>> list(found), found["lr"] > 0.9
    (['lr', 'seed', 'lr x seed'], True)
    """
    order = [number for number in np.argsort(values, kind="stable").tolist() if not math.isnan(values[number])]
    columns = _independent({key: [column[number] for number in order] for key, column in columns.items()})
    taken = _tamed(np.array([values[number] for number in order]))
    if len(order) < FEWEST or not columns or not np.ptp(taken):
        return {}
    shares = _exact(columns, taken) or _of_forest(columns, taken.tolist())
    return dict(sorted(shares.items(), key=lambda pair: -pair[1]))


def _exact(columns: Mapping[str, Sequence[Any]], values: NDArray[np.float64]) -> dict[str, float]:
    """The shares where every combination was run, once or as a mean of several; empty where one was not."""
    levels = {key: np.unique([str(value) for value in column], return_inverse=True) for key, column in columns.items()}
    shape = tuple(len(found) for found, _ in levels.values())
    if math.prod(shape) > len(values):
        return {}
    cells = np.ravel_multi_index([places for _, places in levels.values()], shape)
    counts = np.bincount(cells, minlength=math.prod(shape))
    if not counts.all():
        return {}
    means = (np.bincount(cells, values, minlength=math.prod(shape)) / counts).reshape(shape)
    axes = range(len(shape))

    def variance(kept: Sequence[int]) -> float:
        return float(means.mean(axis=tuple(axis for axis in axes if axis not in kept)).var())

    total, keys = float(values.var()), list(columns)
    alone = [variance([axis]) for axis in axes]
    shares = {key: part / total for key, part in zip(keys, alone, strict=True)}
    for one, other in combinations(axes, 2):
        shares[f"{keys[one]} x {keys[other]}"] = (variance([one, other]) - alone[one] - alone[other]) / total
    return shares


def _tamed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Finite values: the worst for those that diverged, logarithms where they span a power of ten."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.zeros(len(values))
    if finite.min() > 0 and finite.max() >= 10 * finite.min():
        values = np.log(values)
        finite = np.log(finite)
    return np.where(np.isfinite(values), values, finite.max() + (np.ptp(finite) / 10 or 1.0))


def sentence(shares: Mapping[str, float], metric: str) -> str:
    """The shares in words; empty where there are none.

    >>> sentence({"optimizer.lr": 0.91, "seed": 0.001}, "train/cost")
    'what mattered for train/cost: optimizer.lr 0.91, the rest 0.09'
    """
    if not shares:
        return ""
    named = [f"{key} {share:.2f}" for key, share in list(shares.items())[:MENTIONED] if share >= SMALLEST]
    rest = 1 - sum(share for share in list(shares.values())[: len(named)])
    return f"what mattered for {metric}: {', '.join([*named, f'the rest {max(0.0, rest):.2f}'])}"


def _independent(columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """The keys that differ, without those that follow from another; of two that follow from each other the first."""
    texts = {key: [str(value) for value in column] for key, column in columns.items()}
    keys = sorted((key for key in texts if len(set(texts[key])) > 1), key=lambda key: not key.endswith("name"))
    kept: list[str] = []
    for key in keys:
        others = [other for other in keys if other != key and len(set(texts[other])) <= len(texts[other]) / 2]
        stronger = [other for other in others if _follows(texts[key], texts[other])]
        if not any(other in kept or not _follows(texts[other], texts[key]) for other in stronger):
            kept.append(key)
    return {key: column for key, column in columns.items() if key in kept}


def _follows(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether each value of the other goes with one value of the first only."""
    return len(set(zip(one, other, strict=True))) == len(set(other))


def _of_forest(columns: Mapping[str, Sequence[Any]], values: Sequence[float]) -> dict[str, float]:
    import optuna  # late: it is slow to import
    from optuna.importance import FanovaImportanceEvaluator

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    distributions = {key: _distribution(column) for key, column in columns.items()}
    spread = np.linspace(0, len(values) - 1, min(MOST, len(values))).round().astype(int)
    for number in spread.tolist():
        params = {
            key: column[number] if isinstance(distributions[key], optuna.distributions.FloatDistribution)
            else str(column[number])
            for key, column in columns.items()
        }  # fmt: skip
        study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=values[number]))
    return {key: float(share) for key, share in FanovaImportanceEvaluator(seed=0).evaluate(study).items()}


def _distribution(column: Sequence[Any]) -> Any:
    """Where a key's values come from: an interval of numbers, logarithmic where they span a power of ten, or a list."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in column):
        low, high = min(column), max(column)
        return FloatDistribution(low, high, log=low > 0 and high >= 10 * low)
    return CategoricalDistribution(sorted({str(value) for value in column}))
