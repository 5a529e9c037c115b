"""K members trained by kernels, each alone from its first step to its last (a `runner.training.trainable.Trainable`).

How many members there are, in how many threads they train and where a run is interrupted has no part in what is
computed: a kernel sees one member, and every sum in it has its order.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite
from typing import Any, Self

import numpy as np

from runner.nn.types import Array
from runner.training.compiled import arrays, build, crew
from runner.training.compiled.kernels.run import ADVANCE, GRADIENT, MEASURE, STEPS
from runner.training.nonfinite import NonFinite
from runner.training.recipe import BATCHES, Recipe
from runner.training.rows import Prepared, prepare
from runner.training.stack import Stack, metric_keys
from runner.training.trainable import Measured, Snapshot, map_arrays

PORTION = 0.05  # about so many seconds of steps between two looks at Ctrl-C
ORDERS = 4_000_000  # numbers of epochs' orders that are drawn ahead


class CompiledStack:
    """The live members: parameters `theta` (K, P) and what the optimizer remembers are views of padded arrays."""

    def __init__(self, recipes: Sequence[Recipe], state: Snapshot, prepared: Prepared | None = None):
        """`recipes`: those of `state.members`, in their order."""
        first = recipes[0]
        self.prepared = prepared or prepare(first)
        self.recipes, self.members, self.step = list(recipes), state.members, state.step
        self.plan = first.plan
        self.full_batch = self.plan.batch_size >= first.sizes["train"]
        self.full_gradient = self.full_batch and not any(recipe.dropout for recipe in recipes)
        K, P = state.theta.shape
        self._padded = np.zeros((4, K, arrays.padded(P)))  # θ, g, and what optimizers remember
        self.theta, self._g = self._padded[0, :, :P], self._padded[1, :, :P]
        self.theta[:] = state.theta
        memory = (
            first.optimizer(**first.optimizer_arguments).init(state.theta) if state.memory is None else state.memory
        )
        self._remember(memory)
        self._shared = arrays.shared(first, self.prepared)
        self._numbers, self._seeds = arrays.numbers(recipes), arrays.seeds(recipes)
        depth = len(self._shared.starts)
        self._out = np.zeros((K, 2 * len(self._shared.counts) + 2 * depth + 1))
        self._keys = metric_keys(depth)
        self._threads = crew.cores()
        self._work: list[Array] = [np.zeros(self._shared.workspace) for _ in range(min(K, self._threads))]
        self._epoch, self._orders = -1, np.zeros((K, 1, 1), dtype=np.int64)
        self._seconds = 0.0  # of a step, as far as is known

    @classmethod
    def start(cls, recipes: Sequence[Recipe]) -> Self:
        """All members at step 0, each drawn alone."""
        prepared = prepare(recipes[0])
        theta = np.stack([prepared.entered(recipe) for recipe in recipes])
        return cls(recipes, Snapshot(0, np.arange(len(recipes)), theta, None), prepared)

    def parameters(self, position: int) -> Array:
        """θ (P,) of the member at `position`, by features, as an array of its own."""
        return self.prepared.left(self.recipes[position], self.theta[position])

    def snapshot(self) -> Snapshot:
        """The state as it is now, in arrays of its own; what the optimizer remembers is what NumPy's would."""
        return Snapshot(self.step, self.members, self.theta.copy(), map_arrays(np.copy, self._memory()))

    def again(self, recipes: Sequence[Recipe], state: Snapshot) -> Self:
        """The members of `state`, whose recipes these are, from there on with the same data."""
        return type(self)(recipes, state, self.prepared)

    def gradient(self) -> Array:
        """g (K, P) of this step's batch, as an array that the next call overwrites."""
        self._run(GRADIENT, 1)
        return self._g

    def advance(self, g: Array) -> Array:
        """θ := θ - step, and on to the next; returns the step (K, P), in an array that the next call overwrites."""
        if g is not self._g:
            self._g[:] = g
        self._run(ADVANCE, 1)
        self.step += 1
        return self._g

    def quietly(self, count: int, should_stop: Callable[[], bool]) -> bool:
        """Make `count` updates, asked between portions of them whether to stop; whether a stop was asked for."""
        while count:
            if should_stop():
                return True
            portion = min(count, self._portion())
            began = time.perf_counter()
            self._run(STEPS, portion)
            self._seconds = (time.perf_counter() - began) / portion
            self.step += portion
            count -= portion
        return False

    def measure(self) -> Measured:
        """Costs and scores of every set, the norms of weights and full-set gradients: all of it with dropout off."""
        self._run(MEASURE, 0)
        out = self._out
        values: dict[str, Array] = {}
        for number, (name, rows) in enumerate(self.prepared.sets.items()):
            losses, score = out[:, 2 * number], out[:, 2 * number + 1]
            values[f"{name}/cost"] = losses / self._losses_of(rows.data.Y)
            values[f"{name}/{self.recipes[0].scored}"] = self._scored(score, rows.data)
        norms = out[:, 2 * len(self.prepared.sets) : -1]
        squares, gradients = norms[:, ::2], norms[:, 1::2]  # (K, layers)
        if self._numbers[:, -2].any():
            values["train/objective"] = values["train/cost"] + self._numbers[:, -2] / 2 * squares.sum(axis=1)
        values["grad_norm"] = np.sqrt(gradients.sum(axis=1))
        of_gradients, of_weights = np.sqrt(gradients), np.sqrt(squares)
        for layer, (gradient, weight, _) in enumerate(self._keys):
            values[gradient], values[weight] = of_gradients[:, layer], of_weights[:, layer]
        total = out[:, 2 * len(self.prepared.sets) :].sum() + values["train/cost"].sum()
        return Measured(values, of_weights, self._g, sound=isfinite(total))

    def update_ratios(self, change: Array, before: Array) -> dict[str, Array]:
        """|ΔW_l| / |W_l| of each layer, `before` (K, layers) the |W_l| before the change; NaN where that is 0."""
        found = {}
        starts, widths = self._shared.starts, self._shared.widths
        for layer, (_, _, ratio) in enumerate(self._keys):
            start = starts[layer]
            moved = change[:, start : start + widths[layer] * widths[layer + 1]]
            size = np.sqrt(np.add.reduce(moved * moved, axis=1))
            found[ratio] = size / np.where(before[:, layer] > 0, before[:, layer], np.nan)
        return found

    def first_nonfinite(self) -> NonFinite | None:
        """The first bad value of this step of a single member, or None: NumPy's stack looks, at the same numbers."""
        return Stack(self.recipes, self.snapshot(), self.prepared).first_nonfinite()

    def _remember(self, memory: Any) -> None:
        """What an optimizer remembers goes to the padded arrays; how many updates it has made is this stack's step."""
        self._kind = type(memory)
        P = self.theta.shape[1]
        for place, part in enumerate(part for part in memory if isinstance(part, np.ndarray)):
            self._padded[2 + place, :, :P] = part

    def _memory(self) -> Any:
        P, fields = self.theta.shape[1], self._kind._fields
        return self._kind(
            *(self.step if name == "t" else self._padded[2 + place, :, :P] for place, name in enumerate(fields))
        )

    def _portion(self) -> int:
        """How many steps to make at once: some twentieth of a second of them, their orders drawn ahead."""
        portion = max(1, int(PORTION / self._seconds)) if self._seconds else 16
        if not self.full_batch:
            rows = int(self._shared.counts[0])
            epochs = max(1, ORDERS // (len(self.recipes) * rows))
            portion = min(portion, epochs * -(-rows // self.plan.batch_size))
        return portion

    def _run(self, mode: int, count: int) -> None:
        """Every member, in as many threads as there are cores; each by itself."""
        if not self.full_batch and mode in (STEPS, GRADIENT):
            self._draw_orders(count)
        kernel = build.kernel()

        def train(thread: int, first: int, last: int) -> None:
            what = np.array([first, last, self.step, self.step + count, mode], dtype=np.int64)
            orders, out, work = self._orders, self._out, self._work[thread]
            kernel(self._shared, self._padded, self._numbers, self._seeds, orders, out, work, what)

        crew.share(len(self.recipes), self._threads, train)

    def _draw_orders(self, count: int) -> None:
        """The orders (K, epochs, n) of the epochs that the next steps fall in: permutations of (seed, epoch)."""
        n = int(self._shared.counts[0])
        batches = -(-n // self.plan.batch_size)
        first, last = self.step // batches, (self.step + count - 1) // batches
        if first == last == self._epoch:
            return
        self._epoch = first if first == last else -1
        draw = partial(_order, n)
        self._orders = np.array(
            [[draw(recipe.seed, epoch) for epoch in range(first, last + 1)] for recipe in self.recipes], dtype=np.int64
        )

    def _losses_of(self, Y: Array) -> int:
        """What the sum of the losses is divided by: the rows; for a mean squared error the outputs too."""
        named = self.recipes[0].named
        assert named is not None
        return {"mean_squared_error": Y.size, "half_squared_error": 2 * len(Y)}.get(named.loss, len(Y))

    def _scored(self, found: Array, data: Any) -> Array:
        """The share of the rows that are right; of numbers R², `found` the sum of their squared errors."""
        named = self.recipes[0].named
        assert named is not None
        if named.labels is not None:
            return found / len(data.y)
        varies = ((data.Y - data.Y.mean(axis=0)) ** 2).sum() if data.variance is None else data.variance * data.Y.size
        return 1 - found / varies


def _order(n: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, BATCHES, epoch]).permutation(n)
