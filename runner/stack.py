"""A stack: K networks of one shape on one data set, trained as one set of arrays. A single run is K = 1.

What may differ between members is a column (K, 1): seeds, initial weights, the optimizer's numbers, L2, dropout. What
may not is shared: shapes, data, activation, loss, kind of optimizer, batch size. `Recipe` holds both for one member;
`Stack` is the members' state in mid-training. NumPy only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from runner.nn.activations import Activation
from runner.nn.faults import Fault
from runner.nn.initializers import Generator, Initializer, draw
from runner.nn.losses import Head
from runner.nn.network import Network, backward, forward, penalty
from runner.nn.optimizers import Optimizer, clip_by_norm
from runner.nn.schedules import Schedule
from runner.nn.types import Array, layers_of, spans


class Data(NamedTuple):
    """`X` (n, d), the targets `Y` (n, outputs) that the loss sees, and `y` (n,) that the score sees."""

    X: Array
    Y: Array
    y: np.ndarray


@dataclass(frozen=True)
class Plan:
    """How long, in what portions, and what is looked at: all resolved to numbers."""

    iterations: int
    batch_size: int  # the number of rows where it is the full batch
    log_every: int
    checkpoint_every: int | None = None
    patience: int | None = None  # iterations without a better objective before a member stops
    objective: str = "train/cost"
    mode: Literal["min", "max"] = "min"


@dataclass(frozen=True)
class Recipe:
    """Everything that the training of one network needs, as arrays and functions."""

    sets: Mapping[str, Data]  # "train", and where there are any "val" and "test"
    widths: tuple[int, ...]
    activation: Activation
    head: Head
    score: Callable[[Array, Data], Array]
    optimizer: Callable[..., Optimizer]
    schedule: Schedule
    plan: Plan
    initializer: Initializer
    fault: Fault = field(default_factory=Fault)
    optimizer_arguments: Mapping[str, Any] = field(default_factory=dict)
    l2: float = 0.0
    dropout: float = 0.0
    seed: int = 0
    rng: Literal["default", "legacy"] = "default"
    dtype: Literal["float64", "float32"] = "float64"

    def initial_parameters(self) -> Array:
        """θ (P,) at step 0. `rng="legacy"` draws from RandomState(seed), as published programs do."""
        generator: Generator = (
            np.random.RandomState(self.seed) if self.rng == "legacy" else np.random.default_rng([self.seed, _WEIGHTS])
        )
        return draw(self.initializer, generator, self.widths).astype(self.dtype)


# One seed, independent streams: the second word of each generator's seed.
_WEIGHTS, _BATCHES, _DROPOUT = 0, 1, 2


class Snapshot(NamedTuple):
    """The whole state of `members` (k,) after `step` updates: parameters (k, P) and the optimizer's memory."""

    step: int
    members: np.ndarray
    theta: Array
    memory: Any


class Measured(NamedTuple):
    """`values` (K,) by metric, and `g` (K, P): the gradient over the whole training set, without dropout."""

    values: dict[str, Array]
    g: Array


