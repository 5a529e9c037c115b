"""A stack: K networks of one shape on one data set, trained as one set of arrays. A single run is K = 1.

What may differ between members is a column (K, 1): seeds, initial weights, the optimizer's numbers, L2, dropout. What
may not is shared: shapes, data, activation, loss, kind of optimizer, batch size. A `Recipe` holds both for one member;
`Stack` is the members' state in mid-training. NumPy only.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Literal, NamedTuple

import numpy as np

from runner.nn.network import Network, Pass, backward, forward, make_pass, penalty, with_ones
from runner.nn.optimizers import clip_by_norm
from runner.nn.types import Array, affine_of, spans
from runner.training import shrink
from runner.training.feed import Feed
from runner.training.recipe import BATCHES, DROPOUT, DROPOUT_AT_TEST, Data, Plan, Recipe

__all__ = ["Data", "Measured", "Plan", "Prepared", "Recipe", "Snapshot", "Stack", "metric_keys", "prepare", "select"]


class Snapshot(NamedTuple):
    """The whole state of `members` (k,) after `step` updates: parameters (k, P) and the optimizer's memory.

    Of a stack that is shrunk these are coordinates: what a `Stack` goes on from, and not what is reported.
    """

    step: int
    members: np.ndarray
    theta: Array
    memory: Any
    seen: Array | None = None  # (k, 3), where rows are streamed: see Stack.seen


class Measured(NamedTuple):
    """`values` (K,) by metric, |W_l| (K, layers), and `g` (K, P): the training set's gradient, without dropout.

    `sound`: the costs, the weights and the gradients are numbers. Where it is false, it may be only their squares.
    """

    values: dict[str, Array]
    weight_norms: Array
    g: Array
    sound: bool


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


def prepare(recipe: Recipe) -> Prepared:
    """The data of a recipe in the order in which memory is read: rows last, but where mini-batches pick some."""
    if recipe.source is not None:
        feed = Feed(recipe.source, recipe.seed, recipe.plan.batch_size)
        held = {name: _rows(data) for name, data in recipe.sets.items() if name != "train"}
        return Prepared(recipe.widths, held, None, feed)
    basis = shrink.basis_of(recipe.sets) if shrink.applies(recipe) else None
    found = {}
    for name, data in (basis.sets if basis else recipe.sets).items():
        picked = name == "train" and recipe.plan.batch_size < len(data.X)
        found[name] = _rows(data, "C" if picked else "F")
    return Prepared((found["train"].data.X.shape[1], *recipe.widths[1:]), found, basis, None)


def _rows(data: Data, order: Literal["C", "F"] = "F") -> Rows:
    return Rows(np.asarray(with_ones(data.X), order=order), data.Y[None], data)


class Stack:
    """The live members of a stack: parameters `theta` (K, P) with `layers` as views, the optimizer's memory, the step.

    `advance` makes one update; everything random is a function of (seed, step), so that a copy replays bit for bit.
    Everything that a step writes to is made here, once.

    Where rows are streamed, all members see the same batches, and there is no whole set to measure: `seen` (K, 3) sums
    rows, rows * cost and rows * score over the batches since the last row of the cadence, each as its step found it.
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
        self.feed = self.prepared.feed
        self.full_batch = self.feed is None and self.plan.batch_size >= n
        self.batches_per_epoch = -(-n // self.plan.batch_size)
        self.dropping = any(recipe.dropout for recipe in recipes)
        self._passes: dict[str, Pass] = {}
        self._portions: dict[tuple[int, bool], Pass] = {}
        self.seen = state.seen
        if self.feed is None:
            self._whole = self._pass("train"), self.prepared.sets["train"].Y
            if self.dropping:
                self._whole = self._make_pass(self.prepared.sets["train"].X1, True), self._whole[1]
        else:
            self._require_one_order()
            self.seen = np.zeros((len(recipes), 3)) if state.seen is None else state.seen.copy()
        self._epoch, self._order = -1, np.empty((0, 0), dtype=np.intp)
        self._keys = metric_keys(len(widths) - 1)
        self._cuts = [cut for span in spans(widths) for cut in (span.start, span.bias)]  # W and b of each layer

    @classmethod
    def start(cls, recipes: Sequence[Recipe]) -> "Stack":
        """All members at step 0. Each is drawn alone, and only then are they stacked."""
        prepared = prepare(recipes[0])
        theta = np.stack([_entered(prepared, recipe) for recipe in recipes])
        return cls(recipes, Snapshot(0, np.arange(len(recipes)), theta, None), prepared)

    def parameters(self, position: int) -> Array:
        """θ (P,) of the member at `position`, by features, as an array of its own."""
        theta, basis, recipe = self.theta[position].copy(), self.prepared.basis, self.recipes[position]
        if basis is None:
            return theta
        theta0 = recipe.initial_parameters()
        inside, whole = self.prepared.widths[0] * recipe.widths[1], recipe.widths[0] * recipe.widths[1]
        W, W0 = theta[:inside].reshape(-1, recipe.widths[1]), theta0[:whole].reshape(-1, recipe.widths[1])
        return np.concatenate([shrink.leave(basis, W, W0).ravel(), theta[inside:]])

    def snapshot(self) -> Snapshot:
        """The state as it is now, in arrays of its own."""
        seen = None if self.seen is None else self.seen.copy()
        return Snapshot(self.step, self.members, self.theta.copy(), map_arrays(np.copy, self.memory), seen)

    def select(self, keep: np.ndarray) -> "Stack":
        """A stack of only the members at positions `keep` (k,), in arrays of its own."""
        return Stack([self.recipes[i] for i in keep], select(self.snapshot(), keep), self.prepared)

    def batch(self) -> tuple[Pass, Array]:
        """What this step is computed in, its inputs in place, and its targets Y: (1, n, outputs) or (K, B, outputs).

        Every epoch is a permutation of (seed, epoch), each member its own; of streamed rows it is all members'.
        """
        if self.full_batch:
            return self._whole
        if self.feed is not None:
            data = self.feed.batch(self.step)
            return self._streamed(data, self.dropping), data.Y[None]
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
        if self.feed is not None:
            self.seen = self._with_this_batch(None if self.dropping else passed)
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

    def measure(self) -> Measured:
        """Costs and scores of every set, the norms of weights and full-set gradients: all of it with dropout off.

        Where rows are streamed, the training set's costs and scores are over the batches since the last row of the
        cadence up to this step's, and the gradient is of this step's batch.
        """
        values: dict[str, Array] = {}
        head, score = self.network.head, self.recipes[0].score
        for name, rows in self.prepared.sets.items():
            passed = forward(self.network, self.layers, self._pass(name))
            seen = self._with_dropout(name) if self.fault.dropout_at_test else passed
            values[f"{name}/cost"] = head.cost(seen.Z[-1], seen.A[-1], rows.Y)
            values[f"{name}/accuracy"] = score(seen.A[-1], rows.data)
            if name == "train":
                self._backward(passed, rows.Y)
        if self.feed is not None:
            values = self._measure_batches() | values
        if self.network.l2 is not None:
            values["train/objective"] = values["train/cost"] + penalty(self.network, self.layers)
        squares = np.add.reduceat(self._both * self._both, self._cuts, axis=2)  # (2, K, W and b of each layer)
        layers = squares[1, :, ::2] + squares[1, :, 1::2]  # (K, layers)
        values["grad_norm"] = np.sqrt(np.add.reduce(layers, axis=1))
        gradients, weights = np.sqrt(layers), np.sqrt(squares[0, :, ::2])
        for layer, (gradient, weight, _) in enumerate(self._keys):
            values[gradient], values[weight] = gradients[:, layer], weights[:, layer]
        total = np.add.reduce(squares, axis=None) + np.add.reduce(values["train/cost"])
        return Measured(values, weights, self.g, sound=isfinite(total))

    def _backward(self, passed: Pass, Y: Array, masks: Sequence[Array] = ()) -> None:
        """The gradients of these rows into `g_layers`, as the fault has them if there is one."""
        backward(self.back_network, self.back_layers, passed, Y, self.g_layers, masks)
        if self.fault.gradient is not None:
            self.fault.gradient(self.g_layers, passed.n)

    def looked_at(self) -> tuple[Pass, Array]:
        """The rows that `measure` forms a gradient of, passed forward without dropout, and their targets."""
        if self.feed is None:
            return forward(self.network, self.layers, self._pass("train")), self.prepared.sets["train"].Y
        data = self.feed.batch(self.step)
        return forward(self.network, self.layers, self._streamed(data, False)), data.Y[None]

    def _measure_batches(self) -> dict[str, Array]:
        passed, Y = self.looked_at()
        rows, cost, score = self._with_this_batch(passed).T
        self._backward(passed, Y)
        return {"train/cost": cost / rows, "train/accuracy": score / rows}

    def _with_this_batch(self, passed: Pass | None) -> Array:
        """`seen`, with this step's batch in it; `passed`: the batch passed forward without dropout, if it has been."""
        assert self.feed is not None
        assert self.seen is not None
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

    def _require_one_order(self) -> None:
        if len({recipe.seed for recipe in self.recipes}) > 1:
            raise ValueError("the members of a stack that streams its rows share their order: expected one seed.")

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
        rows, keep, number = (
            self.prepared.sets[name],
            1 - self.fault.dropout_at_test,
            list(self.prepared.sets).index(name),
        )
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


def select(state: Snapshot, keep: np.ndarray) -> Snapshot:
    """The part of a snapshot that belongs to the members at positions `keep` (k,)."""
    memory = map_arrays(lambda array: array[keep], state.memory)
    seen = None if state.seen is None else state.seen[keep]
    return Snapshot(state.step, state.members[keep], state.theta[keep], memory, seen)


def metric_keys(depth: int) -> list[tuple[str, str, str]]:
    """The names of each layer's metrics: (gradient norm, weight norm, update ratio)."""
    kinds = ("grad_norm", "weight_norm", "update_ratio")
    return [
        (f"{kinds[0]}/layer_{layer}", f"{kinds[1]}/layer_{layer}", f"{kinds[2]}/layer_{layer}")
        for layer in range(1, depth + 1)
    ]


def map_arrays(function: Callable[[Array], Array], memory: Any) -> Any:
    """An optimizer's memory with `function` applied to each of its arrays; its numbers stay as they are."""
    return type(memory)(*(function(part) if isinstance(part, np.ndarray) else part for part in memory))


def _entered(prepared: Prepared, recipe: Recipe) -> Array:
    """θ (P,) of a member at step 0, in the coordinates that it is trained in."""
    theta = recipe.initial_parameters()
    if prepared.basis is None:
        return theta
    end, fan_out = recipe.widths[0] * recipe.widths[1], recipe.widths[1]
    return np.concatenate([shrink.enter(prepared.basis, theta[:end].reshape(-1, fan_out)).ravel(), theta[end:]])


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
