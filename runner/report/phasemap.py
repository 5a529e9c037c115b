"""The phase map of a sweep: over its swept numbers, where the network learns, stays at the base rate, or blows up.

Each run has one outcome; what is said of many is counted from them, so that every sentence can be counted again.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from runner.runs.names import REPEATS

LEARNS, BASE_RATE, RISES, NONFINITE = "learns", "at the base rate", "blows up", "non-finite"
SHORT, NONE = "falls short", "no result"
OUTCOMES = (LEARNS, SHORT, BASE_RATE, RISES, NONFINITE, NONE)
NEAR = 0.01  # of the cost of the best constant answer
RISE = 1.3  # times the first cost
MOST_LEVELS = 24  # values of a key, beyond which its corners are not looked for
MOST_NAMES = 4  # values of a key that is no number, of which more say little
FEWEST = 2  # runs a value, on average, below which nothing is said of a value


class Point(NamedTuple):
    """A run of a sweep: the `values` of its swept keys, and its outcome."""

    values: Mapping[str, Any]
    outcome: str


class Cell(NamedTuple):
    """The runs that share a value of `x` and one of `y` (None where there is no second key), counted by outcome."""

    x: float
    y: float | None
    counts: Mapping[str, int]

    @property
    def runs(self) -> int:
        return sum(self.counts.values())


def outcome(summary: Mapping[str, Any], first_cost: float) -> str:
    """How a run ended, from its summary.json and its first logged training cost.

        non-finite        it diverged: a value was inf or NaN
        learns            it finished and reached its target
        blows up          its last cost is above 1.3 times its first
        at the base rate  its last cost is within 1 % of the best constant answer's: for classes the labels' entropy
        falls short       it finished, and none of these
        no result         it failed, was pruned or interrupted

    >>> outcome({"status": "finished", "target": {"reached": True}, "metrics": {"last": {}}}, 0.7)
    'learns'
    """
    if summary["status"] == "diverged":
        return NONFINITE
    if summary["status"] != "finished":
        return NONE
    if summary["target"]["reached"]:
        return LEARNS
    cost = float(summary["metrics"]["last"].get("train/cost", math.nan))
    constant = float(summary.get("constant_predictor_cost") or math.nan)  # "nan" where the cost is the user's own
    if cost > RISE * first_cost:
        return RISES
    if abs(cost - constant) <= NEAR * constant:
        return BASE_RATE
    return SHORT


def axes(points: Sequence[Point]) -> list[str]:
    """The swept keys whose values are all numbers; the seed and the fold are none of them."""
    return [key for key in _swept(points) if all(_is_number(point.values.get(key)) for point in points)]


def choices(points: Sequence[Point]) -> list[str]:
    """The other swept keys: names, lists, and numbers that may be missing."""
    numbers = axes(points)
    return [key for key in _swept(points) if key not in numbers]


def _swept(points: Sequence[Point]) -> list[str]:
    return [key for key in dict.fromkeys(key for point in points for key in point.values) if key not in REPEATS]


def cells(points: Sequence[Point], x: str, y: str | None = None) -> list[Cell]:
    """The runs by two keys, or by one: in the order of the values.

    >>> points = [Point({"lr": 1.0, "seed": 0}, LEARNS), Point({"lr": 1.0, "seed": 1}, SHORT)]
    >>> cells(points, "lr")
    [Cell(x=1.0, y=None, counts={'learns': 1, 'falls short': 1})]
    """
    found: dict[tuple[float, float | None], dict[str, int]] = {}
    for point in points:
        place = float(point.values[x]), None if y is None else float(point.values[y])
        counts = found.setdefault(place, {})
        counts[point.outcome] = counts.get(point.outcome, 0) + 1
    ordered = sorted(found, key=lambda place: (place[0], place[1] or 0.0))
    return [Cell(*place, {name: found[place][name] for name in OUTCOMES if name in found[place]}) for place in ordered]


def sentences(points: Sequence[Point]) -> list[str]:
    """What the sweep says as a whole, a sentence an outcome: how many runs, for which values only, for which always.

    "only" is the range of values outside of which no run has the outcome; "most" the values at each of which more than
    half of all runs have it, whatever else was swept, and of two keys the largest rectangle of them. Of keys that are
    no numbers the values are listed. Counts stand with both.

    >>> points = [Point({"lr": lr}, LEARNS if lr < 3 else NONFINITE) for lr in (1, 2, 3) for seed in (0, 1)]
    >>> for sentence in sentences(points):
    ...     print(sentence)
    learns: 4 of 6 runs; only with lr up to 2; all of those with lr up to 2 (4 of 4)
    non-finite: 2 of 6 runs; only with lr 3; all of those with lr 3 (2 of 2)
    """
    keys, chosen = axes(points), choices(points)
    found = []
    for name in OUTCOMES:
        having = [point for point in points if point.outcome == name]
        if not having or not (keys or chosen):
            continue
        parts = [f"{name}: {len(having)} of {len(points)} runs"]
        bounds = [_only(points, having, key) for key in keys] + [_only_among(points, having, key) for key in chosen]
        parts += [f"only with {' and '.join(bound for bound in bounds if bound)}"] if any(bounds) else []
        parts += [part for key in keys for part in _mostly(points, name, key)]
        parts += [part for key in chosen for part in _mostly_among(points, name, key)]
        parts += [part for pair in pairs(keys) if (part := _corner(points, name, *pair))]
        found.append("; ".join(parts))
    return found


def table(points: Sequence[Point]) -> dict[str, Any]:
    """The map as data: the outcomes, the sentences, and the cells of every pair of keys, as JSON has them."""
    keys = axes(points)
    over: list[tuple[str, str | None]] = [*pairs(keys)] or [(key, None) for key in keys]
    maps = [
        {"x": x, "y": y, "cells": [{"x": cell.x, "y": cell.y, "counts": cell.counts} for cell in cells(points, x, y)]}
        for x, y in over
    ]
    return {"outcomes": list(OUTCOMES), "sentences": sentences(points), "maps": maps}


def pairs(keys: Sequence[str]) -> list[tuple[str, str]]:
    """Every two of the keys."""
    return [(x, y) for number, x in enumerate(keys) for y in keys[number + 1 :]]


def _only(points: Sequence[Point], having: Sequence[Point], key: str) -> str:
    """The range of `key` outside of which none of the runs has it; "" where that is all of it."""
    levels, own = _levels(points, key), _levels(having, key)
    return "" if (own[0], own[-1]) == (levels[0], levels[-1]) else _range(key, own[0], own[-1], levels)


def _mostly(points: Sequence[Point], name: str, key: str) -> list[str]:
    """The stretches of values of `key` at each of which more than half of all runs have the outcome."""
    levels = _levels(points, key)
    if len(points) < FEWEST * len(levels):
        return []  # of a search's values, each its own, none says anything alone
    counts = {cell.x: (cell.counts.get(name, 0), cell.runs) for cell in cells(points, key)}
    most = [2 * hits > of for hits, of in (counts[level] for level in levels)]
    found = []
    for low, high in _stretches(most):
        hits, of = (sum(counts[level][side] for level in levels[low : high + 1]) for side in (0, 1))
        which = "all" if hits == of else "most"
        found.append(f"{which} of those with {_range(key, levels[low], levels[high], levels)} ({hits} of {of})")
    return [] if all(most) else found


def _only_among(points: Sequence[Point], having: Sequence[Point], key: str) -> str:
    """The values of a key that is no number with which alone runs have the outcome; "" for all of them, or many."""
    every, own = _named(points, key), _named(having, key)
    return "" if len(own) in (len(every), *range(MOST_NAMES + 1, len(every))) else _listed(key, list(own))


def _mostly_among(points: Sequence[Point], name: str, key: str) -> list[str]:
    """The values of a key that is no number with each of which more than half of all runs have the outcome."""
    groups = _named(points, key)
    if len(points) < FEWEST * len(groups):
        return []
    counts = {value: (sum(point.outcome == name for point in group), len(group)) for value, group in groups.items()}
    most = [value for value, counted in counts.items() if _most(counted)]
    if not 0 < len(most) < len(groups) or len(most) > MOST_NAMES:
        return []
    hits, of = (sum(counts[value][side] for value in most) for side in (0, 1))
    return [f"{'all' if hits == of else 'most'} of those with {_listed(key, most)} ({hits} of {of})"]


def _named(points: Sequence[Point], key: str) -> dict[str, list[Point]]:
    """The runs by their value of a key, as one would type it."""
    found: dict[str, list[Point]] = {}
    for point in points:
        value = point.values.get(key)
        found.setdefault(value if isinstance(value, str) else json.dumps(value), []).append(point)
    return found


def _listed(key: str, values: Sequence[str]) -> str:
    """Values in words: `init zeros, normal or uniform`."""
    *first, last = values
    return f"{key} {', '.join(first)} or {last}" if first else f"{key} {last}"


def _corner(points: Sequence[Point], name: str, x: str, y: str) -> str:
    """The largest rectangle of cells in each of which more than half of the runs have the outcome, where neither key
    alone says as much; "" where there is none."""
    across, up = _levels(points, x), _levels(points, y)
    if max(len(across), len(up)) > MOST_LEVELS:
        return ""
    counts = {(cell.x, cell.y): (cell.counts.get(name, 0), cell.runs) for cell in cells(points, x, y)}
    best = (0, 0, 0, 0, 0)
    for left in range(len(across)):
        columns = [[_most(counts.get((across[i], level))) for level in up] for i in range(left, len(across))]
        holds = [True] * len(up)  # the levels of y at which all columns so far hold
        for right, column in enumerate(columns, left):
            holds = [held and now for held, now in zip(holds, column, strict=True)]
            for low, high in _stretches(holds):
                best = max(best, ((right - left + 1) * (high - low + 1), left, right, low, high))
    size, left, right, low, high = best
    if size == 0 or right - left + 1 == len(across) or high - low + 1 == len(up):
        return ""
    inside = [counts[a, b] for a in across[left : right + 1] for b in up[low : high + 1]]
    hits, of = sum(hits for hits, _ in inside), sum(of for _, of in inside)
    if of < 2 * FEWEST:
        return ""
    words = f"{_range(x, across[left], across[right], across)} and {_range(y, up[low], up[high], up)}"
    return f"{'all' if hits == of else 'most'} of those with {words} ({hits} of {of})"


def _most(counted: tuple[int, int] | None) -> bool:
    return counted is not None and 2 * counted[0] > counted[1]


def _stretches(given: Sequence[bool]) -> list[tuple[int, int]]:
    """The first and the last place of each unbroken stretch of what is true.

    >>> _stretches([True, True, False, True])
    [(0, 1), (3, 3)]
    """
    found: list[tuple[int, int]] = []
    for place, true in enumerate(given):
        if true and found and found[-1][1] == place - 1:
            found[-1] = found[-1][0], place
        elif true:
            found.append((place, place))
    return found


def _levels(points: Sequence[Point], key: str) -> list[float]:
    return sorted({float(point.values[key]) for point in points})


def _range(key: str, low: float, high: float, levels: Sequence[float]) -> str:
    """Values of a key in words, from one of its levels to another."""
    if low == high:
        return f"{key} {low:.4g}"
    if low == levels[0]:
        return f"{key} up to {high:.4g}"
    return f"{key} {low:.4g} and above" if high == levels[-1] else f"{key} {low:.4g} .. {high:.4g}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
