"""What can be known of a user's network before it is trained: every promise of the protocol, tried once on the data.

    found = examined(own, sets, classes, seed, dtype)

A mistake found here costs nothing: nothing is written yet. Mistakes in the mathematics are the gradient check's.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from runner.nn.architectures import Own
from runner.nn.faults import Fault
from runner.nn.types import Array
from runner.training.own.baseline import base_cost
from runner.training.own.load import load
from runner.training.own.module import still
from runner.training.own.network import NetworkProblem, OwnNetwork
from runner.training.own.parts import parts_of
from runner.training.own.source import digest
from runner.training.own.stack import given, score
from runner.training.own.vectorized import watched
from runner.training.recipe import Data, OwnSource, Recipe


class Untrained(NamedTuple):
    """The `cost` at the initial weights, and of the best constant answer (`base`; NaN where that is not known)."""

    cost: float
    base: float


def examined(
    own: Own,
    sets: Mapping[str, Data],
    classes: int,
    seed: int,
    dtype: str,
    picture: tuple[int, int, int] | None = None,
) -> OwnSource:
    """What the run must know of the network. The mistakes of its code are found by `trial`.

    Raises NetworkProblem and NetworkError, as `runner.training.own.load.load`.
    """
    data = sets["train"]
    as_is = own.inputs == "as_is"
    whole = as_is and all(np.array_equal(each.X, np.rint(each.X)) for each in sets.values())
    source = OwnSource(own, (), classes, False, digest(own), picture if as_is else None, whole)
    network = load(own, data.X.shape[1], data.Y.shape[1], seed, dtype, given(data, source))
    return source._replace(layout=network.layout, predicts=network.functions.predict is not None)


def trial(recipe: Recipe) -> Untrained:
    """Call all that training will call, on the run's data; returns what it costs before training, and knowing nothing.

    Raises NetworkProblem with all that is wrong at once, NetworkError where the user's lines raise.
    """
    assert recipe.own is not None
    X, Y = recipe.sets["train"].X, recipe.sets["train"].Y
    rows = given(recipe.sets["train"], recipe.own)
    network = load(recipe.own.options, X.shape[1], Y.shape[1], recipe.seed, recipe.dtype, rows)
    with np.errstate(all="ignore"):
        with watched(network.label):
            problems = _problems(network, recipe)
        if problems:
            raise NetworkProblem(*problems)
        parts = parts_of(recipe.own.layout, recipe.widths[0], recipe.widths[-1])
        base = base_cost(network, parts, recipe.own, recipe.sets["train"])
        return Untrained(_cost(network, *rows), base)


def own_fault_problems(fault: Fault, name: str, own: Own) -> list[str]:
    """A fault in what is the network's own cannot be planted: only those of data, update and rate can."""
    inside = ("head", "activation", "back", "inputs", "gradient", "theta0", "architecture")
    within = any(getattr(fault, piece) is not None for piece in inside) or not fault.l2 or fault.dropout_at_test
    if within or fault.kind == "bias not updated":
        return [f"fault={name} is a mistake in this project's own networks, and architecture=own is yours."]
    if fault.optimizer is not None and own.update == "own":
        return [f"fault={name} is a mistake in our update, and with architecture.update=own the network has its own."]
    return []


def _problems(network: OwnNetwork, recipe: Recipe) -> list[str]:
    assert recipe.own is not None
    source, label, problems = recipe.own, network.label, []
    before = network.theta()
    kept = given(recipe.sets["train"], source)
    X, Y = kept[0].copy(), kept[1].copy()  # these may be written to, so that it is seen who does

    def unchanged(call: str) -> None:
        for what, array, was in (("X", X, kept[0]), ("Y", Y, kept[1])):
            if not np.array_equal(array, was, equal_nan=array.dtype.kind == "f"):
                problems.append(
                    f"{label}: {call} changes its input {what}: every later call sees other data. "
                    f"Work on a copy: {what} = {what}.copy()."
                )
                array[...] = was
        if not np.array_equal(network.theta(), before, equal_nan=True):
            problems.append(f"{label}: {call} changes the parameters: only step(lr) may.")
            network.write(before)

    for function, call in ((_cost, "cost(X, Y)"), (_gradient, "gradients(X, Y)")):
        try:
            function(network, X, Y)
        except NetworkProblem as error:
            problems += error.problems
        unchanged(call)
    if source.predicts:
        try:
            score(network.predict(X), recipe, "train", label)
        except NetworkProblem as error:
            problems += error.problems
        unchanged("predict(X)")
    if not problems:
        problems += _stale(network, X, Y, before)
    if not problems and source.options.update == "own":
        problems += _step_problems(network, X, Y, before)
    return problems


def _stale(network: OwnNetwork, X: np.ndarray, Y: np.ndarray, theta: Array) -> list[str]:
    """Parameters that are copies, and gradients of the forward pass that was made last, not of the parameters now."""
    cost, g = _cost(network, X, Y), _gradient(network, X, Y)
    again, other = _gradient(network, X, Y), 0.5 * theta + 0.1
    network.write(other)
    written, moved = network.theta(), _cost(network, X, Y)
    network.write(theta)
    if not np.array_equal(written, other.astype(written.dtype)):
        return [
            f"{network.label}: parameters gives copies: what is written to its arrays is not in them the next time."
        ]
    if moved == cost and g.any():
        return [
            f"{network.label}: cost(X, Y) does not change with parameters: are they copies of what it computes with?"
        ]
    # Where each call gives another gradient, the gradient check says what that is.
    if np.array_equal(g, again, equal_nan=True) and not np.array_equal(g, _gradient(network, X, Y), equal_nan=True):
        where = "it must make its own forward pass"
        return [f"{network.label}: gradients(X, Y) is of what cost(X, Y) left behind: {where}."]
    return []


def _cost(network: OwnNetwork, X: np.ndarray, Y: np.ndarray) -> float:
    """The cost, with the same noise at every call."""
    still(0)
    return network.cost(X, Y)


def _gradient(network: OwnNetwork, X: np.ndarray, Y: np.ndarray) -> Array:
    """The gradient, with the same noise at every call."""
    still(0)
    return network.gradient(X, Y)


def _step_problems(network: OwnNetwork, X: np.ndarray, Y: np.ndarray, before: Array) -> list[str]:
    """A step that changes nothing, or other arrays than those of `parameters`."""
    cost, g = _cost(network, X, Y), _gradient(network, X, Y)
    network.step(1e-3)
    after = network.theta()  # raises where shapes or types are others now
    network.write(before)
    if np.isfinite(cost) and _cost(network, X, Y) != cost:
        why = "makes new arrays (W = W - lr * dW), and parameters holds the old ones: change those (W -= lr * dW)"
        return [f"{network.label}: step(lr) {why}, or make parameters a method that gives the new ones."]
    if np.array_equal(after, before) and g.any() and np.isfinite(g).all():
        return [f"{network.label}: step(lr) leaves parameters as they are, and the gradients are not 0."]
    return []
