"""The failures of a sweep by kind, so that one of each is looked at before a second one of any.

A kind is how it ended, what is seen of it, and the settings that are names (init=zeros, optimizer=gd). Runs of one kind
differ in numbers (a rate, a width, the seed). Diverged ones come first: they lost everything.
"""

import json
import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from runner.runs.result import Result

RISEN, NEAR = 1.3, 0.01  # as in runner.diagnosis.symptoms


def kinds(results: Sequence[Result]) -> list[list[Result]]:
    """The failures of each kind, diverged kinds first, in each the order of the jobs."""
    found: dict[str, list[Result]] = {}
    for result in results:
        if is_failure(result):
            found.setdefault(_kind(result), []).append(result)
    return sorted(found.values(), key=lambda runs: runs[0].status != "diverged")


def chosen(results: Sequence[Result], most: int) -> list[Result]:
    """Those to look at: one of each kind, then a second of each, up to `most`; none that differs in the seed only."""
    alike = [_unlike(runs) for runs in kinds(results)]
    turns = (run for turn in zip_longest(*alike) for run in turn if run is not None)
    return [run for run, _ in zip(turns, range(max(most, 1)), strict=False)]


def is_failure(result: Result) -> bool:
    """Whether a run has ended without what it was to reach, and may be looked at."""
    if result.experiment.diagnosis.name == "none" or result.skipped:
        return False
    return result.status == "diverged" or (result.status == "finished" and not result.target_reached)


def _unlike(runs: Sequence[Result]) -> list[Result]:
    """The runs that differ in more than the seed."""
    found: dict[str, Result] = {}
    for run in runs:
        found.setdefault(json.dumps({**run.experiment.config, "seed": None, "tracking": None}, default=str), run)
    return list(found.values())


def _kind(result: Result) -> str:
    config = {**result.experiment.config, "seed": None, "tracking": None}
    return json.dumps([result.status, _seen(result), _names(config)], default=str, sort_keys=True)


def _seen(result: Result) -> str:
    """The symptom, as far as the last row tells it."""
    cost, constant = result.last.get("train/cost", math.nan), result.experiment.constant_cost
    if result.nonfinite is not None or not math.isfinite(cost):
        return "non-finite"
    if len(result.curve) > 1 and cost > RISEN * result.curve[0]:
        return "cost rises"
    return "plateau" if abs(cost - constant) <= NEAR * constant else "missed"


def _names(node: Any) -> Any:
    """A configuration with every number in it replaced by the word."""
    if isinstance(node, dict):
        return {key: _names(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_names(value) for value in node]
    return "number" if isinstance(node, int | float) and not isinstance(node, bool) else node
