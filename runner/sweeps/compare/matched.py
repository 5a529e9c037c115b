"""Runs side by side: the settings of one key, paired over all that else was swept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner import Refusal
from runner.experiment.objectives import Objective, no_metric, recorded
from runner.experiment.schema import suggest
from runner.nn.scores import is_score, named
from runner.runs.names import REPEATS
from runner.sweeps.importance import importance, sentence
from runner.sweeps.table import Row, Runs

USED = ("finished", "diverged")  # what ends a run by itself: nobody has stopped or pruned it


class CompareError(Refusal):
    """These runs cannot be compared so; the message says why."""


@dataclass(frozen=True)
class Matched:
    """The settings of `by` side by side.

    `values` (K, units, blocks): less is better, inf diverged, NaN not there. A unit is a seed and fold, `repeats`
    what varies in it; where nothing was repeated, a choice of the `others` is a unit. `folds` is into how many the
    rows were parted, None where they were not. `left_out` runs were stopped, pruned or failed.
    """

    by: Sequence[str]
    settings: Sequence[str]
    values: NDArray[np.float64]
    objective: Objective
    others: Sequence[str]
    repeats: Sequence[str]
    folds: int | None
    left_out: int


def matched(runs: Runs, by: str | None, metric: str | None = None) -> Matched:
    """The runs of a table by the values of one key, or by everything that was swept (None).

    `metric` is compared as at the end of each run; None is what the runs were ranked by. Raises CompareError.
    """
    used = Runs(row for row in runs if row["status"] in USED)
    if not used:
        raise CompareError("None of these runs has ended: there is nothing to compare.")
    varied = used.varied()
    keys = [key for key in varied if key not in REPEATS]
    named_by = keys if by is None else [_key(by, keys, used.keys())]
    if not named_by:
        raise CompareError(f"These runs are one setting: {_differ(varied)}.")
    objective = _objective(used, metric)
    of = {id(row): tuple(row.get(key) for key in named_by) for row in used}
    others = [key for key in keys if key not in named_by and _within(used, of, key)]
    repeats = [key for key in REPEATS if key in varied]
    places = [(of[id(row)], _values(row, repeats), _values(row, others)) for row in used]
    if not repeats:  # then the other keys are what is repeated
        places = [(setting, block, ()) for setting, _, block in places]
    axes = [list(dict.fromkeys(place[axis] for place in places)) for axis in range(3)]
    values = np.full([len(axis) for axis in axes], np.nan)
    for place, row in zip(places, used, strict=True):
        cell = tuple(axis.index(part) for axis, part in zip(axes, place, strict=True))
        if np.isnan(values[cell]):  # the same run twice, in two folders, is one
            values[cell] = _value(row, objective)
    settings = [_called(named_by, setting) for setting in axes[0]]
    folds = int(used[0]["dataset.folds"]) if REPEATS[1] in repeats else None
    return Matched(named_by, settings, values, objective, others, repeats, folds, len(runs) - len(used))


def mattered(runs: Runs, metric: str | None = None) -> str:
    """Which swept keys mattered, in a sentence (`runner.sweeps.importance`); empty where it cannot be said."""
    used = Runs(row for row in runs if row["status"] in USED)
    objective = _objective(used, metric)
    columns = {key: used[key] for key in used.varied()}
    return sentence(importance(columns, [_value(row, objective) for row in used]), objective.metric)


def _key(by: str, keys: Sequence[str], known: Sequence[str]) -> str:
    """The full name of a key that differs between the runs: `lr` is optimizer.lr, `optimizer` optimizer.name."""
    if by in keys or f"{by}.name" in keys:
        return by if by in keys else f"{by}.name"
    short = [key for key in keys if key.split(".")[-1] == by]
    if len(short) == 1:
        return short[0]
    same = f"{by} is the same in all runs" if by in known else f"the runs have no key {by!r} that differs"
    if len(short) > 1:
        same = f"{by!r} may be {' or '.join(short)}"
    raise CompareError(f"--by={by}: {same}. {_differ(keys)}.{suggest(by, keys)}")


def _differ(keys: Sequence[str]) -> str:
    return f"They differ in {', '.join(keys)}" if keys else "They differ in nothing"


def _within(runs: Runs, of: dict[int, tuple[Any, ...]], key: str) -> bool:
    """Whether a key differs between runs of one setting; else it is a part of the setting (adam's own rate)."""
    found: dict[tuple[Any, ...], set[str]] = {}
    for row in runs:
        found.setdefault(of[id(row)], set()).add(str(row.get(key)))
    return any(len(values) > 1 for values in found.values())


def _values(row: Row, keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(row.get(key)) for key in keys)


def _called(keys: Sequence[str], values: Sequence[Any]) -> str:
    if len(keys) == 1:
        return str(values[0])
    return " ".join(f"{key}={value}" for key, value in zip(keys, values, strict=True) if value is not None)


def _objective(runs: Runs, metric: str | None) -> Objective:
    """What is compared: the metric that is asked for, or what the runs were ranked by."""
    metrics = [key for key in runs.keys() if "/" in key and not key.startswith("best/")]  # noqa: SIM118
    own = recorded(runs[0], metrics)
    if metric is None or named(metric, metrics) == own.metric:
        return own
    known = named(metric, metrics)
    if known not in metrics:
        raise CompareError(no_metric("--metric", metric, metrics))
    return Objective(known, "max" if is_score(known) else "min")


def _value(row: Row, objective: Objective) -> float:
    """Less is better; a run that diverged is the worst, whatever it had reached."""
    value = row.get(objective.metric)
    if row["status"] == "diverged":
        return np.inf
    return np.nan if value is None else objective.sign * float(value)
