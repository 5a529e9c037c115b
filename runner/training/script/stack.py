"""A script that is watched, as what train.py asks of a stack: it is run once, whole, and its rows are told again.

Its steps are its own: `advance` only goes on to the next row of what was seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from runner.nn.types import Array
from runner.training.nonfinite import NonFinite
from runner.training.recipe import Plan, Recipe
from runner.training.script.program import Program
from runner.training.trainable import Measured, Snapshot


class Seen(NamedTuple):
    """What a whole run of a script left: it is the memory of its stack.

    Attributes:
        costs: by step, `step` updates before it was taken; norms: (arrays,) by step; steps: how many updates it made.
        theta: the arrays (P,) at its end; score: {kind, value} of its last outputs, or None.
        nonfinite: the first step with a value that is no number, and its name.
    """

    costs: dict[int, float]
    norms: dict[int, list[float]]
    steps: int
    theta: Array
    score: dict[str, Any] | None
    nonfinite: dict[str, Any] | None


def seen(program: Program, seed: int, every: int) -> Seen:
    """Run the script, and keep what it did."""
    found = program.run(seed, every)
    names = [name for name, _ in program.layout]
    by_name = {name: dict(map(tuple, found["norms"].get(name, []))) for name in names}
    steps = sorted(set().union(*by_name.values())) if by_name else []
    norms = {int(step): [float(by_name[name].get(step, np.nan)) for name in names] for step in steps}
    arrays = [np.ravel(found["final"].get(name, np.zeros(shape))) for name, shape in program.layout]
    theta = np.concatenate(arrays).astype(float) if arrays else np.zeros(0)
    costs = {int(step): float(value) for step, value in found["costs"]}
    return Seen(costs, norms, int(found["steps"]), theta, found["score"], found["nonfinite"])


class ScriptStack:
    """The one member of a stack that is a script (a `runner.training.trainable.Trainable`)."""

    full_gradient = True  # there is none to form: nobody asks for one beside `measure`

    def __init__(self, recipes: Sequence[Recipe], state: Snapshot):
        (self.recipe,) = recipes
        assert self.recipe.script is not None
        self.recipes, self.members, self.step = list(recipes), state.members, state.step
        self.program: Program = self.recipe.script
        self.seen: Seen = state.memory

    @classmethod
    def start(cls, recipes: Sequence[Recipe]) -> "ScriptStack":
        (recipe,) = recipes
        assert recipe.script is not None
        found = seen(recipe.script, recipe.seed, recipe.plan.log_every)
        return cls(recipes, Snapshot(0, np.arange(1), found.theta[None], found))

    @property
    def plan(self) -> Plan:
        """As many iterations as it made, and a row where it computes its cost, but no oftener than is asked for."""
        steps = sorted(self.seen.costs)
        apart = min((b - a for a, b in pairwise(steps) if b > a), default=1)
        every = -(-self.recipe.plan.log_every // apart) * apart
        return replace(self.recipe.plan, iterations=max(1, self.seen.steps), log_every=every)

    @property
    def theta(self) -> Array:
        """Its arrays (1, P): those of its end, which are all that is kept; no numbers where theirs were none."""
        bad = self.seen.nonfinite
        gone = bad is not None and bad["name"] != "cost" and self.step >= bad["step"]
        return np.full_like(self.seen.theta, np.nan)[None] if gone else np.nan_to_num(self.seen.theta)[None]

    def gradient(self) -> Array:
        """Zeros (1, P): what is not seen is not told."""
        return np.zeros((1, self.seen.theta.size))

    def advance(self, g: Array) -> Array:
        self.step += 1
        return g

    def quietly(self, count: int, should_stop: Callable[[], bool]) -> bool:
        self.step += count
        return should_stop()

    def measure(self) -> Measured:
        """The cost that it computed at this step, the norms of its arrays, and at the end its score."""
        values: dict[str, Array] = {}
        if self.step in self.seen.costs:
            values["train/cost"] = np.array([self.seen.costs[self.step]])
        score = self.seen.score
        if score is not None and self.step >= self.seen.steps:
            values[f"train/{self.recipe.scored}"] = np.array([score["value"]])
        norms = np.array([self.seen.norms.get(self.step, [np.nan] * len(self.program.layout))])
        if self.step in self.seen.norms:
            for (name, _), norm in zip(self.program.layout, norms[0], strict=True):
                values[f"weight_norm/{name}"] = np.array([norm])
        bad = self.seen.nonfinite
        sound = bad is None or self.step < bad["step"]
        if not sound and "train/cost" not in values:
            values["train/cost"] = np.array([np.nan])
        return Measured(values, norms, self.gradient(), sound)

    def update_ratios(self, change: Array, before: Array) -> dict[str, Array]:
        return {}

    def first_nonfinite(self) -> NonFinite | None:
        """The first value that is no number, where it is at this step."""
        bad = self.seen.nonfinite
        return NonFinite(bad["step"], 0, bad["name"], None) if bad is not None and self.step >= bad["step"] else None

    def snapshot(self) -> Snapshot:
        return Snapshot(self.step, self.members, self.theta, self.seen)

    def again(self, recipes: Sequence[Recipe], state: Snapshot) -> "ScriptStack":
        return ScriptStack(recipes, state)

    def parameters(self, position: int) -> Array:
        return self.seen.theta.copy()
