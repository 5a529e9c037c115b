"""The gradient check of a user's network, on a scratch copy: its gradients against its cost, and its own update.

Nothing is known of it but the two. Where they disagree it is first recognised by its costs
(runner.diagnosis.gradient.recognition), so that the mistake has a name. NumPy only.
"""

from collections.abc import Callable, Sequence

import numpy as np

from runner.diagnosis.gradient import measure as gradcheck
from runner.diagnosis.gradient import mistakes, naming
from runner.diagnosis.gradient.measure import Check, Mistake
from runner.diagnosis.gradient.recognition import recognised
from runner.diagnosis.line.answers import always_the_same
from runner.diagnosis.line.clock import now
from runner.diagnosis.line.costs import CostMistake, adding_up, turned, unpaired
from runner.diagnosis.line.diagnose import SECONDS, diagnose, verdicts
from runner.diagnosis.line.mixing import unmixed
from runner.diagnosis.line.protocol import Point
from runner.diagnosis.line.summed import summed
from runner.diagnosis.line.updates import updates
from runner.diagnosis.line.within import generators
from runner.nn.types import Array, Part
from runner.training.kinds import kind_of
from runner.training.own.load import load
from runner.training.own.module import still
from runner.training.own.network import NetworkError, NetworkProblem, OwnNetwork
from runner.training.own.stack import given, source_of
from runner.training.own.vectorized import watched
from runner.training.recipe import Data, Recipe

WIDE = 50_000  # parameters from which on fewer coordinates are looked at
ROWS = 7  # the line is looked for on so many
UNSHOWN = ("wrong product", "wrong output derivative", "wrong activation derivative", "wrong bias")  # guesses by layer
LR = 1e-3  # of the steps that are tried


def check_own(recipe: Recipe, seed: int = 0, seconds: float = SECONDS) -> Check:
    """The check of the network of `recipe` (standardised rows, float64) at random parameters.

    Raises NetworkProblem and NetworkError as its code does.
    """
    source, data = source_of(recipe), recipe.sets["train"]
    X, Y = given(data, source)
    network = _maker(recipe)()
    parts = kind_of(recipe).parts
    theta = gradcheck.scratch(parts, seed)
    at, fresh = Point(theta, X, Y, seed), _maker(recipe)
    cost, gradient = _functions(network, at)
    costs = gradcheck.one_by_one(cost)
    samples = gradcheck.SAMPLES if len(theta) < WIDE else gradcheck.SAMPLES // 2
    with watched(network.label):
        seen = verdicts(fresh, at)
        if seen.followed:
            true = np.concatenate([each.true.ravel() for each in seen.arrays])
            found = gradcheck.compared(gradient(theta), gradient(theta), true, parts, samples, seed)
        else:
            found = gradcheck.check(costs, gradient, theta, parts, samples, seed)
    of_cost = _cost_mistake(fresh, recipe, at)
    if of_cost is not None:
        return _of_cost(found, of_cost)
    if not np.allclose(found.gradient, found.again, rtol=1e-9, atol=1e-300):
        lines = summed(fresh, at)
        found = naming.named(found, costs, theta, parts, len(data.X), None)
        return found._replace(lines=tuple(lines))
    if found.ok:
        of_answers = always_the_same(fresh, [_few(recipe, at, number) for number in range(3)], seconds)
        if of_answers is not None:
            mistake = Mistake(of_answers.kind, None, of_answers.sentence, {})
            return found._replace(ok=False, mistake=mistake, lines=(of_answers,))
        found = found._replace(note=_slopeless(found))
        return _stepped(found, fresh, network, gradient, recipe, at, 1.0, seconds)
    if seen.followed and _all_minus(found):
        few = [_few(recipe, at, number) for number in range(3)]
        of_cost = turned(fresh, few, now() + seconds)
        if of_cost is not None:
            return _of_cost(found, of_cost)
        if network.functions.step is not None and _adds(fresh(), at):
            found = _minus(found, source.options.update == "own")
            return _stepped(found, fresh, network, gradient, recipe, at, -1.0, seconds)
    found = found._replace(why=seen.why)
    if seen.followed:
        adds = network.functions.step is not None and _adds(fresh(), at)  # gradients may be meant as minus the slope
        found = _lines(found, fresh, recipe, at, seconds, -1.0 if adds else 1.0)
        if adds and not found.lines:
            found = _lines(found, fresh, recipe, at, seconds, 1.0)
    return _named(found, costs, theta, parts, recipe, network, seconds)


def _functions(network: OwnNetwork, at: Point) -> tuple[Callable[[Array], float], Callable[[Array], Array]]:
    """Its cost and its gradient on the rows of `at`, as functions of θ alone: every draw is the same at each call."""
    back = generators(*[each for each in network.functions if each is not None])

    def cost(theta: Array) -> float:
        network.write(theta)
        back()
        still(at.seed)
        return network.cost(at.X, at.Y)

    def gradient(theta: Array) -> Array:
        network.write(theta)
        back()
        still(at.seed)
        return network.gradient(at.X, at.Y)

    return cost, gradient


