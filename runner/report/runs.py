"""A sweep as its report sees it: read from the sweep's directory alone, so that it can be made again at any time."""

import csv
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from runner import Refusal
from runner.experiment.objectives import Objective, recorded
from runner.nn.scores import is_score
from runner.report.phasemap import Point, outcome
from runner.runs import journal
from runner.runs.files import SUMMARY
from runner.runs.names import REPEATS
from runner.sweeps.leaderboard import RUNS, SUMMARY_DIR, fold_place

POINTS = 150_000  # numbers in all curves together; of each as many rows, evenly spread
FEWEST, MOST = 12, 200  # points of a curve
BEST, WORST = 1500, 500  # runs, of a sweep of more


class Run(NamedTuple):
    """One run: `values` of the swept keys, `last` metrics, `steps` (T,) and, by metric, its `curves` (T,)."""

    name: str
    directory: Path
    summary: Mapping[str, Any]
    values: Mapping[str, Any]
    last: Mapping[str, float]
    steps: Sequence[int]
    curves: Mapping[str, Sequence[float]]

    @property
    def status(self) -> str:
        return str(self.summary["status"])

    @property
    def failed(self) -> bool:
        return self.status in ("diverged", "error")


class Setting(NamedTuple):
    """The runs that differ in nothing but the seed or the fold: `quartiles` (25 %, median, 75 %) of their objective."""

    values: Mapping[str, Any]
    runs: Sequence[int]  # their places in the ranking
    quartiles: tuple[float, float, float]
    reached: int
    failed: int
    command: str


class Sweep(NamedTuple):
    """All runs of a sweep, best first. `start` is the record that its own journal begins with, or the first run's."""

    directory: Path
    start: Mapping[str, Any]
    objective: Objective
    keys: Sequence[str]
    runs: Sequence[Run]
    missing: Sequence[str]  # runs that are in the leaderboard, but whose directories are not there
    left_out: int  # how many runs there are between the `BEST` and the `WORST`

    @property
    def metrics(self) -> list[str]:
        """What is drawn: the objective first, then the costs, accuracies and the norm of the gradient."""
        found = dict.fromkeys([self.objective.metric])
        for run in self.runs:
            found |= dict.fromkeys(run.curves)
        return list(found)


class NoSweep(Refusal):
    """A directory holds no run that has ended."""


