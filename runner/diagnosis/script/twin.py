"""A script's dense network as our own arrays, where its own first steps prove that it is one: recipes are tried on it.

step 1 and step 2 of the script = rate x the gradient of the twin, array by array: else there is no twin
"""

import base64
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from runner.diagnosis.script.layers import Order, orders
from runner.nn.types import Array
from runner.training.script.arrays import places
from runner.training.script.execute import Outcome, Run
from runner.training.script.instrument import Wanted
from runner.training.script.process import Limits
from runner.training.script.score import goal, score
from runner.training.script.source import Source
from runner.training.script.understand import Understood

STATES = 3  # of the parameters that are kept: two steps
STILL = 1e-14  # a step or a slope that is none
CLOSE = 1e-5  # how near a step must be to the gradient
LARGEST = 64 << 20  # bytes of inputs that are taken along


def _sigmoid(Z: Array) -> Array:
    return 1 / (1 + np.exp(-Z))


def _softmax(Z: Array) -> Array:
    raised = np.exp(Z - Z.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


# name: (f(Z), f'(Z) by Z and A = f(Z))
HIDDEN: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]] = {
    "relu": (lambda Z: np.maximum(Z, 0), lambda Z, A: (Z > 0).astype(float)),
    "relu, one at 0": (lambda Z: np.maximum(Z, 0), lambda Z, A: (Z >= 0).astype(float)),
    "tanh": (np.tanh, lambda Z, A: 1 - A * A),
    "sigmoid": (_sigmoid, lambda Z, A: A * (1 - A)),
}
OUTPUTS = {"sigmoid": _sigmoid, "softmax": _softmax, "identity": lambda Z: Z}


@dataclass(frozen=True)
class Start:
    """How a script begins: `states` of its parameters before step 0, 1, 2, in the order of `names`; its data."""

    names: tuple[str, ...]
    states: list[list[Array]]
    X: Array
    Y: Array


class Beginnings:
    """Watches a script's first steps: all of its parameters, its inputs and its labels."""

    root = ""
    stop: Any

    def __init__(self, understood: Understood) -> None:
        self.step = understood.step.key
        self.names = [each.name for each in understood.parameters]
        keys = [each.key for each in (understood.inputs, understood.labels) if each is not None]
        self.keys = {"|".join(key.split("|")[:5]): key for key in keys}
        self.before: dict[str, Any] = {}
        self.during: dict[str, list[Any]] = {}
        self.states: list[dict[str, Any]] = []
        self.data: dict[str, Any] = {}

    def at(self, file: str, line: int) -> None:
        return

    def see(self, key: str, value: Any) -> Any:
        if key in self.keys:
            if not self.states:
                self.before[key] = value
            elif len(self.states) == 1:
                self.during.setdefault(key, []).append(value)
        return value

    def begin(self, key: str) -> None:
        if key != self.step:
            return
        now = {place.name: value for place, value in reversed(list(places(sys._getframe(1), self.root)))}
        self.states.append({name: packed(now[name]) for name in self.names if name in now})
        if len(self.states) == STATES:
            for site, key in self.keys.items():
                value = self._value(site, key.split("|")[5:], key, now)
                if value is not None and value.nbytes <= LARGEST:
                    self.data[key] = packed(value)
            self.stop()

    def leave(self, key: str) -> None:
        return

    def _value(self, site: str, rest: list[str], key: str, now: dict[str, Any]) -> Array | None:
        if key.startswith("place|"):
            return now.get(key.removeprefix("place|"))
        kept = self.during.get(site) or ([self.before[site]] if site in self.before else [])
        if not kept:
            return None
        value = kept if rest == ["all"] else kept[-1][int(rest[0])] if rest else kept[-1]
        try:
            return np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            return None

    def result(self) -> dict[str, Any]:
        return {"states": self.states, "data": self.data}


def packed(value: Any) -> list[Any]:
    """An array as JSON has it."""
    array = np.ascontiguousarray(value, dtype=float)
    return [list(array.shape), base64.b64encode(array.tobytes()).decode()]


def unpacked(kept: list[Any]) -> Array:
    return np.frombuffer(base64.b64decode(kept[1])).reshape(kept[0]).copy()


def beginning(source: Source, understood: Understood, argv: tuple[str, ...], seed: int, limits: Limits) -> Run:
    """The run that takes a start."""
    keys = [each.key for each in (understood.inputs, understood.labels) if each is not None]
    sites = frozenset("|".join(key.split("|")[:5]) for key in keys)
    wanted = Wanted(frozenset([understood.step.key]), sites, False)
    return Run(source, lambda _: Beginnings(understood), wanted, argv, seed, limits)


