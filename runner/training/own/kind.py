"""What a network of the user's own is, as all others ask: its names and shapes are known, its mathematics are not."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from runner.nn.types import Array, Part
from runner.training.own.network import arrays_of
from runner.training.own.parts import parts_of
from runner.training.own.stack import OwnStack, own_keys
from runner.training.recipe import OwnSource, Recipe
from runner.training.trainable import Snapshot


@dataclass(frozen=True)
class OwnKind:
    """A network of the user's own (a `runner.training.trainable.Kind`)."""

    recipe: Recipe
    source: OwnSource

    known = False
    in_memory = True
    stacks = False  # its code knows of one network
    threaded = False
    shares_order = False

    @property
    def title(self) -> str:
        return self.source.options.network

    @property
    def updates_itself(self) -> bool:
        return self.source.options.update == "own"

    @property
    def digest(self) -> str:
        return self.source.digest

    @property
    def largest(self) -> int:
        return max(prod(shape) for _, shape in self.source.layout)

    @property
    def size(self) -> int:
        return sum(prod(shape) for _, shape in self.source.layout)

    @property
    def parts(self) -> list[Part]:
        return parts_of(self.source.layout, self.recipe.widths[0], self.recipe.widths[-1])

    @property
    def metrics(self) -> list[str]:
        kinds = ("cost", self.recipe.scored) if self.source.predicts else ("cost",)
        names = [f"{name}/{kind}" for name in self.recipe.sets for kind in kinds]
        return [*names, "grad_norm", *(key for keys in own_keys(self.source) for key in keys[:2])]

    def arrays(self, theta: Array) -> dict[str, Array]:
        return arrays_of(theta, self.source.layout)

    def recorded(self) -> dict[str, Any]:
        said = {**self.source._asdict(), "options": self.source.options._asdict(), "seed": self.recipe.seed}
        return {"own": said}

    def start(self, recipes: Sequence[Recipe], state: Snapshot | None = None) -> OwnStack:
        return OwnStack.start(recipes) if state is None else OwnStack(recipes, state)
