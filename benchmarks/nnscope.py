"""nnscope 0.1.2 on the corpus of diagnosis: what its first insight says of the same runs.

    .benchmarks/bin/python -m benchmarks.nnscope [--part held-out] [--seeds 1]

Its rules read a training as it goes (one log a step, as its documentation has it, the first 3,000 steps). An insight
counts as right where its message names the true cause as one of several.
"""

import argparse
import os
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import nnscope
import numpy as np

from benchmarks.diagnosis import corpus
from benchmarks.diagnosis.scores import share
from runner.diagnosis import failed
from runner.diagnosis.case import UNDETERMINED
from runner.diagnosis.trials import courses
from runner.experiment.build import compose_with
from runner.experiment.compose import Composer
from runner.experiment.schema import ConfigError
from runner.nn.types import layers_of
from runner.runs import findings
from runner.training.recipe import Recipe
from runner.training.stack import Stack

MOST = 3000  # steps
NAMES = {"tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "ReLU", "leaky_relu": "LeakyReLU", "elu": "ELU"}
MEANS = {
    "nan": {"learning_rate_too_high", "saturated_loss"},
    "vanishing": {"init_too_small", "init_too_large"},
    "exploding": {"learning_rate_too_high"},
    "lr_high": {"learning_rate_too_high"},
    "lr_low": {"learning_rate_too_low"},
    "dead": {"learning_rate_too_high", "init_too_large", "init_too_small", "dead_units"},
    "inactive": {"dead_units"},
    "saturated": {"inputs_unscaled", "init_too_large"},
    "overfit": {"overfitting"},
}


class Dense:
    """A layer as nnscope looks for it."""

    def __init__(self, W: np.ndarray, b: np.ndarray, dW: np.ndarray, db: np.ndarray):
        self.W, self.b, self.dW, self.db = W, b, dW, db


class Network:
    def __init__(self, layers: list[Any]):
        self.layers = layers


def insights(recipe: Recipe, activation: str) -> list[str]:
    """The kinds of what it says of a training, in its order."""
    scope, stack = nnscope.Scope("run", live=False, quiet=True, snapshot_every=10**9), Stack.start([recipe])
    bent = type(NAMES.get(activation, "Identity"), (), {})
    widths = stack.prepared.widths
    for step in range(min(MOST, recipe.plan.iterations)):
        g = stack.gradient()
        passed, Y = stack.batch()
        pairs = zip(layers_of(stack.theta, widths), layers_of(g, widths), strict=True)
        dense = [Dense(layer.W[0], layer.b[0, 0], slope.W[0], slope.b[0, 0]) for layer, slope in pairs]
        layers = [part for layer in dense for part in (layer, bent())][:-1]
        cost = float(stack.network.head.cost(passed.Z[-1], passed.A[-1], Y)[0])
        scope.log(step, model=Network(layers), loss=cost, activations=[A[0] for A in passed.A])
        if not np.isfinite(stack.theta).all():
            break
        stack.advance(g)
    return [insight["kind"] for insight in scope.insights]


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--part", choices=["training", "held-out"], default="held-out")
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    composer, told = Composer(), Counter[str]()
    with tempfile.TemporaryDirectory() as folder, np.errstate(all="ignore"):
        corpus.draw(Path(folder))
        os.chdir(folder)
        for cell in [*corpus.faulty(held_out=asked.part == "held-out"), *corpus.healthy()]:
            try:
                experiment = compose_with(composer, cell.overrides)
            except ConfigError:
                continue
            case = findings.case_of(experiment, composer)
            for seed in range(asked.seeds):
                own = case._replace(recipe=replace(case.recipe, seed=seed))
                bad = failed(own, courses([own.recipe])[0])
                if bool(cell.fault) != bad:
                    continue  # latent, or a network that failed without a fault
                said = insights(own.recipe, experiment.activation)
                kind = "failed" if bad else "healthy"
                told[kind] += 1
                told[f"{kind} said"] += bool(said)
                if cell.fault and cell.fault.cause != UNDETERMINED:
                    told["known"] += 1
                    told["first"] += bool(said) and cell.fault.cause in MEANS[said[0]]
                    told["any"] += any(cell.fault.cause in MEANS[one] for one in said)
        os.chdir("/")
    print("failures with an insight:", share(told["failed said"], told["failed"]))
    print("healthy runs with an insight:", share(told["healthy said"], told["healthy"]))
    print("first insight names the cause:", share(told["first"], told["known"]))
    print("any of its insights does:", share(told["any"], told["known"]))


if __name__ == "__main__":
    main()
