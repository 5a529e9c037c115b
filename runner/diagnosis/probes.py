"""Instruments: small experiments on scratch copies of a network that separate one cause of a failure from another.

Nothing here touches the run itself. Each makes a stack of a few members and asks it for costs and gradients.
"""

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from runner.diagnosis.gradient.check import scratch
from runner.nn.initializers import xavier_normal
from runner.nn.network import forward, make_pass
from runner.nn.types import Array, affine_of, layers_of
from runner.training import shrink
from runner.training.recipe import Recipe
from runner.training.rows import Prepared
from runner.training.stack import Stack
from runner.training.trainable import Snapshot

TOLERANCE = 3e-3  # of a derivative, claimed / measured


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


def costs(recipe: Recipe, prepared: Prepared, thetas: Array) -> Array:
    """J (K,) at each of `thetas` (K, P), with L2 where there is any."""
    stack = Stack([recipe] * len(thetas), Snapshot(0, np.arange(len(thetas)), thetas, None), prepared)
    values = stack.measure().values
    return values.get("train/objective", values["train/cost"])


def gradient(recipe: Recipe, prepared: Prepared, theta: Array) -> Array:
    """The gradient (P,) that the backward pass claims at `theta` (P,)."""
    stack = Stack([recipe], Snapshot(0, np.arange(1), theta[None], None), prepared)
    return stack.measure().g[0].copy()


def sharpness(recipe: Recipe, prepared: Prepared, theta: Array, rounds: int = 20) -> float:
    """The largest eigenvalue of the Hessian at `theta` (P,), by power iteration on differences of gradients.

    Gradient descent contracts along it only while lr < 2 / it (Cohen et al., "Gradient Descent on Neural Networks
    Typically Occurs at the Edge of Stability", ICLR 2021). NaN where the gradient is not finite.
    """
    v = np.random.default_rng(0).normal(size=len(theta))
    v /= np.sqrt(v @ v)
    step, top = 1e-4 * max(1.0, float(np.abs(theta).max())), np.nan
    with np.errstate(all="ignore"):
        for _ in range(rounds):
            pair = np.stack([theta + step * v, theta - step * v])
            stack = Stack([recipe] * 2, Snapshot(0, np.arange(2), pair, None), prepared)
            g = stack.measure().g
            Hv = (g[0] - g[1]) / (2 * step)
            size = float(np.sqrt(Hv @ Hv))
            if not np.isfinite(size) or size == 0:
                return size if size == 0 else np.nan
            top, v = float(v @ Hv), Hv / size
    return top


def line(recipe: Recipe, prepared: Prepared, theta: Array, factors: tuple[float, ...] = (1.0, 0.1, 0.01)) -> Array:
    """J(θ - k lr g) - J(θ) for k = 1, .1, .01: rising for 1 and falling for less is a step that is too long."""
    lr = float(recipe.optimizer_arguments["lr"])
    with np.errstate(all="ignore"):
        g = gradient(recipe, prepared, theta)
        J = costs(recipe, prepared, np.stack([theta, *(theta - k * lr * g for k in factors)]))
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
    """What the training rows become, layer by layer, in the network `theta` (P,), by features."""
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
    """The first hidden layer in which two units are the same: weights in, bias and weights out within 1e-9."""
    layers = layers_of(theta[None], recipe.widths)
    for number, (layer, after) in enumerate(pairwise(layers), 1):
        units = np.concatenate([layer.W[0], layer.b[0], after.W[0].T]).T  # (width, what a unit is)
        if len(units) > 1 and (np.abs(units - units[:1]).max(axis=1)[1:] < 1e-9).any():
            return number
    return None


def gains(recipe: Recipe, theta: Array) -> Array:
    """Of each layer, rms(W) sqrt(fan_in): 1 keeps the spread of what comes in (LeCun et al., 1998)."""
    layers = layers_of(theta[None], recipe.widths)
    return np.array([float(np.sqrt((layer.W**2).sum() / layer.W.shape[2])) for layer in layers])


def floor(Y: Array, low: float, high: float) -> float:
    """The least mean squared distance between targets `Y` and outputs that lie between `low` and `high`."""
    short = Y - np.clip(Y, low, high)
    return float((short * short).mean())


def whole(recipe: Recipe) -> Recipe:
    """A recipe as the probes look at it: all rows, dropout off."""
    return replace(recipe, plan=replace(recipe.plan, batch_size=len(recipe.sets["train"].X)), dropout=0.0)


def outputs(stack: Stack, theta: Array) -> Array:
    """What the network `theta` (P,), in the coordinates of `stack`, answers to the training rows: A (n, outputs)."""
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
