"""What diagnosis is about: a run that failed (`Case` and `Course`), and what is found (`Verdict`, `Finding`)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from runner.nn.types import Array
from runner.training.nonfinite import NonFinite
from runner.training.recipe import Recipe

Overrides = tuple[str, ...]
UNDETERMINED = "undetermined"  # told where no experiment tells a cause


def met(metric: str, goal: float, above: tuple[str, float] | None, values: Mapping[str, float]) -> bool:
    """Whether a row reaches a goal: a cost at most, a score at least `goal`; and a score above that of a constant."""
    value = values.get(metric, float("nan"))
    if above is not None and not values.get(above[0], float("nan")) > above[1] + 1e-9:
        return False
    return bool(value <= goal if metric.endswith("/cost") else value >= goal)


class Case(NamedTuple):
    """A run as it was asked for: its `recipe`, the names of its parts, and what it must reach.

    `constant` is the cost of the best constant answer; `labels` what a single output is trained towards (empty for
    softmax and regressions). `changes` are overrides that this case has beyond the command it came from, and `vary`
    makes the case of the same command with others: None where those do not go with it. So whatever is tried here is
    what the command line would run. Cases with the same `alike` differ only in what the members of a stack may.
    """

    recipe: Recipe
    target: str
    goal: float
    constant: float
    labels: Array
    dataset: str
    classes: int  # 0: a regression
    scaling: str
    activation: str
    output: str
    loss: str
    epsilon: float
    init: str
    optimizer: str
    configured_lr: float
    fault: str
    alike: str
    vary: Callable[[Overrides], "Case | None"]
    changes: Overrides = ()
    above: tuple[str, float] | None = None  # a score, and what a constant answer gets of it
    known: bool = True  # else it is a network of the user's own: all that is known are its costs and gradients
    resizes: bool = True  # whether it takes other widths of its hidden layers
    steps_itself: bool = False  # by a step(lr) of its own
    target_scaling: str = "none"  # as it is asked for

    @property
    def lr(self) -> float:
        return float(self.recipe.optimizer_arguments["lr"])

    @property
    def hidden(self) -> tuple[int, ...]:
        return self.recipe.widths[1:-1]

    @property
    def standardise(self) -> Overrides:
        """The change that standardises the inputs; a divisor has its place beside scaling=divide only."""
        standardise = "dataset.scaling=standardise"
        return (standardise, "dataset.divisor=null") if self.scaling == "divide" else (standardise,)

    @property
    def targets_standardised(self) -> list[Overrides]:
        """The change that standardises the targets of a regression; none where they are, or are classes."""
        return [] if self.classes or self.target_scaling == "standardise" else [("dataset.target_scaling=standardise",)]

    @property
    def plain(self) -> bool:
        """Whether a step is the gradient times the rate (with momentum or not): then curvature bounds the rate."""
        return self.optimizer in ("gd", "momentum", "nesterov") and not self.steps_itself

    @property
    def full_batch(self) -> bool:
        return self.recipe.plan.batch_size >= len(self.recipe.sets["train"].X)

    def reached(self, values: Mapping[str, float]) -> bool:
        """Whether a row of the trace is what the run had to reach."""
        return met(self.target, self.goal, self.above, values)

    def changed(self, *overrides: str) -> "Case | None":
        """This case with `overrides` beside the changes that it has; a later one of a key or a group stands in for
        an earlier."""
        return self.vary(merged(self.changes, overrides))


class Course(NamedTuple):
    """How a run went: `steps` (T,), by metric `values` (T,), its status, its first non-finite value, final θ (P,)."""

    steps: np.ndarray
    values: Mapping[str, Array]
    status: str
    nonfinite: NonFinite | None
    theta: Array

    @property
    def cost(self) -> Array:
        return self.values["train/cost"]

    def final(self) -> dict[str, float]:
        """The last value of each metric that is there at the end."""
        return {key: float(column[-1]) for key, column in self.values.items()}


class Verdict(NamedTuple):
    """What a cause's function says. `weight` says how well it is shown:

        3  proved by a test that only this cause fails
        2  fixed alone it cures the run (or ends the blow-up), and its measure is far from what works
        1  fixed alone it cures the run, but its measure is unremarkable
        .5 its measure is far from what works, and fixing it alone does not cure the run
        0  it is not this

    `consequence`: it is how the run broke, and not why; it is told after what is. `excess` is how many powers of ten
    the measure is off; `mend` the overrides that fix it, () where there are none.
    """

    weight: float = 0.0
    excess: float = 0.0
    layer: int | None = None
    array: str | None = None
    evidence: tuple[str, ...] = ()
    numbers: Mapping[str, float] = {}
    mend: Overrides = ()
    consequence: bool = False


class Finding(NamedTuple):
    """One cause of a failure, as it is recorded. `cure` is None until the override was run on fresh seeds; `headline`
    is what is said of it in place of its cause's name, where more is known. An override that was not `shown` is a hint.
    """

    symptom: str
    step: int
    cause: str
    layer: int | None
    array: str | None
    evidence: Sequence[str]
    meaning: str
    override: Sequence[str]
    alternatives: Sequence[str]
    numbers: Mapping[str, float]
    cure: Mapping[str, Any] | None = None
    headline: str = ""
    shown: str = ""  # on how many seeds the override was run and reached the target; empty where it did not


def merged(before: Sequence[str], more: Sequence[str]) -> Overrides:
    """Overrides one after another, without those that a later one stands in for.

    >>> merged(["init=normal", "init.scale=0.1", "seed=1"], ["init=he_normal", "seed=2"])
    ('init=he_normal', 'seed=2')
    """
    kept: list[str] = []
    for override in [*before, *more]:
        key = _key(override)
        group = "" if "." in key else f"{key}."
        kept = [old for old in kept if _key(old) != key and not (group and _key(old).startswith(group))]
        kept.append(override)
    return tuple(kept)


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")
