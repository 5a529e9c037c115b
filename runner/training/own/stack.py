"""A network of the user's own in mid-training: what train.py asks of a stack, for one member.

Its parameters are one row θ (1, P), as those of a stack; the network's own arrays get θ before each call of its code,
so that all there is to a state is θ and the optimizer's memory. With update=own the state is the network itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from runner.nn.architectures import Own
from runner.nn.optimizers import clip_by_norm
from runner.nn.types import Array
from runner.training.nonfinite import NonFinite, Produced, first_of
from runner.training.own.load import load
from runner.training.own.module import still
from runner.training.own.network import NetworkProblem, OwnNetwork
from runner.training.own.parts import parts_of
from runner.training.own.start import begun
from runner.training.recipe import BATCHES, Data, OwnSource, Recipe
from runner.training.stack import optimizer_columns
from runner.training.trainable import Measured, Snapshot, map_arrays, step_by_step

NOISE = 4  # the stream of the generators that the network's own code draws from, beside those of runner.training.recipe


class Prepared(NamedTuple):
    """What stays the same in training: the network, and every set's X and Y as the network wants them."""

    network: OwnNetwork
    given: Mapping[str, tuple[np.ndarray, np.ndarray]]


class Live(NamedTuple):
    """The memory of a network that updates itself: the network as it was."""

    network: OwnNetwork


