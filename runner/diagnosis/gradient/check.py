"""The gradient check of a recipe: its own backward pass and update, with what is wrong in them, on a scratch copy.

Fresh Xavier weights, standardised inputs, all rows, float64, dropout off: so that a failure is the backward pass's and
not the run's. NumPy only.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from runner.diagnosis.gradient import measure as gradcheck
from runner.diagnosis.gradient import mistakes, naming
from runner.diagnosis.gradient.measure import Check, Costs, Mistake
from runner.diagnosis.gradient.own import check_own
from runner.diagnosis.line.diagnose import SECONDS
from runner.nn.faults import Fault
from runner.nn.network import Network, forward, make_pass, with_ones
from runner.nn.types import Array, affine_of
from runner.training import threads
from runner.training.kinds import kind_of
from runner.training.recipe import Data, Recipe
from runner.training.stack import Stack
from runner.training.trainable import Snapshot

NUMBERS = 4_000_000  # so many at most of each: the activations of one batch of costs, and their parameters
WIDE = 50_000  # parameters from which on fewer coordinates are looked at


def check_recipe(recipe: Recipe, seed: int = 0, seconds: float = SECONDS) -> Check:
    """The check of a recipe's gradient and of its update: rho and relative error by layer, the mistake if there is one.

    `seconds` bound the search for the line of a mistake in a network of the user's own.

    >>> from runner.experiment.build import compose
    >>> check_recipe(compose(["dataset=xor"]).recipe).ok
    True
    >>> check_recipe(compose(["dataset=xor", "fault=derivative_missing"]).recipe).mistake.kind
    'activation derivative missing'
    """
    job = scratch(recipe)
    kind = kind_of(job)
    if not kind.known:
        with threads.limited(job), np.errstate(all="ignore"):
            found = check_own(job, seed, seconds)
            ours = found.ok and not kind.updates_itself
            wrong = _update(job, found.gradient[None]) if ours else None
            return found._replace(ok=False, mistake=wrong) if wrong else found
    parts = kind.parts
    theta = gradcheck.scratch(parts, seed)
    with threads.limited(job), np.errstate(all="ignore"):
        stack = Stack([job], Snapshot(0, np.arange(1), theta[None], None))
        costs = _costs(stack, theta)

        def gradient(theta: Array) -> Array:
            stack.theta[0] = theta
            return stack.gradient()[0].copy()

        samples = gradcheck.SAMPLES if len(theta) < WIDE else 4
        found = gradcheck.check(costs, gradient, theta, parts, samples, seed)
        data = job.sets["train"]
        hidden = [job.activation] * (len(job.widths) - 2)
        structure = mistakes.Structure(data.X, data.Y, hidden, job.head, parts, job.l2)
        if not found.ok and _close(found.gradient, mistakes.right(structure, theta)):
            says = "The gradient is that of the loss that was configured: the cost that is reported is not."
            return found._replace(mistake=Mistake("wrong cost", None, says, {}))
        found = naming.named(found, costs, theta, parts, len(data.X), mistakes.hypotheses(structure))
        wrong = _update(job, found.gradient[None]) if found.ok else None
    return found._replace(ok=False, mistake=wrong) if wrong else found


def scratch(recipe: Recipe) -> Recipe:
    """A copy to check on: standardised training rows in one batch, float64, no dropout, features as they are."""
    data = recipe.sets["train"]
    X = data.X.astype(float)
    if recipe.own is None or recipe.own.options.inputs == "floats":
        spread = X.std(axis=0)
        X = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1)
    plan = replace(recipe.plan, batch_size=len(X), shrink=False)
    sets = {"train": Data(X, data.Y.astype(float), data.y)}
    return replace(recipe, sets=sets, plan=plan, dtype="float64", dropout=0.0)


def _costs(stack: Stack, at: Array) -> Costs:
    """The costs that the stack's network reports, with L2, of many θ at a time.

    Where the first layer's parameters are those of `at`, as they mostly are, its product is taken from there: on
    images that is nearly all of the work.
    """
    network, rows, recipe = stack.network, stack.prepared.sets["train"], stack.recipes[0]
    n, widths = len(rows.X1), network.widths
    first = widths[1] * (widths[0] + 1)
    deep = len(widths) > 2
    if deep:
        layers = affine_of(at[None], widths)
        A1 = network.activation.value((rows.X1 @ layers.Wb[0])[0])  # (n, width)
        above, inputs = network._replace(widths=widths[1:]), with_ones(A1)
    most = max(1, min(NUMBERS // (n * (sum(widths[1:]) + 1)), NUMBERS // len(at)))

    def one_batch(thetas: Array) -> Array:
        penalties = recipe.l2 / 2 * _squares(thetas, widths) if recipe.l2 else 0.0
        if deep and np.array_equal(thetas[:, :first], np.broadcast_to(at[:first], (len(thetas), first))):
            return _cost(above, np.ascontiguousarray(thetas[:, first:]), inputs, rows.Y) + penalties
        return _cost(network, thetas, rows.X1, rows.Y) + penalties

    def costs(thetas: Array) -> Array:
        return np.concatenate([one_batch(thetas[start : start + most]) for start in range(0, len(thetas), most)])

    return costs


def _cost(network: Network, thetas: Array, X1: Array, Y: Array) -> Array:
    """J (B,) of B networks on the same rows, without L2."""
    passed = forward(network, affine_of(thetas, network.widths), make_pass(network.widths, X1, len(thetas)))
    return network.head.objective(passed.Z[-1], passed.A[-1], Y)


def _squares(thetas: Array, widths: tuple[int, ...]) -> Array:
    """The sum of squares of all weights, without biases: (B,)."""
    start, found = 0, np.zeros(len(thetas))
    for fan_in, fan_out in pairwise(widths):
        W = thetas[:, start : start + fan_in * fan_out]
        found += (W * W).sum(axis=1)
        start += (fan_in + 1) * fan_out
    return found


def _close(a: Array, b: Array) -> bool:
    return bool(np.linalg.norm(a - b) <= 1e-10 * np.linalg.norm(b))


def _update(recipe: Recipe, g: Array) -> Mistake | None:
    """Whether two steps on the same gradient `g` (1, P) are those of the optimizer that was configured."""
    given = list(_steps(recipe, g))
    wanted = list(_steps(replace(recipe, fault=Fault()), g))
    if all(_close(a, b) for a, b in zip(given, wanted, strict=True)):
        return None
    bias = np.concatenate([np.full(part.stop - part.start, part.kind == "b") for part in kind_of(recipe).parts])
    first, expected = given[0], wanted[0]
    if _close(first, -expected):
        return Mistake("ascent", None, "The update adds the step where it should take it away: up the slope.", {})
    if _close(first, np.where(bias, 0, expected)):
        return Mistake("bias not updated", None, "The update leaves the biases as they are.", {})
    ratio = float(np.linalg.norm(given[1]) / np.linalg.norm(wanted[1]))
    if _close(first, expected):
        says = f"The first step is right and the second {ratio:.4g} times what it should be: gradients are summed up."
        return Mistake("accumulated", None, says, {"second step / right": ratio})
    return Mistake("wrong update", None, "The update is not that of the optimizer.", {"second step / right": ratio})


def _steps(recipe: Recipe, g: Array) -> Iterator[Array]:
    """The first steps (1, P) of an update that is given g, and then g / 2."""
    stack = kind_of(recipe).start([recipe], Snapshot(0, np.arange(1), np.ones_like(g), None))
    for share in (1.0, 0.5):
        yield stack.advance(share * g).copy()
