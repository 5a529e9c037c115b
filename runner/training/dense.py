"""What our own networks are: fully connected layers whose mathematics the configuration names. NumPy only."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from runner.nn.types import Array, Part, layers_of, parts_of, spans
from runner.training import shrink
from runner.training.recipe import Recipe
from runner.training.stack import Stack, metric_keys
from runner.training.trainable import Snapshot


@dataclass(frozen=True)
class DenseKind:
    """Our stack, its rows in memory (a `runner.training.trainable.Kind`)."""

    recipe: Recipe

    title = ""
    known = True
    in_memory = True
    stacks = True
    threaded = False
    shares_order = False
    updates_itself = False
    digest = ""

    @property
    def largest(self) -> int:
        return max(fan_in * fan_out for fan_in, fan_out in pairwise(shrink.trained_widths(self.recipe)))

    @property
    def size(self) -> int:
        return spans(self.recipe.widths)[-1].stop

    @property
    def parts(self) -> list[Part]:
        return parts_of(self.recipe.widths)

    @property
    def metrics(self) -> list[str]:
        names = [f"{name}/{kind}" for name in self.recipe.sets for kind in ("cost", self.recipe.scored)]
        names += ["train/objective"] * bool(self.recipe.l2) + ["grad_norm"]
        return names + [key for keys in metric_keys(len(self.recipe.widths) - 1) for key in keys[:2]]

    def arrays(self, theta: Array) -> dict[str, Array]:
        """W1 (fan_in, fan_out), b1 (fan_out,), W2, ..."""
        found: dict[str, Array] = {}
        for number, layer in enumerate(layers_of(theta[None], self.recipe.widths), 1):
            found[f"W{number}"], found[f"b{number}"] = layer.W[0], layer.b[0, 0]
        return found

    def recorded(self) -> dict[str, Any]:
        return {}

    def start(self, recipes: Sequence[Recipe], state: Snapshot | None = None) -> Stack:
        return Stack.start(recipes) if state is None else Stack(recipes, state)
