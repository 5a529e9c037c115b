"""Timing: portions of work run in turn, again and again, so that a busy moment of the machine hits all alike."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np

from runner.training.recipe import Recipe
from runner.training.stack import Stack


def interleaved(portions: Mapping[str, Callable[[], object]], repetitions: int) -> dict[str, list[float]]:
    """Seconds of each portion, in each repetition. Every one runs once before: caches, compilations, clocks."""
    for portion in portions.values():
        portion()
    found: dict[str, list[float]] = {name: [] for name in portions}
    gc.disable()
    try:
        for _ in range(repetitions):
            for name, portion in portions.items():
                began = time.perf_counter()
                portion()
                found[name].append(time.perf_counter() - began)
    finally:
        gc.enable()
    return found


def median(values: list[float]) -> float:
    return statistics.median(values)


def ratio(of: list[float], to: list[float]) -> float:
    """The median of the ratios within a repetition."""
    return statistics.median(a / b for a, b in zip(of, to, strict=True))


def steps(stack: Stack, count: int) -> Callable[[], None]:
    """So many updates of a stack, and nothing else."""

    def run() -> None:
        with np.errstate(all="ignore"):
            for _ in range(count):
                stack.advance(stack.gradient())

    return run


def products(recipe: Recipe, widths: tuple[int, ...], count: int) -> Callable[[], None]:
    """The matrix products of so many iterations and nothing else: forward, by the weights, by the activations."""
    n, rng = recipe.plan.batch_size, np.random.default_rng(0)
    shapes = []
    for index, (fan_in, fan_out) in enumerate(pairwise(widths)):
        shapes += [(n, fan_in + 1, fan_out), (fan_in + 1, n, fan_out)] + [(n, fan_out, fan_in)] * (index > 0)
    made = [(rng.standard_normal((a, b)), rng.standard_normal((b, c)), np.empty((a, c))) for a, b, c in shapes]

    def run() -> None:
        for _ in range(count):
            for A, B, C in made:
                np.matmul(A, B, out=C)

    return run


def operations(recipe: Recipe, widths: tuple[int, ...]) -> int:
    """Floating-point operations of an iteration's products."""
    pairs = list(pairwise(widths))
    total = sum(4 * (fan_in + 1) * fan_out for fan_in, fan_out in pairs)
    return recipe.plan.batch_size * (total + sum(2 * fan_in * fan_out for fan_in, fan_out in pairs[1:]))


def empty_calls(count: int) -> Callable[[], None]:
    """Calls of a ufunc on one number."""
    a, b, c = np.ones(1), np.ones(1), np.empty(1)

    def run() -> None:
        multiply = np.multiply
        for _ in range(count):
            multiply(a, b, c)

    return run


def calls(depth: int) -> int:
    """ufunc calls of an iteration of gradient descent: forward 2 a layer, backward 5 (the last layer 3), update 2."""
    return 2 * depth + 5 * (depth - 1) + 3 + 2
