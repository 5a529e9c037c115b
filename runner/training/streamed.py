"""A stack whose rows to train on stay in their file: all members see the same batches, which are read ahead.

There is no whole set to measure. The training set's costs and scores are over the batches since the last row of the
cadence up to this step's, each as its step found it, and the gradient is of this step's batch. NumPy only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runner.nn.network import Pass, forward, make_pass
from runner.nn.types import Array
from runner.training.dense import DenseKind
from runner.training.recipe import Data, Recipe
from runner.training.rows import Prepared
from runner.training.stack import Stack
from runner.training.trainable import Snapshot


class StreamedStack(Stack):
    """`Stack` with a feed in place of the training set: `seen` (K, 3) sums rows, rows * cost and rows * score."""

    def __init__(self, recipes: Sequence[Recipe], state: Snapshot, prepared: Prepared | None = None):
        """Raises ValueError where the members have several seeds: they share the order of their rows."""
        if len({recipe.seed for recipe in recipes}) > 1:
            raise ValueError("the members of a stack that streams its rows share their order: expected one seed.")
        super().__init__(recipes, state, prepared)
        assert self.prepared.feed is not None
        self.feed = self.prepared.feed
        self.seen = np.zeros((len(recipes), 3)) if state.seen is None else state.seen.copy()

    def snapshot(self) -> Snapshot:
        """The state as it is now, in arrays of its own."""
        return super().snapshot()._replace(seen=self.seen.copy())

    def batch(self) -> tuple[Pass, Array]:
        """What this step is computed in, its inputs in place, and its targets Y (1, n, outputs), all members'."""
        data = self.feed.batch(self.step)
        return self._streamed(data, self.dropping), data.Y[None]

    def gradient(self) -> Array:
        """g (K, P) of this step's batch, which is now among those seen."""
        passed, Y = self.batch()
        masks = self.masks(passed.n)
        forward(self.network, self.layers, passed, masks)
        self.seen = self._with_this_batch(None if self.dropping else passed)
        self._backward(passed, Y, masks)
        return self.g

    def looked_at(self) -> tuple[Pass, Array]:
        """This step's batch, passed forward without dropout, and its targets."""
        data = self.feed.batch(self.step)
        return forward(self.network, self.layers, self._streamed(data, False)), data.Y[None]

    def _costs_and_scores(self) -> dict[str, Array]:
        held = super()._costs_and_scores()
        passed, Y = self.looked_at()
        rows, cost, score = self._with_this_batch(passed).T
        self._backward(passed, Y)
        return {"train/cost": cost / rows, f"train/{self.recipes[0].scored}": score / rows} | held

    def _with_this_batch(self, passed: Pass | None) -> Array:
        """`seen`, with this step's batch in it; `passed`: the batch passed forward without dropout, if it has been."""
        data = self.feed.batch(self.step)
        if passed is None:
            passed = forward(self.network, self.layers, self._streamed(data, False))
        cost = self.network.head.cost(passed.Z[-1], passed.A[-1], data.Y[None])
        score = self.recipes[0].score(passed.A[-1], data)
        found = np.stack([np.full(len(cost), passed.n), passed.n * cost, passed.n * score], axis=1)  # (K, 3)
        first_since_the_row = self.step == 0 or (self.step - 1) % self.plan.log_every == 0
        return found if first_since_the_row else self.seen + found

    def _streamed(self, data: Data, dropping: bool) -> Pass:
        """The arrays for a batch as the feed gives it: its inputs, which all members share, are read where they lie."""
        key = len(data.X), dropping
        if key not in self._portions:
            self._portions[key] = make_pass(self.network.widths, data.X, len(self.recipes), dropping)
        made = self._portions[key]
        inputs, transposed = [data.X, *made.inputs[1:]], [data.X.T, *made.transposed[1:]]
        return self._as_faulty(made._replace(inputs=inputs, transposed=transposed))


@dataclass(frozen=True)
class StreamedKind(DenseKind):
    """Our stack, its rows to train on in their file."""

    in_memory = False
    shares_order = True

    def start(self, recipes: Sequence[Recipe], state: Snapshot | None = None) -> StreamedStack:
        return StreamedStack.start(recipes) if state is None else StreamedStack(recipes, state)
