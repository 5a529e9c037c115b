"""A cost in which samples have to do with each other that should not: the line of the forward pass, and its change.

Softmax, or a normalisation, over the samples instead of the classes: then the gradients are right of another cost. That
is said only of a change that was run: with it each sample's cost is its own, and the gradients are its slopes.
"""

from collections.abc import Callable, Sequence

import numpy as np

from runner.diagnosis.line.adjoints import ancestors
from runner.diagnosis.line.mistake import LineMistake
from runner.diagnosis.line.protocol import Point, traced
from runner.diagnosis.line.repair import Place, repair
from runner.diagnosis.line.replay import replayed
from runner.diagnosis.line.sentences import line_text
from runner.diagnosis.line.tape import Node
from runner.nn.types import Array
from runner.training.own.network import OwnNetwork

DIRECTIONS = 3


def unmixed(fresh: Callable[[], OwnNetwork], points: Sequence[Point], axis: int, until: float) -> LineMistake | None:
    """The line that mixes samples (along `axis` of X and Y), with the change by which all is right."""
    places = _mixing(fresh, points[0], axis)
    if not places:
        return None
    network = fresh()

    def right() -> bool:
        with np.errstate(all="ignore"):
            return all(_apart(network, point, axis) and _slopes(network, point) for point in points)

    mended = repair(places, [], set(), right, until)
    if mended is None:
        return None
    sentence = (
        f"`{mended.old}` should be `{mended.new}`: it takes the samples together, and each is to be by itself; with it"
    )
    sentence += " the cost of all is that of its halves, and every gradient is its slope."
    text = line_text(mended.file, mended.line)
    return LineMistake(mended.file, mended.line, "", text, None, None, "samples mixed", sentence, mended.text)


def _mixing(fresh: Callable[[], OwnNetwork], at: Point, axis: int) -> list[Place]:
    """The lines in which a change of the first sample first changes others, and where what does so was made."""
    run = traced(fresh, at)
    top = run.tape.node_of(run.cost)
    if top is None:
        return []
    nodes = ancestors(top)
    leaf = next((node for node in nodes if node.name == "X"), None)
    if leaf is None:
        return []
    n = at.X.shape[axis]
    moved = np.array(leaf.value)
    np.moveaxis(moved, axis, 0)[0] += 0.5
    new = replayed(nodes, {leaf: moved}, nodes)
    if new is None:
        return []
    found: dict[Place, None] = {}
    for node in nodes:
        if (
            node.line
            and _others(node, new[node], n)
            and not any(_others(each, new[each], n) for each in node.parents())
        ):
            found |= {
                each.place: None
                for each in node.parents()
                if each.line and each.inputs and n not in np.shape(each.value)
            }
            found[node.place] = None
    return list(found)


def _others(node: Node, new: Array, n: int) -> bool:
    """Whether samples other than the first have changed."""
    old = np.asarray(node.value)
    if old.dtype.kind != "f" or n not in old.shape:
        return False
    rest = np.delete(np.asarray(new) - old, 0, old.shape.index(n))
    return bool(np.abs(rest).max(initial=0) > 1e-9)


def _apart(network: OwnNetwork, at: Point, axis: int) -> bool:
    """Whether the cost is the mean, or the sum, of the samples' own."""
    network.write(at.theta)
    n = at.X.shape[axis]

    def part(rows: list[int]) -> float:
        Y = at.Y if at.Y.ndim == 1 else np.moveaxis(at.Y, axis, 0)
        X = np.moveaxis(at.X, axis, 0)[rows]
        return network.cost(np.moveaxis(X, 0, axis), Y[rows] if at.Y.ndim == 1 else np.moveaxis(Y[rows], 0, axis))

    half = n // 2
    whole, first, second = part([*range(2 * half)]), part([*range(half)]), part([*range(half, 2 * half)])
    return any(abs(whole - each) <= 1e-9 * abs(whole) for each in ((first + second) / 2, first + second))


def _slopes(network: OwnNetwork, at: Point) -> bool:
    """Whether the gradients are the slopes of the cost, in some directions."""
    network.write(at.theta)
    g = network.gradient(at.X, at.Y)
    rng = np.random.default_rng(2)
    for _ in range(DIRECTIONS):
        direction = rng.standard_normal(len(at.theta))
        ends = []
        for step in (1e-5, -1e-5):
            network.write(at.theta + step * direction)
            ends.append(network.cost(at.X, at.Y))
        if not abs((ends[0] - ends[1]) / 2e-5 - g @ direction) <= 1e-6 * np.linalg.norm(g) * np.linalg.norm(direction):
            return False
    return True
