"""How a network of the user's own begins where its own weights are not what is wanted: drawn here, or scaled.

theta = begun(theta, recipe)        architecture.init and architecture.init_scale
"""

from collections.abc import Callable
from itertools import pairwise
from math import prod

import numpy as np

from runner.nn import initializers
from runner.nn.initializers import Initializer
from runner.nn.types import Array, Part
from runner.training.own.parts import parts_of, widths_of
from runner.training.recipe import WEIGHTS, Recipe

DRAWN: dict[str, Callable[[], Initializer]] = {
    "lecun_normal": initializers.lecun_normal,
    "xavier_normal": initializers.xavier_normal,
    "he_normal": initializers.he_normal,
}


def begun(theta: Array, recipe: Recipe) -> Array:
    """θ (P,) at step 0: `theta`, which the network made itself, or weights of an initialiser here and biases of 0;
    times the scale. Arrays of nothing but ones (a batch norm's gain) stay as they are.
    """
    assert recipe.own is not None
    options = recipe.own.options
    if options.init == "own":
        return theta * options.init_scale if options.init_scale != 1.0 else theta
    initializer = DRAWN[options.init]()
    generator = np.random.default_rng([recipe.seed, WEIGHTS])
    drawn = theta.copy()
    for part, fans in fans_of(recipe):
        own = theta[part.start : part.stop]
        if (own == 1).all():
            continue
        if part.kind == "b":
            drawn[part.start : part.stop] = 0
        else:
            W = initializer.weights(generator, *fans)  # (fan_in, fan_out)
            shaped = W if part.shape == fans else W.T if part.shape == fans[::-1] else W.reshape(part.shape)
            drawn[part.start : part.stop] = options.init_scale * shaped.ravel()
    return drawn


def fans_of(recipe: Recipe) -> list[tuple[Part, tuple[int, int]]]:
    """Every array of the network with its (fan_in, fan_out); (0, size) of biases.

    Matrices lie as they make a chain from the inputs to the outputs; where none does, as the samples lie. The last
    axis of a larger array is its outputs.
    """
    assert recipe.own is not None
    inputs, outputs = recipe.widths[0], recipe.widths[-1]
    parts = parts_of(recipe.own.layout, inputs, outputs)
    weights = sorted((part for part in parts if part.kind == "W"), key=lambda part: part.layer)
    widths = widths_of(parts, inputs, outputs)
    turned = recipe.own.options.samples == "columns"
    if widths is not None:
        turned = any(part.shape != fan for part, fan in zip(weights, pairwise(widths), strict=True))
    return [(part, _fans(part, turned)) for part in parts]


def _fans(part: Part, turned: bool) -> tuple[int, int]:
    if part.kind == "b":
        return 0, prod(part.shape)
    if len(part.shape) == 2:
        return part.shape[::-1] if turned else part.shape
    return prod(part.shape[:-1]), part.shape[-1]
