"""What runs are ranked by: one metric, or several for a search of the Pareto front."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from runner.experiment.schema import show, suggest

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


def objectives(section: Mapping[str, Any], metrics: Sequence[str], problems: list[str]) -> tuple[Objective, ...]:
    """The objectives of a run that has these metrics, `auto` filled in; what is wrong goes to `problems`.

    The first is what leaderboards, early stopping and pruning look at.

    >>> objectives({"metric": "auto", "mode": "auto"}, ["train/cost", "val/cost"], [])
    (Objective(metric='val/cost', mode='min'),)
    """
    watched, modes = section["metric"], section["mode"]
    watched = watched if isinstance(watched, list) else [watched]
    modes = modes if isinstance(modes, list) else [modes] * len(watched)
    watched = [("val/cost" if "val/cost" in metrics else "train/cost") if name == "auto" else name for name in watched]
    if not watched or len(modes) != len(watched) or len(set(watched)) != len(watched):
        problems.append(
            "objective must be one metric, or a list of different ones and as many modes or one. "
            f"Got {show(dict(section))}."
        )
        return (Objective("train/cost", "min"),)
    found = []
    for metric, mode in zip(watched, modes, strict=True):
        if metric.startswith("test/"):
            problems.append(
                f"objective.metric={metric}: nothing is chosen on test rows. Hold some out with dataset.validation=0.2."
            )
        elif metric not in metrics:
            problems.append(no_metric("objective.metric", metric, metrics))
        found.append(Objective(metric, ("max" if metric.endswith("/accuracy") else "min") if mode == "auto" else mode))
    return tuple(found)


def no_metric(key: str, name: str, metrics: Sequence[str]) -> str:
    """The sentence on a metric that this run does not have."""
    return f"{key}: this run has no metric {name!r}. It has: {', '.join(metrics)}." + suggest(name, metrics)