def start_of(outcome: Outcome, understood: Understood, standard: bool) -> Start | None:
    """What a beginning left, as arrays; `standard`: the source standardises the inputs."""
    seen, inputs, labels = outcome.seen, understood.inputs, understood.labels
    if inputs is None or labels is None or len(seen.get("states", [])) < STATES:
        return None
    names = tuple(seen["states"][0])
    if inputs.key not in seen["data"] or labels.key not in seen["data"] or len(names) != len(understood.parameters):
        return None
    Y = unpacked(seen["data"][labels.key])
    X = unpacked(seen["data"][inputs.key])
    X = X if X.ndim == 2 and X.shape[0] == max(Y.shape) else X.T
    if X.ndim != 2 or X.shape[0] != max(Y.shape):
        return None
    if standard:
        X = (X - X.mean(0)) / X.std(0)
    Y = Y.reshape(len(X), -1) if Y.size == len(X) or Y.shape[0] == len(X) else Y.T
    return Start(names, [[unpacked(state[name]) for name in names] for state in seen["states"]], X, Y)


class Shape(NamedTuple):
    """Order of the arrays, activations, loss; `scale`: the output is so many times its function."""

    order: Order
    hidden: str
    output: str
    loss: str
    scale: float


@dataclass(frozen=True)
class Twin:
    """A network that makes the script's steps: W (in, out), b (out,) by layer; `rate` is of the mean loss."""

    shape: Shape
    W: list[Array]
    b: list[Array]
    X: Array
    Y: Array
    labels: Array
    rate: float

    def forward(self, W: Sequence[Array], b: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        """Z and A by layer; A[0] = X."""
        Z: list[Array] = []
        A = [self.X]
        for layer, (weights, bias) in enumerate(zip(W, b, strict=True)):
            Z.append(A[-1] @ weights + bias)  # (n, out)
            last = layer == len(W) - 1
            A.append(OUTPUTS[self.shape.output](Z[-1]) if last else HIDDEN[self.shape.hidden][0](Z[-1]))
        A[-1] = self.shape.scale * A[-1]
        return Z, A

    def gradient(self, W: Sequence[Array], b: Sequence[Array]) -> tuple[list[Array], list[Array], Array]:
        """dW, db by layer, of the mean over rows of the loss (of a square half of it), and the outputs."""
        Z, A = self.forward(W, b)
        n = len(self.X)
        dZ = (A[-1] - self.Y) / n
        if self.shape.loss == "squared error" and self.shape.output == "sigmoid":
            q = A[-1] / self.shape.scale
            dZ = dZ * self.shape.scale * q * (1 - q)
        dW: list[Array] = []
        db: list[Array] = []
        for layer in reversed(range(len(W))):
            dW.insert(0, A[layer].T @ dZ)
            db.insert(0, dZ.sum(0))
            if layer:
                dZ = (dZ @ W[layer].T) * HIDDEN[self.shape.hidden][1](Z[layer - 1], A[layer])
        return dW, db, A[-1]

    def cost(self, A: Array) -> float:
        """The mean over rows of the loss, of a square half of it."""
        if self.shape.loss == "squared error":
            return float(np.square(A - self.Y).sum()) / 2 / len(A)
        parts = np.where(self.Y > 0, self.Y * np.log(A), 0.0)
        if self.shape.output == "sigmoid":
            parts = parts + np.where(self.Y < 1, (1 - self.Y) * np.log(1 - A), 0.0)
        return -float(parts.sum()) / len(A)

    def trained(self, iterations: int, until: float = -np.inf, late: Callable[[], bool] = lambda: False) -> "Ended":
        """Make the script's steps, until the cost is below `until`."""
        W, b = [each.copy() for each in self.W], [each.copy() for each in self.b]
        with np.errstate(all="ignore"):
            for step in range(iterations):
                dW, db, A = self.gradient(W, b)
                if step % 50 == 0 and (late() or not np.isfinite(A).all()):
                    return Ended(False, step, W, b)
                if until > -np.inf and self.cost(A) <= until:
                    break
                for weights, bias, g, h in zip(W, b, dW, db, strict=True):
                    weights -= self.rate * g
                    bias -= self.rate * h
            A = self.forward(W, b)[1][-1]
        found = score(A, self.labels, self.shape.loss, 1) if np.isfinite(A).all() else None
        return Ended(found is not None and found["value"] >= goal(found) - 1e-12, iterations, W, b)


class Ended(NamedTuple):
    """Whether a twin reached the target, after how many steps, and its parameters then."""

    reached: bool
    steps: int
    W: list[Array]
    b: list[Array]


def twin_of(start: Start, loss: str, scale: float) -> Twin | None:
    """The network whose gradient is the script's own first two steps, but for one factor: the rate."""
    if loss not in ("squared error", "binary cross-entropy", "categorical cross-entropy"):
        return None
    for order in orders(start.names, [each.shape for each in start.states[0]], start.X.shape[1]):
        outputs = _targets(start.Y, order.widths[-1])
        if outputs is None:
            continue
        allowed = {"squared error": ("sigmoid", "identity"), "binary cross-entropy": ("sigmoid",)}.get(
            loss, ("softmax",)
        )
        for hidden in HIDDEN:
            for output in allowed:
                shape = Shape(order, hidden, output, loss, scale)
                first = Twin(shape, *order.layers(start.states[0]), start.X, outputs, start.Y, 1.0)
                rate = _rate(first, order, start.states)
                if rate is not None:
                    return _short(replace(first, rate=rate))
    return None


def _targets(Y: Array, width: int) -> Array | None:
    """The labels (n, outputs) as the loss has them."""
    if Y.shape[1] == width:
        return Y
    if Y.shape[1] == 1 and width > 1 and Y.min() >= 0 and Y.max() < width and np.all(np.round(Y) == Y):
        return np.eye(width)[Y[:, 0].astype(int)]
    return None


def _rate(twin: Twin, order: Order, states: Sequence[Sequence[Array]]) -> float | None:
    """The factor that both first steps have in common with the gradient, array by array."""
    rates: list[float] = []
    for before, after in pairwise(states):
        W, b = order.layers(before)
        V, c = order.layers(after)
        with np.errstate(all="ignore"):
            dW, db, _ = twin.gradient(W, b)
        steps = [(u - v, g, u) for u, v, g in zip((*W, *b), (*V, *c), (*dW, *db), strict=True)]
        g = np.concatenate([each[1].ravel() for each in steps])
        s = np.concatenate([each[0].ravel() for each in steps])
        if not np.isfinite(g).all() or not np.isfinite(s).all():
            return None
        if np.abs(g).max() < STILL and np.abs(s).max() < STILL:  # all units are dead: it stays where it is
            rates.append(0.0)
            continue
        rate = float(s @ g / max(float(g @ g), 1e-300))
        for step, slope, at in steps:
            far = np.linalg.norm(step - rate * slope)
            if far > CLOSE * np.linalg.norm(step) + 1e-13 * (1 + float(np.linalg.norm(at))):
                return None
        rates.append(rate)
    return rates[0] if rates == [0.0, 0.0] or (rates[0] > 0 and abs(rates[1] / rates[0] - 1) < 1e-4) else None


def _short(twin: Twin) -> Twin:
    """With more features than rows: on the coordinates of the rows in a basis of their span, which is the same."""
    n, d = twin.X.shape
    if d <= n:
        return twin
    Q, R = np.linalg.qr(twin.X.T)  # (d, n), (n, n)
    return replace(twin, X=np.ascontiguousarray(R.T), W=[Q.T @ twin.W[0], *twin.W[1:]])


def sharpest(twin: Twin, iterations: int, looks: int = 24, powers: int = 12) -> float:
    """The largest eigenvalue of the cost's Hessian that is met on the way: steps are stable below 2 / it."""
    most, at = 0.0, twin
    rng = np.random.default_rng(0)
    for _ in range(looks):
        ended = replace(at, labels=twin.labels).trained(max(1, iterations // looks))
        if not all(np.isfinite(each).all() for each in (*ended.W, *ended.b)):
            break
        at = replace(at, W=ended.W, b=ended.b)
        most = max(most, _curvature(at, [rng.normal(size=each.shape) for each in (*at.W, *at.b)], powers))
    return most


def _curvature(twin: Twin, v: list[Array], powers: int) -> float:
    """By power iteration: H v = (g(θ + h v) - g(θ - h v)) / 2 h."""
    layers, found, h = len(twin.W), 0.0, 1e-5
    for _ in range(powers):
        length = float(np.sqrt(sum(float((each**2).sum()) for each in v)))
        if length == 0 or not np.isfinite(length):
            return 0.0
        v = [each / length for each in v]
        ends = []
        for sign in (1, -1):
            moved = [at + sign * h * each for at, each in zip((*twin.W, *twin.b), v, strict=True)]
            with np.errstate(all="ignore"):
                dW, db, _ = twin.gradient(moved[:layers], moved[layers:])
            ends.append([*dW, *db])
        product = [(p - m) / (2 * h) for p, m in zip(*ends, strict=True)]
        found = sum(float((p * each).sum()) for p, each in zip(product, v, strict=True))
        v = product
    return found if np.isfinite(found) else 0.0