class OwnStack:
    """The one member of a stack that is a user's own network (a `runner.training.trainable.Trainable`).

    Before each call of the network's code, NumPy's and Python's generators are set by (seed, step): dropout of its own
    can be replayed.
    """

    def __init__(self, recipes: Sequence[Recipe], state: Snapshot, prepared: Prepared | None = None):
        (self.recipe,) = recipes
        self.recipes, self.members, self.step = list(recipes), state.members, state.step
        self.source = source_of(self.recipe)
        self.plan, self.schedule = self.recipe.plan, self.recipe.schedule
        self.prepared = prepared or prepare(self.recipe)
        self.network = self.prepared.network
        self.updates_itself = self.source.options.update == "own"
        self.theta = state.theta.copy()
        self.change = np.zeros_like(self.theta)
        self.memory = state.memory
        if self.updates_itself:
            if state.memory is not None:
                self.network = state.memory.network.copied()
        else:
            self.optimizer = self.recipe.optimizer(**optimizer_columns(recipes, self.theta.dtype))
            if self.recipe.fault.optimizer:
                self.optimizer = self.recipe.fault.optimizer(self.optimizer, self.recipe.widths)
            if self.memory is None:
                self.memory = self.optimizer.init(self.theta)
        self.full_batch = self.full_gradient = self.plan.batch_size >= len(self.recipe.sets["train"].X)
        self.batches_per_epoch = -(-len(self.recipe.sets["train"].X) // self.plan.batch_size)
        self._epoch, self._order = -1, np.empty(0, dtype=np.intp)
        self.parts = parts_of(self.source.layout, self.recipe.widths[0], self.recipe.widths[-1])
        self._cuts = [0, *self.network.ends[:-1].tolist()]

    @classmethod
    def start(cls, recipes: Sequence[Recipe]) -> "OwnStack":
        """The member at step 0, with the weights that the network made itself, or those that are asked for."""
        prepared = prepare(recipes[0])
        theta = begun(prepared.network.theta(), recipes[0])
        return cls(recipes, Snapshot(0, np.arange(1), theta[None], None), prepared)

    def parameters(self, position: int) -> Array:
        """θ (P,), an array of its own."""
        return self.theta[position].copy()

    def snapshot(self) -> Snapshot:
        """The state as it is now, in arrays of its own."""
        memory: Any = Live(self.network.copied()) if self.updates_itself else map_arrays(np.copy, self.memory)
        return Snapshot(self.step, self.members, self.theta.copy(), memory)

    def again(self, recipes: Sequence[Recipe], state: Snapshot) -> "OwnStack":
        """The network in an earlier `state`, with the same data."""
        return OwnStack(recipes, state, self.prepared)

    def gradient(self) -> Array:
        """g (1, P) of this step's batch."""
        return self._gradient(*self._batch())

    def advance(self, g: Array) -> Array:
        """θ := θ - step, by our optimizer or by the network's own step(lr); returns the step (1, P)."""
        recipe = self.recipe
        factor = 1.0 if self.schedule.steady else self.schedule.factor(self.step, self.plan.iterations)
        if self.updates_itself:
            before = self.theta.copy()
            self.network.step(float(recipe.optimizer_arguments["lr"] * factor))
            self.theta[0] = self.network.theta()
            self.change = before - self.theta
        else:
            if self.optimizer.clip_norm is not None:
                g = clip_by_norm(g, self.optimizer.clip_norm)
            lr: Any = self.optimizer.lr
            if not self.schedule.steady:
                lr = lr * self.theta.dtype.type(factor)
            self.memory = self.optimizer.update(g, self.memory, self.theta, lr, self.change)
            np.subtract(self.theta, self.change, self.theta)
        self.step += 1
        return self.change

    def quietly(self, count: int, should_stop: Callable[[], bool]) -> bool:
        """Make `count` updates, or as many as until a stop is asked for; whether it was."""
        return step_by_step(self, count, should_stop)

    def measure(self) -> Measured:
        """Costs and scores of every set, norms of parameters and of full-set gradients: an array of parameters each.

        The training set's gradient comes last: a step(lr) of the network's own uses what it has kept from there.
        """
        values: dict[str, Array] = {}
        self._enter()
        for name in reversed(list(self.prepared.given)):
            X, Y = self.prepared.given[name]
            values[f"{name}/cost"] = np.array([self.network.cost(X, Y)])
            if self.source.predicts:
                answer = self.network.predict(X)
                values[f"{name}/{self.recipe.scored}"] = np.array(
                    [score(answer, self.recipe, name, self.network.label)]
                )
        values = dict(reversed(values.items()))
        g = self._gradient(*self.prepared.given["train"])
        gradients, weights = self._norms(g), self._norms(self.theta)
        values["grad_norm"] = np.sqrt((gradients * gradients).sum(axis=1))
        for index, (gradient, weight, _) in enumerate(own_keys(self.source)):
            values[gradient], values[weight] = gradients[:, index], weights[:, index]
        total = values["train/cost"].sum() + gradients.sum() + weights.sum()
        return Measured(values, weights, g, sound=isfinite(total))

    def update_ratios(self, change: Array, before: Array) -> dict[str, Array]:
        """|Δp| / |p| of each array of parameters p, `before` (1, arrays) the |p| before; NaN where that is 0."""
        ratios = self._norms(change) / np.where(before > 0, before, np.nan)
        return {ratio: ratios[:, index] for index, (_, _, ratio) in enumerate(own_keys(self.source))}

    def first_nonfinite(self) -> NonFinite | None:
        """The first bad value of this step, or None: of the parameters, the cost, the gradients; the rest is theirs."""
        return first_of(self.step, self._weights(), self._made_forward(), self._made_backward())

    def _weights(self) -> Iterator[Produced]:
        for part in self.parts:
            yield Produced(part.name, part.layer, self.theta[0, part.start : part.stop])

    def _made_forward(self) -> Iterator[Produced]:
        last = max(part.layer for part in self.parts)
        yield Produced("cost", last, self.network.cost(*self.prepared.given["train"]))

    def _made_backward(self) -> Iterator[Produced]:
        g = self.gradient()[0]
        for part in reversed(self.parts):
            yield Produced(f"d{part.name}", part.layer, g[part.start : part.stop])

    def _batch(self) -> tuple[np.ndarray, np.ndarray]:
        """This step's X and Y, as the network wants them: every epoch is a permutation of (seed, epoch)."""
        if self.full_batch:
            return self.prepared.given["train"]
        data = self.recipe.sets["train"]
        epoch, number = divmod(self.step, self.batches_per_epoch)
        if epoch != self._epoch:
            generator = np.random.default_rng([self.recipe.seed, BATCHES, epoch])
            self._order, self._epoch = generator.permutation(len(data.X)), epoch
        picked = self._order[number * self.plan.batch_size : (number + 1) * self.plan.batch_size]
        return given(Data(data.X[picked], data.Y[picked], data.y[picked]), self.source)

    def _gradient(self, X: np.ndarray, Y: np.ndarray) -> Array:
        self._enter()
        return self.network.gradient(X, Y)[None]

    def _enter(self) -> None:
        self.network.write(self.theta[0])
        still(self.recipe.seed, NOISE, self.step)

    def _norms(self, rows: Array) -> Array:
        """|p| of each array of parameters, (1, arrays)."""
        return np.sqrt(np.add.reduceat(rows * rows, self._cuts, axis=1))


def source_of(recipe: Recipe) -> OwnSource:
    assert recipe.own is not None
    return recipe.own


def prepare(recipe: Recipe) -> Prepared:
    """The network, fresh, and the data as it wants them; the arrays cannot be written to."""
    source = source_of(recipe)
    Y = recipe.sets["train"].Y
    sets = {name: given(data, source) for name, data in recipe.sets.items()}
    network = load(source.options, recipe.widths[0], Y.shape[1], recipe.seed, recipe.dtype, sets["train"])
    return Prepared(network, sets)


def given(data: Data, source: OwnSource) -> tuple[np.ndarray, np.ndarray]:
    """X (n, d) and Y (n, outputs), or both turned where samples are columns; Y (n,) where labels are indices.

    Pictures that are kept as they are: X (n, height, width, channels), or (height, width, channels, n).
    """
    X, Y = shaped(data.X, source), data.Y if source.options.labels != "index" else data.y
    if source.options.samples == "columns":
        X, Y = np.ascontiguousarray(np.moveaxis(X, 0, -1)), np.ascontiguousarray(Y.T)
    X, Y = X.view(), Y.view()
    X.flags.writeable = Y.flags.writeable = False
    return X, Y


def shaped(X: Array, source: OwnSource) -> np.ndarray:
    """Rows (n, d) as the network wants them: pictures, whole numbers."""
    rows = X if source.picture is None else X.reshape(len(X), *source.picture)
    return rows.astype(np.int64) if source.whole else rows


def score(answer: np.ndarray, recipe: Recipe, name: str, label: str) -> float:
    """How right what predict(X) returned is for the set `name`: the share of right classes, or R².

    Raises NetworkProblem where it is neither outputs nor classes of so many samples.
    """
    data, source = recipe.sets[name], source_of(recipe)
    n = len(data.X)
    A = answer.T if source.options.samples == "columns" else answer
    A = A.reshape(n, -1).astype(float) if A.size and A.ndim in (1, 2) and len(A) == n else np.empty((0, 0))
    several = A.shape[1] > 1
    if len(A) != n or (several and A.shape[1] != max(source.classes, data.Y.shape[1])):
        wanted = f"(n,), or outputs as Y has them, for {n} samples as {source.options.samples}"
        raise NetworkProblem(f"{label}: predict(X) must be {wanted}. Got an array {answer.shape}.")
    if source.classes and several:
        return float(np.mean(A.argmax(axis=1) == data.y))
    if source.classes and data.Y.shape[1] > 1:
        return float(np.mean(A[:, 0] == data.y))
    return float(recipe.score(A[None], data)[0])


def answers(network: Mapping[str, Any], own: Mapping[str, Array], X: Array, scaling: Any) -> np.ndarray:
    """What a trained network predicts for the rows of `X` (n, d), in the units of the data file, one answer a row.

    `network` is the part of that name in `summary.json`, `own` its arrays by name. Outputs (n, k), or classes and
    numbers (n, 1).
    Raises NetworkProblem where it has no predict(X), or is not what it was.
    """
    source, widths = network["own"], network["widths"]
    options, layout = Own(**source["options"]), tuple((name, tuple(shape)) for name, shape in source["layout"])
    rows = np.asarray(X, dtype=float)
    if scaling is not None:
        rows = (rows - scaling[0]) / scaling[1]
    picture = None if source.get("picture") is None else tuple(source["picture"])
    of = OwnSource(options, layout, 0, True, source["digest"], picture, source.get("whole", False))
    given_rows = given(Data(rows, np.zeros((len(rows), widths[-1])), np.zeros(len(rows), dtype=int)), of)
    trained = load(options, widths[0], widths[-1], source["seed"], "float64", given_rows)
    if trained.layout != layout or trained.functions.predict is None:
        raise NetworkProblem(f"{options.network}: it has no predict(X), or not the parameters that were trained.")
    trained.write(np.concatenate([np.ravel(own[name]) for name, _ in layout]))
    columns = options.samples == "columns"
    answer = trained.predict(given_rows[0])
    return np.reshape(answer.T if columns else answer, (len(rows), -1))


def own_keys(source: OwnSource) -> list[tuple[str, str, str]]:
    """The names of each array's metrics: (gradient norm, weight norm, update ratio)."""
    return [(f"grad_norm/{name}", f"weight_norm/{name}", f"update_ratio/{name}") for name, _ in source.layout]