def read(directory: Path) -> Sweep:
    """The sweep in `directory`, those of its runs that were done before included. Raises NoSweep."""
    directory = directory.absolute()
    names, missing = _named(directory)
    if not names:
        raise NoSweep(f"{directory} holds no sweep: there is no run that has ended in it.")
    left_out = max(0, len(names) - BEST - WORST)
    if left_out:
        ordered = list(names.items())
        names = dict(ordered[:BEST] + ordered[-WORST:])
    starts = {place: journal.first(place) for place in names}
    overrides = [_overrides(starts[place]["command"]) for place in names]
    keys = swept(overrides, [starts[place]["params"] for place in names])
    summaries = {place: json.loads((place / SUMMARY).read_text()) for place in names}
    first = next(iter(starts.values()))
    metrics = list(dict.fromkeys(key for one in summaries.values() for key in one["metrics"]["last"]))
    ranked_by = recorded(first["params"], metrics)
    runs = []
    points = max(FEWEST, min(MOST, POINTS // (5 * len(names))))
    for number, (place, name) in enumerate(names.items()):
        values = {key: column[number] for key, column in keys.items()}
        runs.append(_run(place, name, summaries[place], values, ranked_by.metric, points))
    own = directory / SUMMARY_DIR
    start = journal.first(own) if (own / journal.FILE).exists() else first
    return Sweep(directory, start, ranked_by, list(keys), ranked(runs, ranked_by), missing, left_out)


def ranked(runs: Sequence[Run], by: Objective) -> list[Run]:
    """Best objective first, then those pruned, then those without one and those that failed: as on the terminal."""

    def place(run: Run) -> tuple[bool, bool, float]:
        value = run.last.get(by.metric, math.nan)
        finite = math.isfinite(value)
        return run.failed or math.isnan(value), run.status == "pruned", by.sign * value if finite else math.inf

    return sorted(runs, key=place)


def swept(overrides: Sequence[Mapping[str, str]], params: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The keys that differ between runs, seed and fold last, with the value of each run: resolved, or else as said.

    >>> swept([{"init": "zeros"}, {"init": "normal"}], [{"init.name": "zeros"}, {"init.name": "normal"}])
    {'init': ['zeros', 'normal']}
    """
    found = {}
    for key in dict.fromkeys(key for one in overrides for key in one):
        column = [one.get(key, one.get(f"{key}.name")) for one in params]
        if not _differ(column) and not any(key in one for one in params):
            column = [one.get(key, "") for one in overrides]  # a group whose options are one function, or a preset
        if _differ(column):
            found[key] = column
    return {key: found[key] for key in sorted(found, key=lambda key: key in REPEATS)}


def _differ(column: Sequence[Any]) -> bool:
    return len({str(value) for value in column}) > 1


def settings(sweep: Sweep) -> list[Setting]:
    """The runs folded over their seeds and folds, best median first; empty where neither was swept."""
    keys = [key for key in sweep.keys if key not in REPEATS]
    folded: dict[str, list[int]] = {}
    for number, run in enumerate(sweep.runs):
        folded.setdefault(json.dumps([run.values[key] for key in keys], default=str), []).append(number)
    if len(keys) == len(sweep.keys) or len(folded) == len(sweep.runs):
        return []
    found = []
    for numbers in folded.values():
        runs = [sweep.runs[number] for number in numbers]
        ended = [run.last.get(sweep.objective.metric, math.nan) for run in runs if not run.failed]
        values = [value for value in ended if math.isfinite(value)]
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist() if values else (math.nan,) * 3
        reached, failed = sum(run.summary["target"]["reached"] for run in runs), sum(run.failed for run in runs)
        own = {key: runs[0].values[key] for key in keys}
        found.append(Setting(own, numbers, (low, middle, high), reached, failed, _of_all(runs)))
    sign = sweep.objective.sign
    return sorted(found, key=lambda one: fold_place(one.failed, len(one.runs), sign * one.quartiles[1]))


def points(sweep: Sweep) -> list[Point]:
    """The runs as the phase map has them."""
    return [Point(run.values, outcome(run.summary, run.curves.get("train/cost", [math.nan])[0])) for run in sweep.runs]


def _of_all(runs: Sequence[Run]) -> str:
    """The command that makes all runs of a setting again."""
    words = shlex.split(str(runs[0].summary["command"]))
    swept = [key for key in REPEATS if key in runs[0].values]
    kept = [word for word in words[3:] if not word.startswith(tuple(f"{key}=" for key in swept))]
    values = {key: sorted({run.values[key] for run in runs}, key=str) for key in swept}
    return shlex.join([*words[:3], "-m", *kept, *(f"{key}={','.join(map(str, values[key]))}" for key in swept)])


def _named(directory: Path) -> tuple[dict[Path, str], list[str]]:
    """The directories of the runs with their names, and the names of those that are gone."""
    table, missing = directory / SUMMARY_DIR / RUNS, []
    found = {}
    if table.exists():
        with table.open(newline="") as file:
            for row in csv.DictReader(file):
                # The sweep's directory may have been brought here from elsewhere.
                places = Path(row["directory"]), directory / Path(row["directory"]).name
                place = next((place for place in places if (place / SUMMARY).exists()), None)
                if place is None:
                    missing.append(row["run"])
                else:
                    found[place] = row["run"]
    else:
        for path in sorted(directory.glob(f"*/{journal.FILE}")):
            if (path.parent / SUMMARY).exists():
                found[path.parent] = str(journal.first(path.parent)["name"])
    return found, missing


def _overrides(command: str) -> dict[str, str]:
    """What a command line sets: {key: value as text}."""
    pairs = (word.lstrip("+").partition("=") for word in shlex.split(command)[3:])
    ignored = ("hydra", "tracking", "plots", "progress", "~")
    return {key: value for key, _, value in pairs if not key.startswith(ignored)}


def _run(
    directory: Path, name: str, summary: Mapping[str, Any], values: Mapping[str, Any], metric: str, points: int
) -> Run:
    rows = [record for record, _ in journal.read(directory) if record["kind"] == "row"]
    keys = dict.fromkeys([metric, *(key for row in rows[:1] for key in row["values"] if _is_drawn(key))])
    if len(rows) > points:
        rows = [rows[i] for i in np.linspace(0, len(rows) - 1, points).round().astype(int)]
    curves = {key: [row["values"].get(key, math.nan) for row in rows] for key in keys}
    last = {key: float(value) for key, value in summary["metrics"]["last"].items()}
    return Run(name, directory, summary, values, last, [row["step"] for row in rows], curves)


def _is_drawn(metric: str) -> bool:
    return metric.endswith("/cost") or is_score(metric) or metric == "grad_norm"