def _slopeless(found: Check) -> str | None:
    """What is said of arrays that the cost does not depend on: their gradient is 0, which is not to say that it is
    right.
    """
    names = [part.part.name for layer in found.layers for part in layer.parts if part.ok and part.rho != part.rho]
    if not names:
        return None
    return (
        f"no slope: the cost does not change with {', '.join(names)}, nor will training change them; the rest is right"
    )


def _maker(recipe: Recipe) -> Callable[[], OwnNetwork]:
    """Makes the network of a recipe, a new one each time."""
    source = source_of(recipe)
    rows = given(recipe.sets["train"], source)
    return lambda: load(source.options, recipe.widths[0], recipe.widths[-1], recipe.seed, recipe.dtype, rows)


def _cost_mistake(fresh: Callable[[], OwnNetwork], recipe: Recipe, at: Point) -> CostMistake | None:
    """What is wrong with the cost itself: a few rows show it, where the network takes a few."""
    axis = -1 if source_of(recipe).options.samples == "columns" else 0
    for point in (_few(recipe, at, 0), at):
        try:
            return adding_up(fresh, point) or unpaired(fresh, point, axis)
        except (NetworkError, NetworkProblem):  # it wants its rows as they are
            continue
    return None


def _of_cost(found: Check, wrong: CostMistake) -> Check:
    lines = (wrong.line,) if wrong.line is not None else ()
    return found._replace(ok=False, mistake=Mistake(wrong.kind, None, wrong.sentence, {}), lines=lines)


def _all_minus(found: Check) -> bool:
    rhos = [part.rho for layer in found.layers for part in layer.parts if part.rho == part.rho]
    return bool(rhos) and all(abs(rho + 1) <= 1e-6 for rho in rhos)


def _adds(network: OwnNetwork, at: Point) -> bool:
    """Whether step(lr) adds to the parameters what gradients has given."""
    network.write(at.theta)
    still(at.seed)
    g = network.gradient(at.X, at.Y)
    network.step(LR)
    return float((network.theta() - at.theta) @ g) > 0


def _minus(found: Check, updates_itself: bool) -> Check:
    """The verdict on gradients that are minus the slope, in a program whose step adds them."""
    layers = tuple(
        layer._replace(ok=True, parts=tuple(part._replace(ok=True) for part in layer.parts)) for layer in found.layers
    )
    note = "gradients are minus the slope of the cost, and step(lr) adds them: together they go down, and are right"
    note += "" if updates_itself else "; train it with architecture.update=own, which takes its step"
    return found._replace(ok=True, mistake=None, layers=layers, note=note)


def _stepped(
    found: Check,
    fresh: Callable[[], OwnNetwork],
    network: OwnNetwork,
    gradient: gradcheck.Gradient,
    recipe: Recipe,
    at: Point,
    sign: float,
    seconds: float,
) -> Check:
    """The check of a network whose gradients are right: its own update, if it has one and is to use it."""
    if source_of(recipe).options.update != "own":
        return found
    parts = kind_of(recipe).parts
    layers = {part.name: part.layer for part in parts}
    biases = {part.name for part in parts if part.kind == "b"}
    lines = updates(fresh, at, layers, sign, seconds, biases)
    if lines is None:
        return found
    wrong = _update(network, gradient, at.theta, parts) if sign > 0 else None
    if wrong is None and lines:
        wrong = Mistake(lines[0].kind, lines[0].layer, lines[0].sentence, {})
    return found._replace(ok=False, mistake=wrong, lines=tuple(lines)) if wrong else found


def _lines(
    found: Check, fresh: Callable[[], OwnNetwork], recipe: Recipe, at: Point, seconds: float, sign: float
) -> Check:
    """The lines of what is wrong: looked for on a few rows, where the mistake is one there, too; else on all."""
    layers = {part.name: part.layer for part in kind_of(recipe).parts}
    for points in ([_few(recipe, at, 0), _few(recipe, at, 1)], [at]):
        try:
            seen = diagnose(fresh, points, layers, seconds, sign)
        except (NetworkError, NetworkProblem):  # it wants its rows as they are
            continue
        if seen.followed and not seen.ok:
            return found._replace(lines=seen.mistakes, why=seen.why)
    return found


def _few(recipe: Recipe, at: Point, number: int) -> Point:
    """A few of the rows, moved a little so that no two are the same, and other parameters."""
    generator = np.random.default_rng([at.seed, number])
    source, data = source_of(recipe), recipe.sets["train"]
    picked = generator.choice(len(data.X), ROWS, replace=len(data.X) < ROWS)
    X = data.X[picked]
    if not source.whole:
        X = X + 0.1 * generator.standard_normal(X.shape)
    theta = gradcheck.scratch(kind_of(recipe).parts, at.seed + number, bias=0.3)
    return Point(theta, *given(Data(X, data.Y[picked], data.y[picked]), source), at.seed + number)


