"""The rows of a recipe as its network reads them, made once and shared by all members of a stack. NumPy only."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from runner.nn.network import with_ones
from runner.nn.types import Array
from runner.training import shrink
from runner.training.feed import Feed
from runner.training.recipe import Data, Recipe


class Rows(NamedTuple):
    """One set as training reads it: `X1` (n, d + 1) with a column of ones, targets `Y` (1, n, outputs), the `data`."""

    X1: Array
    Y: Array
    data: Data


class Prepared(NamedTuple):
    """What all members of a stack share, in the `basis` that they are trained in (None: the features as they are)."""

    widths: tuple[int, ...]
    sets: Mapping[str, Rows]
    basis: shrink.Basis | None
    feed: Feed | None  # of the rows to train on, where they are streamed: then "train" is not among the sets

    def entered(self, recipe: Recipe) -> Array:
        """θ (P,) of a member at step 0, in the coordinates that it is trained in."""
        theta = recipe.initial_parameters()
        if self.basis is None:
            return theta
        end, fan_out = recipe.widths[0] * recipe.widths[1], recipe.widths[1]
        return np.concatenate([shrink.enter(self.basis, theta[:end].reshape(-1, fan_out)).ravel(), theta[end:]])

    def left(self, recipe: Recipe, theta: Array) -> Array:
        """A member's θ (P,) by features, as an array of its own; `theta` in the coordinates that it is trained in."""
        if self.basis is None:
            return theta.copy()
        theta0, fan_out = recipe.initial_parameters(), recipe.widths[1]
        inside, whole = self.widths[0] * fan_out, recipe.widths[0] * fan_out
        W, W0 = theta[:inside].reshape(-1, fan_out), theta0[:whole].reshape(-1, fan_out)
        return np.concatenate([shrink.leave(self.basis, W, W0).ravel(), theta[inside:]])


def prepare(recipe: Recipe) -> Prepared:
    """The data of a recipe in the order in which memory is read: rows last, but where mini-batches pick some."""
    if recipe.source is not None:
        feed = Feed(recipe.source, recipe.seed, recipe.plan.batch_size)
        held = {name: rows(data) for name, data in recipe.sets.items() if name != "train"}
        return Prepared(recipe.widths, held, None, feed)
    basis = shrink.basis_of(recipe.sets) if shrink.applies(recipe) else None
    found = {}
    for name, data in (basis.sets if basis else recipe.sets).items():
        picked = name == "train" and recipe.plan.batch_size < len(data.X)
        found[name] = rows(data, "C" if picked else "F")
    return Prepared((found["train"].data.X.shape[1], *recipe.widths[1:]), found, basis, None)


def rows(data: Data, order: Literal["C", "F"] = "F") -> Rows:
    """A set with a column of ones beside its inputs."""
    return Rows(np.asarray(with_ones(data.X), order=order), data.Y[None], data)
