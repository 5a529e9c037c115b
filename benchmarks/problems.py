"""The problems that everyone trains on: data, shape, initial weights and rate, the same for all."""

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from runner.experiment import build
from runner.nn.types import layers_of
from runner.training.recipe import Recipe

Layers = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Problem:
    """`recipe` is ours; `X` (n, d), `Y` (n, 1), `layers` [(W (fan_in, fan_out), b (fan_out,))] are for the others."""

    name: str
    recipe: Recipe
    activation: str
    lr: float
    iterations: int  # in a timed portion

    @property
    def X(self) -> np.ndarray:
        return self.recipe.sets["train"].X

    @property
    def Y(self) -> np.ndarray:
        return self.recipe.sets["train"].Y

    @property
    def layers(self) -> Layers:
        drawn = layers_of(self.recipe.initial_parameters()[None], self.recipe.widths)
        return [(layer.W[0].copy(), layer.b[0, 0].copy()) for layer in drawn]

    def with_plan(self, **changes: Any) -> Recipe:
        return replace(self.recipe, plan=replace(self.recipe.plan, **changes))


def problem(name: str, iterations: int, *overrides: str) -> Problem:
    """A preset, or overrides of the default configuration, as a problem."""
    made = build.compose(list(overrides))
    lr = made.config["optimizer"]["lr"]
    return Problem(name, made.recipe, made.config["architecture"]["activation"], lr, iterations)


def problems() -> dict[str, Problem]:
    """XOR and the flower; the cats where CATS_DIR names the folder of their two files."""
    found = {
        "xor": problem("XOR 2-4-1 sigmoid", 2000, "experiment=cured/xor"),
        "flower": problem("flower 2-4-1 tanh", 1000, "experiment=course/flower"),
    }
    if os.environ.get("CATS_DIR"):
        path = os.environ["CATS_DIR"]
        found["cats"] = problem("cats 12288-20-7-5-1 ReLU", 20, "experiment=course/cats", f"dataset.dir={path}")
    return found


def cost_of(problem: Problem, layers: Layers) -> float:
    """The mean cross-entropy on the training rows, from the logits."""
    hidden = {"sigmoid": lambda Z: 1 / (1 + np.exp(-Z)), "tanh": np.tanh, "relu": lambda Z: np.maximum(Z, 0)}
    A: np.ndarray = problem.X
    for W, b in layers[:-1]:
        A = hidden[problem.activation](A @ W + b)
    W, b = layers[-1]
    Z = A @ W + b
    return float((np.logaddexp(0, Z) - problem.Y * Z).mean())
