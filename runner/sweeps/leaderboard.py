"""What a sweep says as a whole: its runs ranked, and folded over seeds and folds."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from runner.runs.names import REPEATS
from runner.runs.provenance import flat
from runner.runs.result import Result

RUNS, SEEDS = "leaderboard.csv", "leaderboard_by_setting.csv"
SUMMARY_DIR = "summary"  # of the sweep's own run, in the sweep's directory


class Fold(NamedTuple):
    """One setting over its seeds and folds: `quartiles` of the objective (25 %, median, 75 %) of the runs that have one
    and did not fail; NaN where there are none.
    """

    name: str
    metric: str
    n: int
    quartiles: tuple[float, float, float]
    reached: int
    failed: int


def ranked(results: Sequence[Result]) -> list[Result]:
    """Best objective first; then those pruned; those that diverged or failed, or have none, last."""

    def place(result: Result) -> tuple[bool, bool, float]:
        sign = 1 if result.experiment.recipe.plan.mode == "min" else -1
        bad = result.failed or math.isnan(result.objective)
        return bad, result.status == "pruned", sign * _number(result.objective)

    return sorted(results, key=place)


def kept(results: Sequence[Result]) -> list[Result]:
    """The runs whose model and pictures are kept (`sweep.artifacts`): the best's and the worst's, all or none."""
    ranking = ranked(results)
    wanted = {"best": [ranking[0], ranking[-1]], "all": ranking, "none": []}[results[0].experiment.sweep.artifacts]
    return list({result.directory: result for result in wanted}.values())


def fold(results: Sequence[Result]) -> list[Fold]:
    """The runs that differ in nothing but the seed or the fold, as one; the best median first, and last those settings
    most of whose runs failed: what a run that diverged cost before says nothing good of it.
    """
    settings: dict[str, list[Result]] = {}
    for result in results:
        settings.setdefault(setting(result.name), []).append(result)
    folds = [_fold(name, runs) for name, runs in settings.items()]
    sign = 1 if results[0].experiment.recipe.plan.mode == "min" else -1
    return sorted(folds, key=lambda fold: fold_place(fold.failed, fold.n, sign * fold.quartiles[1]))


def fold_place(failed: int, n: int, median: float) -> tuple[bool, float]:
    """What settings are sorted by: `n` runs of which so many failed, and the median of the others, less is better.

    >>> sorted([(9, 10, 0.1), (0, 10, 0.5), (1, 10, 0.3)], key=lambda one: fold_place(*one))
    [(1, 10, 0.3), (0, 10, 0.5), (9, 10, 0.1)]
    """
    return math.isnan(median) or 2 * failed > n, _number(median)


def setting(name: str) -> str:
    """A run's name without its seed and its fold.

    >>> setting("lr=0.1 seed=3"), setting("lr=0.1 fold=0 seed=3")
    ('lr=0.1', 'lr=0.1')
    """
    repeats = tuple(f"{key.split('.')[-1]}=" for key in REPEATS)
    return " ".join(word for word in name.split() if not word.startswith(repeats)) or "all"


def write(results: Sequence[Result], directory: Path) -> list[Path]:
    """Both tables as csv, in full: every run with what it was, and every setting."""
    parameters = [flat(result.experiment.config) for result in results]
    varied = [key for key in parameters[0] if len({str(p.get(key)) for p in parameters}) > 1]
    metrics = sorted({key for result in results for key in result.last})
    by_name = {id(result): p for result, p in zip(results, parameters, strict=True)}
    with (directory / RUNS).open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["rank", "run", "status", "target_reached", "skipped", "directory", *varied, *metrics])
        for rank, result in enumerate(ranked(results), 1):
            row = [rank, result.name, result.status, result.target_reached, result.skipped, result.directory]
            settings = [by_name[id(result)].get(key) for key in varied]
            table.writerow([*row, *settings, *(result.last.get(key) for key in metrics)])
    with (directory / SEEDS).open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["setting", "runs", "metric", "quartile_25", "median", "quartile_75", "reached", "failed"])
        for one in fold(results):
            table.writerow([one.name, one.n, one.metric, *one.quartiles, one.reached, one.failed])
    return [directory / RUNS, directory / SEEDS]


def _fold(name: str, runs: Sequence[Result]) -> Fold:
    values = [run.objective for run in runs if not run.failed and math.isfinite(run.objective)]
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist() if values else (math.nan,) * 3
    reached, failed = sum(run.target_reached for run in runs), sum(run.failed for run in runs)
    return Fold(name, runs[0].experiment.recipe.plan.objective, len(runs), (low, middle, high), reached, failed)


def _number(value: float) -> float:
    return value if math.isfinite(value) else math.inf
