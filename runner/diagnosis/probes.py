"""Instruments: small experiments on scratch copies of a network that separate one cause of a failure from another.

Nothing here touches the run itself. Each makes a stack of a few members and asks it for costs and gradients.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from runner.diagnosis.gradient.check import scratch
from runner.nn.initializers import xavier_normal
from runner.nn.network import forward, make_pass
from runner.nn.types import Array, affine_of, layers_of
from runner.training import shrink
from runner.training.kinds import kind_of
from runner.training.own.start import fans_of
from runner.training.recipe import Recipe
from runner.training.stack import Stack
from runner.training.trainable import Snapshot, Trainable

TOLERANCE = 3e-3  # of a derivative, claimed / measured
EXACT = 500  # parameters, up to which the whole Hessian is formed
RESIDUAL = 1e-2  # of Lanczos, beside the eigenvalue
NUMBERS = 4e6  # so many at most of parameters, or of activations, in one stack


class Ratios(NamedTuple):
    """Of the derivative of a loss by the logits, row by row: claimed / measured, of rows of each kind.

    `positive` and `negative` (m,) are of the outputs whose target is above and not above the middle of its values.
    """

    positive: Array
    negative: Array

    @property
    def right(self) -> bool:
        return all(np.abs(side - 1).max(initial=0) < TOLERANCE for side in self)


def head_ratios(recipe: Recipe) -> Ratios:
    """The derivative of the loss by the logits, as claimed and as measured, of each row: it localises what rho finds.

    Every row is a member of its own here, so that a wrong sign of one class shows among right ones.
    """
    first = replace(scratch(recipe), initializer=xavier_normal(1.0, 0.1))
    stack = Stack.start([first])
    head = stack.network.head
    Y = first.sets["train"].Y[:, None, :]  # (n, 1, outputs)
    Z = np.random.default_rng(0).normal(0, 2, Y.shape)
    claimed = head.dZ(Z, head.output.value(Z), Y)
    measured = np.empty_like(claimed)
    for output in range(Y.shape[2]):
        shift = np.zeros(Y.shape[2])
        shift[output] = 1e-5
        up, down = Z + shift, Z - shift
        rise = head.objective(up, head.output.value(up), Y) - head.objective(down, head.output.value(down), Y)
        measured[:, 0, output] = rise / 2e-5
    steep = np.abs(measured) > 1e-6
    ratio = claimed / np.where(steep, measured, 1)
    above = ((Y.min() + Y.max()) / 2 < Y) & steep
    return Ratios(ratio[above], ratio[~above & steep])


def activation_error(recipe: Recipe) -> tuple[float, float]:
    """(the largest |claimed - measured| derivative of the hidden activation, the z where): away from z = 0."""
    if len(recipe.widths) < 3:
        return 0.0, 0.0
    activation = Stack.start([scratch(recipe)]).network.activation
    Z = np.linspace(-4, 4, 160)  # 0 is not in it: at a kink either convention will do
    measured = (activation.value(Z + 1e-6) - activation.value(Z - 1e-6)) / 2e-6
    error = np.abs(activation.derivative(Z, activation.value(Z)) - measured)
    return float(error.max()), float(Z[error.argmax()])


class Point(NamedTuple):
    """What a network is at each of K points: its costs (K,), with L2 where there is any, and its gradients (K, P)."""

    J: Array
    g: Array


def at(stack: Trainable, recipe: Recipe, thetas: Array) -> Point:
    """The network of `recipe` at each of `thetas` (K, P), on the rows that `stack` has."""
    kind = kind_of(recipe)
    most = max(1, min(len(thetas), int(NUMBERS / max(thetas.shape[1], _activations(recipe))))) if kind.stacks else 1
    J, g = [], []
    for start in range(0, len(thetas), most):
        some = thetas[start : start + most]
        measured = stack.again([recipe] * len(some), Snapshot(0, np.arange(len(some)), some, None)).measure()
        values = measured.values
        J.append(values.get("train/objective", values["train/cost"]))
        g.append(measured.g.copy())
    return Point(np.concatenate(J), np.concatenate(g))


def _activations(recipe: Recipe) -> int:
    return len(recipe.sets["train"].X) * sum(recipe.widths[1:])


def sharpness(stack: Trainable, recipe: Recipe, theta: Array) -> float:
    """The largest eigenvalue of the Hessian at `theta` (P,), from differences of gradients. NaN where they are none.

    Up to EXACT parameters the whole Hessian is formed, 2 P gradients of one stack; beyond, Lanczos, whose answer is
    taken only where its residual |H v - λ v| is small beside λ (NaN else). Gradient descent contracts along v only
    while lr < 2 / λ (Cohen et al., "Gradient Descent on Neural Networks Typically Occurs at the Edge of Stability",
    ICLR 2021).
    """
    h = 1e-4 * max(1.0, float(np.abs(theta).max()))
    with np.errstate(all="ignore"):
        if len(theta) <= EXACT:
            steps = h * np.eye(len(theta))
            g = at(stack, recipe, np.concatenate([theta + steps, theta - steps])).g
            H = (g[: len(theta)] - g[len(theta) :]) / (2 * h)
            return float(np.linalg.eigvalsh((H + H.T) / 2)[-1]) if np.isfinite(H).all() else np.nan

        def along(v: Array) -> Array:
            g = at(stack, recipe, np.stack([theta + h * v, theta - h * v])).g
            return (g[0] - g[1]) / (2 * h)

        return _largest(along, len(theta))


def _largest(product: Callable[[Array], Array], size: int) -> float:
    """The largest eigenvalue by Lanczos, NaN where its residual is not small beside it."""
    v0 = np.random.default_rng(0).normal(size=size)
    unit = v0 / np.sqrt(v0 @ v0)
    first = product(unit)
    if not np.isfinite(first).all():
        return np.nan
    if not first.any():
        return 0.0

    def scaled(v: Array) -> Array:
        size = float(np.sqrt(v @ v))
        Hv = product(v.ravel() / size) * size
        return Hv if np.isfinite(Hv).all() else np.zeros_like(Hv)

    H = LinearOperator((size, size), matvec=scaled, dtype=np.float64)
    try:
        (top,), vectors = eigsh(H, k=1, which="LA", v0=v0, ncv=16, maxiter=4, tol=RESIDUAL)
    except ArpackNoConvergence:
        return np.nan
    v = vectors[:, 0]
    residual = product(v) - top * v
    return float(top) if np.sqrt(residual @ residual) <= 10 * RESIDUAL * abs(top) else np.nan


def line(stack: Trainable, recipe: Recipe, theta: Array, factors: tuple[float, ...] = (1.0, 0.1, 0.01)) -> Array:
    """J(θ - k lr g) - J(θ) for k = 1, .1, .01: rising for 1 and falling for less is a step that is too long."""
    lr = float(recipe.optimizer_arguments["lr"])
    with np.errstate(all="ignore"):
        g = at(stack, recipe, theta[None]).g[0]
        J = at(stack, recipe, np.stack([theta, *(theta - k * lr * g for k in factors)])).J
    return J[1:] - J[0]


class Signal(NamedTuple):
    """A network's forward pass: of each layer, the spread of Z over the rows, and the share of units that are dead.

    `saturated`: of each hidden layer, the share of |Z| above 5. `largest`: the largest |Z| of the output.
    """

    spread: Array
    dead: Array
    saturated: Array
    largest: float


def signal(recipe: Recipe, theta: Array) -> Signal:
    """What the training rows become, layer by layer, in the network `theta` (P,), by features.

    Of a network of the user's own nothing is known of that: empty.
    """
    if recipe.own is not None:
        return Signal(np.empty(0), np.empty(0), np.empty(0), np.nan)
    A = recipe.sets["train"].X
    spread, dead, saturated = [], [], []
    layers = layers_of(theta[None], recipe.widths)
    largest = 0.0
    with np.errstate(all="ignore"):
        for number, layer in enumerate(layers, 1):
            Z = A @ layer.W[0] + layer.b[0]
            spread.append(float(Z.std(axis=0).mean()))
            largest = float(np.abs(Z).max())
            if number < len(layers):
                A = recipe.activation.value(Z)
                flat = (recipe.activation.derivative(Z, A) == 0).all(axis=0)
                dead.append(float(flat.mean()))
                saturated.append(float((np.abs(Z) > 5).mean()))
    return Signal(np.array(spread), np.array(dead), np.array(saturated), largest)


def twins(recipe: Recipe, theta: Array) -> int | None:
    """The first hidden layer in which two units are the same: weights in, bias and weights out within 1e-9.

    Of a network of the user's own: the first matrix of which all rows, or all columns, are the same; there are several.
    """
    if recipe.own is not None:
        matrices = [part for part, _ in fans_of(recipe) if part.kind == "W" and len(part.shape) > 1]
        for part in matrices:
            W = theta[part.start : part.stop].reshape(part.shape)
            if any(np.ptp(W, axis=axis).max() < 1e-9 for axis in (0, 1) if part.shape[axis] > 1):
                return part.layer
        return None
    layers = layers_of(theta[None], recipe.widths)
    for number, (layer, after) in enumerate(pairwise(layers), 1):
        units = np.concatenate([layer.W[0], layer.b[0], after.W[0].T]).T  # (width, what a unit is)
        if len(units) > 1 and (np.abs(units - units[:1]).max(axis=1)[1:] < 1e-9).any():
            return number
    return None


def gains(recipe: Recipe, theta: Array) -> Array:
    """Of each layer, rms(W) sqrt(fan_in): 1 keeps the spread of what comes in (LeCun et al., 1998)."""
    if recipe.own is not None:
        weights = [(part, fans) for part, fans in fans_of(recipe) if part.kind == "W"]
        rms = [float(np.sqrt((theta[part.start : part.stop] ** 2).mean() * fans[0])) for part, fans in weights]
        return np.array(rms or [1.0])
    layers = layers_of(theta[None], recipe.widths)
    return np.array([float(np.sqrt((layer.W**2).sum() / layer.W.shape[2])) for layer in layers])


def biases(recipe: Recipe, theta: Array) -> float:
    """The largest rms of a layer's biases at step 0, in `theta` (P,); that which is drawn where it is configured."""
    if recipe.own is None:
        return float(recipe.initializer.bias_scale)
    parts = [theta[part.start : part.stop] for part, _ in fans_of(recipe) if part.kind == "b"]
    return max((float(np.sqrt((part**2).mean())) for part in parts), default=0.0)