class Stack:
    """The live members of a stack: parameters `theta` (K, P) with `layers` as views, the optimizer's memory, the step.

    `advance` makes one update; everything random is a function of (seed, step), so that a copy replays bit for bit.
    """

    def __init__(self, recipes: Sequence[Recipe], state: Snapshot):
        """`recipes`: those of `state.members`, in their order."""
        shared = recipes[0]
        dtype = np.dtype(shared.dtype)
        self.recipes, self.members, self.step = list(recipes), state.members, state.step
        self.plan, self.train = shared.plan, shared.sets["train"]
        self.network = Network(
            shared.widths, _faulty_activation(shared), _faulty_head(shared), _column_3d(recipes, dtype)
        )
        self.optimizer = shared.optimizer(**_columns(recipes, dtype))
        self.theta, self.memory = state.theta, state.memory
        self.layers = layers_of(self.theta, shared.widths)
        self.g = np.zeros_like(self.theta)
        self.g_layers = layers_of(self.g, shared.widths)
        if self.memory is None:
            self.memory = self.optimizer.init(self.theta)
        n = len(self.train.X)
        self.full_batch = self.plan.batch_size >= n
        self.batches_per_epoch = -(-n // self.plan.batch_size)
        self.dropping = any(recipe.dropout for recipe in recipes)
        self._epoch, self._order = -1, np.empty((0, 0), dtype=np.intp)
        self._keys = metric_keys(len(shared.widths) - 1)

    @classmethod
    def start(cls, recipes: Sequence[Recipe]) -> "Stack":
        """All members at step 0. Each is drawn alone, and only then are they stacked."""
        theta = np.stack([recipe.initial_parameters() for recipe in recipes])
        return cls(recipes, Snapshot(0, np.arange(len(recipes)), theta, None))

    def snapshot(self) -> Snapshot:
        """The state as it is now, in arrays of its own."""
        return Snapshot(self.step, self.members, self.theta.copy(), map_arrays(np.copy, self.memory))

    def select(self, keep: np.ndarray) -> "Stack":
        """A stack of only the members at positions `keep` (k,), in arrays of its own."""
        return Stack([self.recipes[i] for i in keep], select(self.snapshot(), keep))

    def batch(self) -> tuple[Array, Array]:
        """X (n, d) or (K, B, d) and Y of this step.

        Every epoch is a permutation of (seed, epoch), each member its own.
        """
        if self.full_batch:
            return self.train.X, self.train.Y
        epoch, number = divmod(self.step, self.batches_per_epoch)
        if epoch != self._epoch:
            n = len(self.train.X)
            self._order = np.stack(
                [np.random.default_rng([r.seed, _BATCHES, epoch]).permutation(n) for r in self.recipes]
            )
            self._epoch = epoch
        B = self.plan.batch_size
        rows = self._order[:, number * B : (number + 1) * B]  # (K, B)
        return self.train.X[rows], self.train.Y[rows]

    def masks(self, n: int) -> list[Array]:
        """Dropout's masks of this step, one (K, n, width) a hidden layer; none where no member drops any."""
        if not self.dropping:
            return []
        widths = self.network.widths[1:-1]
        drawn = []
        for recipe in self.recipes:
            # A counter-based generator, set to the step: no state to keep, none to restore.
            generator = np.random.Generator(np.random.Philox(key=[recipe.seed, _DROPOUT], counter=[self.step, 0, 0, 0]))
            keep = 1 - recipe.dropout
            drawn.append([(generator.random((n, width)) < keep) / keep for width in widths])
        dtype = self.theta.dtype
        return [np.stack(layer).astype(dtype) for layer in zip(*drawn, strict=True)]

    def gradient(self) -> Array:
        """g (K, P) of this step's batch, as an array that the next call overwrites."""
        X, Y = self.batch()
        masks = self.masks(X.shape[-2])
        backward(self.network, self.layers, forward(self.network, self.layers, X, masks), Y, self.g_layers, masks)
        self.spoil(X.shape[-2])
        return self.g

    def spoil(self, n: int) -> None:
        """What the fault does to a gradient over n rows."""
        factor = self.recipes[0].fault.factor
        if factor is not None:
            self.g *= factor(n)

    def advance(self, g: Array) -> Array:
        """θ := θ + change, the step after this one; returns the change (K, P)."""
        if self.optimizer.clip_norm is not None:
            g = clip_by_norm(g, self.optimizer.clip_norm)
        factor = self.recipes[0].schedule.factor(self.step, self.plan.iterations)
        lr: Any = self.optimizer.lr if factor == 1 else self.optimizer.lr * self.theta.dtype.type(factor)
        change, self.memory = self.optimizer.update(g, self.memory, self.theta, lr)
        self.theta += change
        self.step += 1
        return change

    def measure(self) -> Measured:
        """Costs and scores of every set, the norms of weights and full-set gradients: all of it with dropout off."""
        values: dict[str, Array] = {}
        recipe = self.recipes[0]
        for name, data in recipe.sets.items():
            passed = forward(self.network, self.layers, data.X)
            values[f"{name}/cost"] = self.network.head.cost(passed.Z[-1], passed.A[-1], data.Y)
            values[f"{name}/accuracy"] = recipe.score(passed.A[-1], data)
            if name == "train":
                backward(self.network, self.layers, passed, data.Y, self.g_layers)
                self.spoil(len(data.X))
        if self.network.l2 is not None:
            values["train/objective"] = values["train/cost"] + penalty(self.network, self.layers)
        values["grad_norm"] = norm(self.g)
        for (gradient, weight, _), span in zip(self._keys, spans(self.network.widths), strict=True):
            values[gradient] = norm(self.g[:, span.start : span.stop])
            values[weight] = norm(self.theta[:, span.start : span.bias])
        return Measured(values, self.g)

    def update_ratios(self, change: Array, values: Mapping[str, Array]) -> dict[str, Array]:
        """|ΔW_l| / |W_l| of each layer, W_l as it was before the change; NaN where W_l was 0."""
        ratios = {}
        for (_, weight, ratio), span in zip(self._keys, spans(self.network.widths), strict=True):
            before = values[weight]
            moved = norm(change[:, span.start : span.bias])
            ratios[ratio] = np.where(before > 0, moved / np.where(before > 0, before, 1), np.nan)
        return ratios


def select(state: Snapshot, keep: np.ndarray) -> Snapshot:
    """The part of a snapshot that belongs to the members at positions `keep` (k,)."""
    memory = map_arrays(lambda array: array[keep], state.memory)
    return Snapshot(state.step, state.members[keep], state.theta[keep], memory)


def metric_keys(depth: int) -> list[tuple[str, str, str]]:
    """The names of each layer's metrics: (gradient norm, weight norm, update ratio)."""
    kinds = ("grad_norm", "weight_norm", "update_ratio")
    return [
        (f"{kinds[0]}/layer_{layer}", f"{kinds[1]}/layer_{layer}", f"{kinds[2]}/layer_{layer}")
        for layer in range(1, depth + 1)
    ]


def norm(part: Array) -> Array:
    """|part| (K,): the Euclidean norm of each member's row."""
    return np.sqrt((part * part).sum(axis=1))


def map_arrays(function: Callable[[Array], Array], memory: Any) -> Any:
    """An optimizer's memory with `function` applied to each of its arrays; its numbers stay as they are."""
    return type(memory)(*(function(part) if isinstance(part, np.ndarray) else part for part in memory))


def _faulty_activation(recipe: Recipe) -> Activation:
    replace = recipe.fault.derivative
    return recipe.activation if replace is None else replace(recipe.activation)


def _faulty_head(recipe: Recipe) -> Head:
    head = recipe.head
    dA = recipe.fault.squared_dA if head.squared else recipe.fault.dA
    if dA is None:
        return head
    return head._replace(dZ=lambda Z, A, Y: head.output.backward(head.weight(A) * dA(A, Y), A))


def _columns(recipes: Sequence[Recipe], dtype: np.dtype) -> dict[str, Any]:
    """The optimizer's arguments: each number a column (K, 1), also for K = 1, so that both compute alike."""
    arguments = dict(recipes[0].optimizer_arguments)
    for name, value in arguments.items():
        if isinstance(value, int | float):
            column = [recipe.optimizer_arguments[name] for recipe in recipes]
            arguments[name] = np.array(column, dtype=dtype).reshape(-1, 1)
    return arguments


def _column_3d(recipes: Sequence[Recipe], dtype: np.dtype) -> Array | None:
    l2 = np.array([recipe.l2 for recipe in recipes], dtype=dtype)
    return l2.reshape(-1, 1, 1) if l2.any() else None
