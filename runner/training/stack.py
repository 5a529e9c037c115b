"""A stack: K networks of one shape on one data set, trained as one set of arrays. A single run is K = 1.

What may differ between members is a column (K, 1): seeds, initial weights, the optimizer's numbers, L2, dropout. What
may not is shared: shapes, data, activation, loss, kind of optimizer, batch size. A `Recipe` holds both for one member;
`Stack` is the members' state in mid-training. NumPy only.
"""

from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from typing import Any, Self

import numpy as np

from runner.nn.network import Network, Pass, backward, forward, make_pass, penalty
from runner.nn.optimizers import clip_by_norm
from runner.nn.types import Array, affine_of, spans
from runner.training.nonfinite import NonFinite, Produced, first_of
from runner.training.recipe import BATCHES, DROPOUT, DROPOUT_AT_TEST, Recipe
from runner.training.rows import Prepared, prepare
from runner.training.trainable import Measured, Snapshot, map_arrays, step_by_step


class Stack:
    """The live members of a stack: parameters `theta` (K, P) with `layers` as views, the optimizer's memory, the step.

    `advance` makes one update; everything random is a function of (seed, step), so that a copy replays bit for bit.
    Everything that a step writes to is made here, once. A `runner.training.trainable.Trainable`, and the reference of
    what that is.
    """

    def __init__(self, recipes: Sequence[Recipe], state: Snapshot, prepared: Prepared | None = None):
        """`recipes`: those of `state.members`, in their order. The memory of `state` becomes the stack's own."""
        shared = recipes[0]
        dtype = np.dtype(shared.dtype)
        self.prepared = prepared or prepare(shared)
        self.recipes, self.members, self.step = list(recipes), state.members, state.step
        self.plan, self.schedule, self.fault = shared.plan, shared.schedule, shared.fault
        widths = self.prepared.widths
        self.network = _network(recipes, widths, dtype)
        self.optimizer = shared.optimizer(**optimizer_columns(recipes, dtype))
        if self.fault.optimizer:
            self.optimizer = self.fault.optimizer(self.optimizer, widths)
        self._both = np.stack([state.theta, np.zeros_like(state.theta)])  # θ and g (2, K, P)
        self.theta, self.g = self._both
        self.change = np.zeros_like(self.theta)
        self.layers, self.g_layers = affine_of(self.theta, widths), affine_of(self.g, widths)
        self.back_network, self.back_layers = self.network, self.layers  # what the backward pass is made with
        if not self.fault.l2:
            self.back_network = self.network._replace(l2=None)
        if self.fault.back:
            self.back_layers = self.layers._replace(WT=[self.fault.back(Wb[:, :-1]) for Wb in self.layers.Wb])
        self.memory = self.optimizer.init(self.theta) if state.memory is None else state.memory
        n = shared.sizes["train"]
        self.full_batch = "train" in self.prepared.sets and self.plan.batch_size >= n
        self.batches_per_epoch = -(-n // self.plan.batch_size)
        self.dropping = any(recipe.dropout for recipe in recipes)
        self.full_gradient = self.full_batch and not self.dropping
        self._passes: dict[str, Pass] = {}
        self._portions: dict[tuple[int, bool], Pass] = {}
        if self.full_batch:
            rows = self.prepared.sets["train"]
            self._whole = self._make_pass(rows.X1, True) if self.dropping else self._pass("train"), rows.Y
        self._epoch, self._order = -1, np.empty((0, 0), dtype=np.intp)
        self._keys = metric_keys(len(widths) - 1)
        self._cuts = [cut for span in spans(widths) for cut in (span.start, span.bias)]  # W and b of each layer

    @classmethod
    def start(cls, recipes: Sequence[Recipe]) -> Self:
        """All members at step 0. Each is drawn alone, and only then are they stacked."""
        prepared = prepare(recipes[0])
        theta = np.stack([prepared.entered(recipe) for recipe in recipes])
        return cls(recipes, Snapshot(0, np.arange(len(recipes)), theta, None), prepared)

    def parameters(self, position: int) -> Array:
        """θ (P,) of the member at `position`, by features, as an array of its own."""
        return self.prepared.left(self.recipes[position], self.theta[position])

    def snapshot(self) -> Snapshot:
        """The state as it is now, in arrays of its own."""
        return Snapshot(self.step, self.members, self.theta.copy(), map_arrays(np.copy, self.memory))

    def again(self, recipes: Sequence[Recipe], state: Snapshot) -> Self:
        """The members of `state`, whose recipes these are, from there on with the same data."""
        return type(self)(recipes, state, self.prepared)

    def batch(self) -> tuple[Pass, Array]:
        """What this step is computed in, its inputs in place, and its targets Y: (1, n, outputs) or (K, B, outputs).

        Every epoch is a permutation of (seed, epoch), each member its own.
        """
        if self.full_batch:
            return self._whole
        rows = self.prepared.sets["train"]
        epoch, number = divmod(self.step, self.batches_per_epoch)
        if epoch != self._epoch:
            generators = [np.random.default_rng([recipe.seed, BATCHES, epoch]) for recipe in self.recipes]
            self._order = np.stack([generator.permutation(len(rows.X1)) for generator in generators])
            self._epoch = epoch
        B = self.plan.batch_size
        picked = self._order[:, number * B : (number + 1) * B]  # (K, B)
        passed = self._portion(picked.shape[1])
        np.take(rows.X1, picked, axis=0, out=passed.inputs[0], mode="clip")  # "raise" would go through a copy
        return passed, rows.Y[0].take(picked, axis=0)

    def masks(self, n: int) -> list[Array]:
        """Dropout's masks of this step, one (K, n, width) a hidden layer; none where no member drops any."""
        if not self.dropping:
            return []
        widths = self.network.widths[1:-1]
        drawn = []
        for recipe in self.recipes:
            # A counter-based generator, set to the step: no state to keep, none to restore.
            generator = np.random.Generator(np.random.Philox(key=[recipe.seed, DROPOUT], counter=[self.step, 0, 0, 0]))
            keep = 1 - recipe.dropout
            drawn.append([(generator.random((n, width)) < keep) / keep for width in widths])
        dtype = self.theta.dtype
        return [np.stack(layer).astype(dtype) for layer in zip(*drawn, strict=True)]

    def gradient(self) -> Array:
        """g (K, P) of this step's batch, as an array that the next call overwrites."""
        network, layers = self.network, self.layers
        passed, Y = self._whole if self.full_batch else self.batch()
        masks = self.masks(passed.n) if self.dropping else ()
        forward(network, layers, passed, masks)
        self._backward(passed, Y, masks)
        return self.g

    def advance(self, g: Array) -> Array:
        """θ := θ - step, and on to the next; returns the step (K, P), in an array that the next call overwrites."""
        optimizer = self.optimizer
        lr: Any = optimizer.lr
        if optimizer.clip_norm is not None:
            g = clip_by_norm(g, optimizer.clip_norm)
        if not self.schedule.steady:
            lr = lr * self.theta.dtype.type(self.schedule.factor(self.step, self.plan.iterations))
        theta, change = self.theta, self.change
        self.memory = optimizer.update(g, self.memory, theta, lr, change)
        np.subtract(theta, change, theta)
        self.step += 1
        return change

    def quietly(self, count: int, should_stop: Callable[[], bool]) -> bool:
        """Make `count` updates, or as many as until a stop is asked for; whether it was."""
        return step_by_step(self, count, should_stop)

    def measure(self) -> Measured:
        """Costs and scores of every set, the norms of weights and full-set gradients: all of it with dropout off."""
        values = self._costs_and_scores()
        if self.network.l2 is not None:
            values["train/objective"] = self._optimised(values["train/cost"]) + penalty(self.network, self.layers)
        squares = np.add.reduceat(self._both * self._both, self._cuts, axis=2)  # (2, K, W and b of each layer)
        layers = squares[1, :, ::2] + squares[1, :, 1::2]  # (K, layers)
        values["grad_norm"] = np.sqrt(np.add.reduce(layers, axis=1))
        gradients, weights = np.sqrt(layers), np.sqrt(squares[0, :, ::2])
        for layer, (gradient, weight, _) in enumerate(self._keys):
            values[gradient], values[weight] = gradients[:, layer], weights[:, layer]
        total = np.add.reduce(squares, axis=None) + np.add.reduce(values["train/cost"])
        return Measured(values, weights, self.g, sound=isfinite(total))

    def _costs_and_scores(self) -> dict[str, Array]:
        """Those of every set (K,), by metric; leaves the training set's gradient in `g`."""
        values: dict[str, Array] = {}
        head, score, scored = self.network.head, self.recipes[0].score, self.recipes[0].scored
        for name, rows in self.prepared.sets.items():
            passed = forward(self.network, self.layers, self._pass(name))
            seen = self._with_dropout(name) if self.fault.dropout_at_test else passed
            values[f"{name}/cost"] = head.cost(seen.Z[-1], seen.A[-1], rows.Y)
            values[f"{name}/{scored}"] = score(seen.A[-1], rows.data)
            if name == "train":
                self._backward(passed, rows.Y)
        return values

    def _optimised(self, cost: Array) -> Array:
        """What of the training set's cost is optimised: the cost, in the units that the network learns in."""
        optimised = self.network.head.optimised
        if optimised is None:
            return cost
        passed = self._pass("train")
        return optimised(passed.Z[-1], passed.A[-1], self.prepared.sets["train"].Y)

    def _backward(self, passed: Pass, Y: Array, masks: Sequence[Array] = ()) -> None:
        """The gradients of these rows into `g_layers`, as the fault has them if there is one."""
        backward(self.back_network, self.back_layers, passed, Y, self.g_layers, masks)
        if self.fault.gradient is not None:
            self.fault.gradient(self.g_layers, passed.n)

    def first_nonfinite(self) -> NonFinite | None:
        """The first bad value of this step of a stack of one member, or None. Leaves the stack as it is."""
        return first_of(self.step, self._weights(), self._made_forward(), self._made_backward())

    def _weights(self) -> Iterator[Produced]:
        for index, Wb in enumerate(self.layers.Wb, 1):
            yield Produced("W", index, Wb[:, :-1])
            yield Produced("b", index, Wb[:, -1])

    def _made_forward(self) -> Iterator[Produced]:
        """What the rows become that `measure` forms a gradient of."""
        whole, Y = self.looked_at()
        for index, (Z, A) in enumerate(zip(whole.Z, whole.A, strict=True), 1):
            yield Produced("Z", index, Z)
            yield Produced("A", index, A)
        yield Produced("cost", len(whole.Z), self.network.head.cost(whole.Z[-1], whole.A[-1], Y))

    def _made_backward(self) -> Iterator[Produced]:
        """This step's gradients in the order in which backpropagation makes them."""
        passed, Y = self.batch()
        masks = self.masks(passed.n)
        gradients = affine_of(np.empty_like(self.theta), self.network.widths)
        forward(self.network, self.layers, passed, masks)
        dZs = backward(self.back_network, self.back_layers, passed, Y, gradients, masks)
        if self.fault.gradient:
            self.fault.gradient(gradients, passed.n)
        for index in range(len(dZs), 0, -1):
            yield Produced("dZ", index, dZs[index - 1])
            yield Produced("dW", index, gradients.WT[index - 1])
            yield Produced("db", index, gradients.Wb[index - 1][:, -1])

    def looked_at(self) -> tuple[Pass, Array]:
        """The rows that `measure` forms a gradient of, passed forward without dropout, and their targets."""
        return forward(self.network, self.layers, self._pass("train")), self.prepared.sets["train"].Y

    def update_ratios(self, change: Array, before: Array) -> dict[str, Array]:
        """|ΔW_l| / |W_l| of each layer, `before` (K, layers) the |W_l| before the change; NaN where that is 0."""
        moved = np.sqrt(np.add.reduceat(change * change, self._cuts, axis=1)[:, ::2])
        ratios = moved / np.where(before > 0, before, np.nan)
        return {ratio: ratios[:, layer] for layer, (_, _, ratio) in enumerate(self._keys)}

    def _pass(self, name: str) -> Pass:
        """The arrays for all rows of a set, without dropout."""
        if name not in self._passes:
            X1 = self.prepared.sets[name].X1
            self._passes[name] = self._make_pass(X1)
        return self._passes[name]

    def _with_dropout(self, name: str) -> Pass:
        """A set's forward pass with dropout on, as a fault: the masks are of (seed, step, set)."""
        rows, keep = self.prepared.sets[name], 1 - self.fault.dropout_at_test
        number = list(self.prepared.sets).index(name)
        drawn = []
        for recipe in self.recipes:
            counter = [0, self.step, number, 0]
            generator = np.random.Generator(np.random.Philox(key=[recipe.seed, DROPOUT_AT_TEST], counter=counter))
            shapes = [(len(rows.X1), width) for width in self.network.widths[1:-1]]
            drawn.append([(generator.random(shape) < keep) / keep for shape in shapes])
        masks = [np.stack(layer).astype(self.theta.dtype) for layer in zip(*drawn, strict=True)]
        return forward(self.network, self.layers, self._make_pass(rows.X1, True), masks)

    def _make_pass(self, X1: Array, dropping: bool = False) -> Pass:
        return self._as_faulty(make_pass(self.network.widths, X1, len(self.recipes), dropping))

    def _as_faulty(self, made: Pass) -> Pass:
        return made._replace(transposed=self.fault.inputs(made.transposed)) if self.fault.inputs else made

    def _portion(self, B: int) -> Pass:
        """The arrays for mini-batches of B rows: an epoch's last one may be smaller."""
        key = B, self.dropping
        if key not in self._portions:
            inputs = np.empty((len(self.recipes), B, self.network.widths[0] + 1), dtype=self.theta.dtype)
            self._portions[key] = self._make_pass(inputs, self.dropping)
        return self._portions[key]


def metric_keys(depth: int) -> list[tuple[str, str, str]]:
    """The names of each layer's metrics: (gradient norm, weight norm, update ratio)."""
    kinds = ("grad_norm", "weight_norm", "update_ratio")
    return [
        (f"{kinds[0]}/layer_{layer}", f"{kinds[1]}/layer_{layer}", f"{kinds[2]}/layer_{layer}")
        for layer in range(1, depth + 1)
    ]


def _network(recipes: Sequence[Recipe], widths: tuple[int, ...], dtype: np.dtype) -> Network:
    """What the members compute, with the fault in it if there is one."""
    shared, fault = recipes[0], recipes[0].fault
    activation = fault.activation(shared.activation) if fault.activation else shared.activation
    head = fault.head(shared.head) if fault.head else shared.head
    return Network(widths, activation, head, _column_3d(recipes, dtype))


def optimizer_columns(recipes: Sequence[Recipe], dtype: np.dtype) -> dict[str, Any]:
    """The optimizer's arguments: each number a column (K, 1); of one member an array () of it, which costs less."""
    shape = (len(recipes), 1) if len(recipes) > 1 else ()
    arguments = dict(recipes[0].optimizer_arguments)
    for name, value in arguments.items():
        if isinstance(value, int | float):
            column = [recipe.optimizer_arguments[name] for recipe in recipes]
            arguments[name] = np.array(column, dtype=dtype).reshape(shape)
    return arguments


def _column_3d(recipes: Sequence[Recipe], dtype: np.dtype) -> Array | None:
    l2 = np.array([recipe.l2 for recipe in recipes], dtype=dtype)
    return l2.reshape(-1, 1, 1) if l2.any() else None
