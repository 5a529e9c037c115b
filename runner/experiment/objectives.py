"""What runs are ranked by: one metric, or several for a search of the Pareto front."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from runner.experiment.schema import show, suggest
from runner.nn.scores import is_score, named

Mode = Literal["auto", "min", "max"]


class Objective(NamedTuple):
    """A metric of a run's rows, to be made small (`min`) or large (`max`)."""

    metric: str
    mode: Literal["min", "max"]

    @property
    def sign(self) -> int:
        """What makes less better: 1, or -1 where more is."""
        return 1 if self.mode == "min" else -1


def objective(metric: str | list[str], mode: Mode | list[Mode]) -> None:
    """`objective.*`."""


def objectives(section: Mapping[str, Any], metrics: Sequence[str]) -> tuple[Objective, ...]:
    """The objectives of a run that has these metrics, `auto` filled in, of a section without `objective_problems`.

    The first is what leaderboards, early stopping and pruning look at.

    >>> objectives({"metric": "auto", "mode": "auto"}, ["train/cost", "val/cost"])
    (Objective(metric='val/cost', mode='min'),)
    """
    watched, modes = _listed(section, metrics)
    return tuple(Objective(metric, _mode(metric, mode)) for metric, mode in zip(watched, modes, strict=True))


def recorded(params: Mapping[str, Any], metrics: Sequence[str]) -> Objective:
    """What a recorded run was ranked by: of its parameters, as its journal has them, and of its metrics."""
    texts = {name: params[f"objective.{name}"] for name in ("metric", "mode")}
    section = {name: json.loads(text) if str(text).startswith("[") else text for name, text in texts.items()}
    return objectives(section, metrics)[0]


def objective_problems(section: Mapping[str, Any], metrics: Sequence[str]) -> list[str]:
    """What is wrong with the objectives of a run that has these metrics."""
    watched, modes = _listed(section, metrics)
    if not watched or len(modes) != len(watched) or len(set(watched)) != len(watched):
        return [
            "objective must be one metric, or a list of different ones and as many modes or one. "
            f"Got {show(dict(section))}."
        ]
    problems = []
    for metric in watched:
        if metric.startswith("test/"):
            problems.append(
                f"objective.metric={metric}: nothing is chosen on test rows. Hold some out with dataset.validation=0.2."
            )
        elif metric not in metrics:
            problems.append(no_metric("objective.metric", metric, metrics))
    return problems


def _listed(section: Mapping[str, Any], metrics: Sequence[str]) -> tuple[list[str], list[Mode]]:
    """The metrics and their modes as two lists: one mode is that of all."""
    watched, modes = section["metric"], section["mode"]
    watched = watched if isinstance(watched, list) else [watched]
    default = "val/cost" if "val/cost" in metrics else "train/cost"
    known = [default if name == "auto" else named(name, metrics) for name in watched]
    return known, modes if isinstance(modes, list) else [modes] * len(watched)


def _mode(metric: str, mode: Mode) -> Literal["min", "max"]:
    if mode != "auto":
        return mode
    return "max" if is_score(metric) else "min"


def no_metric(key: str, name: str, metrics: Sequence[str]) -> str:
    """The sentence on a metric that this run does not have."""
    return f"{key}: this run has no metric {name!r}. It has: {', '.join(metrics)}." + suggest(name, metrics)