def floor(Y: Array, low: float, high: float) -> float:
    """The least mean squared distance between targets `Y` and outputs that lie between `low` and `high`."""
    short = Y - np.clip(Y, low, high)
    return float((short * short).mean())


def whole(recipe: Recipe) -> Recipe:
    """A recipe as the probes look at it: all rows, dropout off."""
    return replace(recipe, plan=replace(recipe.plan, batch_size=len(recipe.sets["train"].X)), dropout=0.0)


def outputs(stack: Trainable, theta: Array) -> Array:
    """What our network `theta` (P,), in the coordinates of `stack`, answers to the training rows: A (n, outputs)."""
    assert isinstance(stack, Stack)
    rows = stack.prepared.sets["train"]
    layers = affine_of(theta[None], stack.prepared.widths)
    with np.errstate(all="ignore"):
        return forward(stack.network, layers, make_pass(stack.prepared.widths, rows.X1, 1)).A[-1][0]


def narrowed(recipe: Recipe) -> Recipe:
    """The same backward pass on the coordinates of the training rows, where those are fewer than the features."""
    rows = {"train": recipe.sets["train"]}
    n, features = rows["train"].X.shape
    if features <= n:
        return recipe
    sets = shrink.basis_of(rows).sets
    return replace(recipe, sets=sets, widths=(sets["train"].X.shape[1], *recipe.widths[1:]))