def _named(
    found: Check,
    costs: gradcheck.Costs,
    theta: Array,
    parts: Sequence[Part],
    recipe: Recipe,
    network: OwnNetwork,
    seconds: float,
) -> Check:
    """The mistake by its name, where it is one of those that are known; else by its line; else by its layer."""
    source, data = source_of(recipe), recipe.sets["train"]
    targets = np.eye(source.classes)[data.y] if source.options.labels == "index" and source.classes > 2 else data.Y
    structure = recognised(costs, parts, data.X, targets, recipe.seed)
    hypotheses = None if structure is None else mistakes.hypotheses(structure)
    found = naming.named(found, costs, theta, parts, len(data.X), hypotheses)
    named = found.mistake
    if named is None or named.kind not in UNSHOWN:
        return found
    if found.lines and found.lines[0].correction:
        first = found.lines[0]
        return found._replace(mistake=Mistake(first.kind, first.layer or named.layer, first.sentence, named.evidence))
    network.write(theta)
    mixed = _mixed(network, recipe, named) if structure is None and named.kind == "wrong output derivative" else None
    if mixed is not None:
        axis = -1 if source.options.samples == "columns" else 0
        few = [_few(recipe, Point(theta, *given(data, source), recipe.seed), number) for number in (0, 1)]
        line = unmixed(_maker(recipe), few, axis, now() + seconds / 2)
        return found._replace(mistake=mixed, lines=(line,) if line is not None else ())
    if found.lines:
        first = found.lines[0]
        return found._replace(mistake=Mistake(first.kind, first.layer or named.layer, first.sentence, named.evidence))
    says = f"The gradient is wrong from layer {named.layer} on; above it, it is right."
    if named.layer == max(part.layer for part in parts):
        says = f"The gradient is wrong from the last layer, {named.layer}, on."
    return found._replace(mistake=Mistake("wrong gradient", named.layer, says, named.evidence))


def _mixed(network: OwnNetwork, recipe: Recipe, found: Mistake) -> Mistake | None:
    """A cost in which samples have to do with each other: it is not that of its halves."""
    source, data = source_of(recipe), recipe.sets["train"]
    half = len(data.X) // 2
    if not half:
        return None
    rows = slice(0, 2 * half), slice(0, half), slice(half, 2 * half)
    costs = [network.cost(*given(Data(data.X[part], data.Y[part], data.y[part]), source)) for part in rows]
    whole, first, second = costs
    if any(abs(whole - wanted) <= 1e-9 * abs(whole) for wanted in ((first + second) / 2, first + second)):
        return None
    says = (
        "The cost of all samples is not the mean of the costs of their halves: something is summed or normalised over "
        "the samples where it should be over the classes, as when softmax has the wrong axis."
    )
    return Mistake("samples mixed", found.layer, says, {"cost": whole, "mean of its halves": (first + second) / 2})


def _update(network: OwnNetwork, gradient: gradcheck.Gradient, theta: Array, parts: Sequence[Part]) -> Mistake | None:
    """What is wrong with two steps of the network's own: momentum and its kin are not; up the slope is."""
    g = gradient(theta)
    network.step(LR)
    first = theta - network.theta()
    moved = [part for part in parts if g[part.start : part.stop].any()]
    still_there = [part for part in moved if not first[part.start : part.stop].any()]
    if still_there and len(still_there) < len(moved):
        names = ", ".join(part.name for part in still_there)
        kind = "bias not updated" if all(part.kind == "b" for part in still_there) else "not updated"
        layer = still_there[0].layer if len(still_there) == 1 else None
        return Mistake(kind, layer, f"step(lr) leaves {names} as it is, and its gradient is not 0.", {})
    if float(first @ g) < 0:
        says = "step(lr) goes up the slope: it adds lr * gradient where it should take it away."
        return Mistake("ascent", None, says, {"step . g / |step| |g|": _cosine(first, g)})
    plain = [part for part in moved if _near(first[part.start : part.stop], LR * g[part.start : part.stop])]
    if plain and len(plain) < len(moved):
        names = ", ".join(part.name for part in moved if part not in plain)
        says = f"step(lr) takes lr * gradient from {plain[0].name}, and something else from {names}."
        return Mistake("wrong update", None, says, {"step . g / |step| |g|": _cosine(first, g)})
    if len(plain) == len(moved):
        between = network.theta()
        again = gradient(between)
        network.step(LR)
        second = between - network.theta()
        if _near(second, LR * (g + again)) and not _near(second, LR * again):
            says = "The first step is lr * gradient, the second lr * the sum of both gradients: they are summed up."
            return Mistake("accumulated", None, says, {})
    return None


def _near(a: Array, b: Array) -> bool:
    # θ - lr g is rounded to θ's last place: the step is known to that.
    return bool(np.linalg.norm(a - b) <= 1e-6 * np.linalg.norm(b))


def _cosine(a: Array, b: Array) -> float:
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), np.finfo(float).tiny))
