"""What can be known of a user's network before it is trained: every promise of the protocol, tried once on the data.

    found = examined(own, sets, classes, seed, dtype)

A mistake found here costs nothing: nothing is written yet. Mistakes in the mathematics are the gradient check's.
"""

from collections.abc import Mapping

import numpy as np

from runner.nn.architectures import Own
from runner.nn.faults import Fault
from runner.nn.types import Array
from runner.own.load import digest, load, still
from runner.own.network import NetworkProblem, OwnNetwork
from runner.own.stack import given, own_keys, score
from runner.own.vectorized import watched
from runner.recipe import Data, OwnSource, Recipe


def examined(own: Own, sets: Mapping[str, Data], classes: int, seed: int, dtype: str) -> OwnSource:
    """What the run must know of the network. The mistakes of its code are found by `trial`.

    Raises NetworkProblem and NetworkError, as `runner.own.load.load`.
    """
    data = sets["train"]
    network = load(own, data.X.shape[1], data.Y.shape[1], seed, dtype)
    return OwnSource(own, network.layout, classes, network.functions.predict is not None, digest(own))


def trial(recipe: Recipe) -> float:
    """Call all that training will call, on the run's data; returns the cost at the initial weights.

    Raises NetworkProblem with all that is wrong at once, NetworkError where the user's lines raise.
    """
    assert recipe.own is not None
    X, Y = recipe.sets["train"].X, recipe.sets["train"].Y
    network = load(recipe.own.options, X.shape[1], Y.shape[1], recipe.seed, recipe.dtype)
    with np.errstate(all="ignore"):
        with watched(network.label):
            problems = _problems(network, recipe)
        if problems:
            raise NetworkProblem(*problems)
        still(recipe.seed, 0)
        return network.cost(*given(recipe.sets["train"], recipe.own))


def own_metrics(source: OwnSource, sets: Mapping[str, Data]) -> list[str]:
    """The metrics of every row of its run."""
    kinds = ("cost", "accuracy") if source.predicts else ("cost",)
    names = [f"{name}/{kind}" for name in sets for kind in kinds]
    return [*names, "grad_norm", *(key for keys in own_keys(source) for key in keys[:2])]


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

    for function, call in ((network.cost, "cost(X, Y)"), (network.gradient, "gradients(X, Y)")):
        try:
            still(recipe.seed, 0)
            function(X, Y)
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
    """Gradients that are of the forward pass that was made last, and not of the parameters as they are."""
    network.cost(X, Y)
    g = network.gradient(X, Y)
    if not np.array_equal(g, network.gradient(X, Y), equal_nan=True):
        return []  # it gives another gradient at each call: what that is, the gradient check says
    network.write(0.5 * theta + 0.1)
    network.cost(X, Y)
    network.write(theta)
    if np.array_equal(g, network.gradient(X, Y), equal_nan=True):
        return []
    return [f"{network.label}: gradients(X, Y) is of what cost(X, Y) left behind: it must make its own forward pass."]


def _step_problems(network: OwnNetwork, X: np.ndarray, Y: np.ndarray, before: Array) -> list[str]:
    """A step that changes nothing, or other arrays than those of `parameters`."""
    cost = network.cost(X, Y)
    g = network.gradient(X, Y)
    network.step(1e-3)
    after = network.theta()  # raises where shapes or types are others now
    if not np.array_equal(after, before) or not g.any() or not np.isfinite(g).all():
        return []
    moved = network.cost(X, Y) != cost
    why = (
        "and the cost has changed: it makes new arrays (W = W - lr * dW) where it should change those of parameters "
        "(W -= lr * dW), or parameters must be a method that gives the new ones."
        if moved
        else "and the gradients are not 0: does it change copies, or nothing?"
    )
    return [f"{network.label}: parameters are the same after step(lr), {why}"]
