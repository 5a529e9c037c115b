"""What a script is, as all others ask: its arrays are known, its mathematics are its own, and so are its steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from runner.nn.types import Array, Part
from runner.training.recipe import Recipe
from runner.training.script.program import Program
from runner.training.script.stack import ScriptStack
from runner.training.trainable import Snapshot


@dataclass(frozen=True)
class ScriptKind:
    """A script of the user's (a `runner.training.trainable.Kind`)."""

    recipe: Recipe
    program: Program

    known = False
    in_memory = False  # its rows are its own: neither its gradient nor its failure is looked into here
    stacks = False
    threaded = False
    shares_order = False
    updates_itself = True
    largest = 1  # BLAS has one thread, as in all runs of scripts

    @property
    def title(self) -> str:
        return self.program.name

    @property
    def digest(self) -> str:
        return self.program.digest

    @property
    def size(self) -> int:
        return sum(prod(shape) for _, shape in self.program.layout)

    @property
    def parts(self) -> list[Part]:
        return []

    @property
    def metrics(self) -> list[str]:
        score = [] if self.program.score is None else [f"train/{self.recipe.scored}"]
        return ["train/cost", *score, *(f"weight_norm/{name}" for name, _ in self.program.layout)]

    def arrays(self, theta: Array) -> dict[str, Array]:
        ends = np.cumsum([prod(shape) for _, shape in self.program.layout])
        cut = np.split(theta, ends[:-1])
        return {name: part.reshape(shape) for (name, shape), part in zip(self.program.layout, cut, strict=True)}

    def recorded(self) -> dict[str, Any]:
        path, loop = str(self.program.source.path), self.program.understood.loop.line
        return {"script": {"path": path, "loop": loop, "argv": self.program.argv, "scored": self.recipe.scored}}

    def start(self, recipes: Sequence[Recipe], state: Snapshot | None = None) -> ScriptStack:
        return ScriptStack.start(recipes) if state is None else ScriptStack(recipes, state)
