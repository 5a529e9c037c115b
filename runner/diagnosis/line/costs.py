"""Is the cost itself what it should be: targets that do not matter, a sign, a slope that is none, calls that add up.

A right gradient of such a cost helps nobody, and fixing the backward pass by it would break it. NumPy only.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from runner.diagnosis.line.adjoints import ancestors
from runner.diagnosis.line.mistake import LineMistake
from runner.diagnosis.line.protocol import Point, traced
from runner.diagnosis.line.repair import repair
from runner.diagnosis.line.sentences import line_text
from runner.diagnosis.line.tape import Node
from runner.diagnosis.line.within import generators
from runner.training.own.module import still
from runner.training.own.network import OwnNetwork

UNSTEADY = "unsteady"  # what gives another number at each call, as with noise that no seed sets


class CostMistake(NamedTuple):
    """What is wrong with a cost: its kind, a sentence, and its line where it is known."""

    kind: str
    sentence: str
    line: LineMistake | None


def unpaired(fresh: Callable[[], OwnNetwork], at: Point, axis: int) -> CostMistake | None:
    """A cost that stays the same when the targets are shuffled among the samples (along `axis` of Y)."""
    cost = _costs(fresh, at)
    n = at.Y.shape[axis]
    rng = np.random.default_rng(5)
    orders = [rng.permutation(n) for _ in range(3)]
    dealt = [np.take(at.Y, order, axis) for order in orders]
    if n < 3 or all(np.array_equal(each, at.Y) for each in dealt):
        return None
    base = cost(at.X, at.Y)
    if not all(abs(cost(at.X, each) - base) <= 1e-12 * abs(base) for each in dealt):
        return None
    other = np.roll(at.Y, 1, axis) * 0.5 + 0.25 if at.Y.dtype.kind == "f" else at.Y[:1].repeat(n, axis)
    if abs(cost(at.X, other) - base) <= 1e-9 * abs(base):  # targets have no part in this cost
        return None
    node = _crossed(fresh, at, n)
    says = "The cost stays the same when the targets are shuffled among the samples: it compares all with all."
    if node is None:
        return CostMistake("targets not paired", says, None)
    shapes = " and ".join(str(np.shape(each)) for each in node.raw())
    says = (
        f"Shapes {shapes} make {np.shape(node.value)}, every output against every target; the cost stays the same when"
    )
    says += " the targets are shuffled among the samples. Both must have one shape: .reshape(-1, 1), or .ravel()."
    text = line_text(node.file, node.line)
    line = LineMistake(node.file, node.line, node.function, text, None, None, "targets not paired", says, "")
    return CostMistake("targets not paired", says, line)


def _crossed(fresh: Callable[[], OwnNetwork], at: Point, n: int) -> Node | None:
    """The operation of the cost that makes (n, n) of two values of n samples each."""
    run = traced(fresh, at)
    top = run.tape.node_of(run.cost)
    for node in ancestors(top) if top is not None else ():
        shapes = [np.shape(each) for each in node.raw()]
        crossed = np.shape(node.value)[-2:] == (n, n) and [int(np.prod(shape)) for shape in shapes] == [n, n]
        if crossed and node.line and node.op not in ("matmul", "dot", "outer"):
            return node
    return None


def turned(fresh: Callable[[], OwnNetwork], points: Sequence[Point], seconds_until: float) -> CostMistake | None:
    """Of a gradient that is minus the slope: a cost below 0 everywhere, whose negative would have this gradient."""
    values = [_costs(fresh, point)(point.X, point.Y) for point in points]
    if not all(value < 0 for value in values):
        return None
    says = (
        "The cost is below 0 wherever it was looked at, and the gradients are right of its negative: a minus is missing"
    )
    says += " in the cost, not in the backward pass."
    run = traced(fresh, points[0])
    top = run.tape.node_of(run.cost)
    if top is None or not top.line:
        return CostMistake("sign of the cost", says, None)
    network = fresh()
    back = generators(*[each for each in network.functions if each is not None])

    def right() -> bool:
        for point, value in zip(points, values, strict=True):
            network.write(point.theta)
            back()
            still(point.seed)
            if not abs(network.cost(point.X, point.Y) + value) <= 1e-9 * abs(value):
                return False
        return True

    mended = repair([top.place], [], set(), right, seconds_until)
    correction = mended.text if mended is not None else ""
    line = mended.line if mended is not None else top.line
    text = line_text(top.file, line)
    made = LineMistake(top.file, line, top.function, text, None, None, "sign of the cost", says, correction)
    return CostMistake("sign of the cost", says, made)


def adding_up(fresh: Callable[[], OwnNetwork], at: Point) -> CostMistake | None:
    """A cost that is another one at each call, with the same parameters, data and noise."""
    cost = _costs(fresh, at)
    first, second, third = (cost(at.X, at.Y) for _ in range(3))
    if abs(second - first) <= 1e-9 * abs(first):
        return None
    steady = abs((third - second) - (second - first)) <= 1e-6 * abs(second - first)
    says = "Each call of cost adds the last one's to it" if steady else "Each call of cost gives another number"
    says += f", at the same parameters and data: {first:.6g}, {second:.6g}."
    return CostMistake("cost adds up" if steady else UNSTEADY, says, None)


def _costs(fresh: Callable[[], OwnNetwork], at: Point) -> Callable[[np.ndarray, np.ndarray], float]:
    """J of any data at a point's parameters, with the same noise at every call."""
    network = fresh()
    network.write(at.theta)
    back = generators(*[each for each in network.functions if each is not None])

    def cost(X: np.ndarray, Y: np.ndarray) -> float:
        back()
        still(at.seed)
        with np.errstate(all="ignore"):
            return network.cost(X, Y)

    return cost
