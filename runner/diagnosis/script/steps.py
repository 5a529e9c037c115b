"""From a traced update back to the gradient in it: `W = W - lr * dW`, `W += v`, Adam by hand. NumPy only."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from runner.diagnosis.line.adjoints import ancestors
from runner.diagnosis.line.tape import Node

PASSING = {"copy", "astype", "view", "reshape", "squeeze", "ravel", "array", "positive", "asmatrix"}
DIVIDING = {"divide", "true_divide"}


class Step(NamedTuple):
    """One array's update.

    Attributes:
        gradient: the node of what the step was made of, before moments; None where it was not found.
        factor: the numbers that it is multiplied with on the lines of the update, their product with the sign of the
            step: -lr of W - lr * dW.
        scale: those of them that are still in the gradient's value.
        plain: the update is the gradient and numbers, and nothing else: no moments.
        constant: nothing that was computed from the parameters is added: a number, or zeros.
        update: the node that was put in the array's place.
    """

    gradient: Node | None
    factor: float
    scale: float
    plain: bool
    update: Node
    constant: bool = False


def step_of(leaf: Node, end: Node, states: Mapping[str, Node]) -> Step:
    """Follow the update of `leaf`, which ended as `end`, back to the gradient; `states` are moments and the like."""
    term, sign = _term(leaf, end)
    if term is None or term.op in ("leaf", "constant"):
        alone = end.op in ("add", "subtract") and any(_leads(each, leaf) for each in end.parents())
        return Step(None, -1.0, 1.0, True, end, alone)
    kept = set(states.values())
    if not any(each in kept for each in ancestors(term)):
        gradient, factor = _peeled(term, end.place)
        scale = _inner(gradient, end.place)
        return Step(gradient, sign * factor * scale, scale, True, end)
    within = _before_states(term, kept, np.size(leaf.value))
    if within is None:
        return Step(None, -1.0, 1.0, False, end)
    return Step(within[0], sign * within[1], 1.0, False, end)


def _term(leaf: Node, end: Node) -> tuple[Node | None, float]:
    """What is added to the leaf, and its sign; through copies, and through decay by a number."""
    node, sign = end, 1.0
    term: tuple[Node | None, float] = (None, 1.0)
    for _ in range(12):
        if node is leaf:
            return term
        if node.op in ("add", "subtract"):
            a, b = node.inputs[0], node.inputs[1]
            for mine, other, turn in ((a, b, -1.0 if node.op == "subtract" else 1.0), (b, a, 1.0)):
                if isinstance(mine, Node) and _leads(mine, leaf) and isinstance(other, Node):
                    own = 1.0 if mine is a or node.op == "add" else -1.0
                    term = (other, sign * own * turn)
                    node = mine
                    break
            else:
                return term
        elif node.op in PASSING | {"multiply", *DIVIDING} or node.op == "write":
            following = [each for each in node.parents() if _leads(each, leaf)]
            if not following:
                return term
            node = following[-1]
        else:
            return term
    return term


def _leads(node: Node, leaf: Node) -> bool:
    """Whether a value is the leaf but for copies, numbers and sums of equal shape."""
    seen = 0
    while node is not leaf and seen < 8:
        seen += 1
        if node.op in PASSING | {"multiply", *DIVIDING, "write"}:
            parents = [each for each in node.parents() if np.size(each.value) == np.size(leaf.value)]
            numbers = all(np.size(each) == 1 for each in node.raw() if np.size(each) != np.size(leaf.value))
            if not parents or (not numbers and node.op != "write"):
                return False
            if leaf in parents:
                return True
            node = parents[-1]
        elif node.op in ("add", "subtract"):
            return any(isinstance(each, Node) and _leads(each, leaf) for each in node.inputs)
        else:
            return False
    return node is leaf


def _peeled(node: Node, place: tuple[str, int]) -> tuple[Node, float]:
    """A node without the numbers that it was multiplied with at `place`, and their product."""
    factor = 1.0
    while node.place == place:
        if node.op == "negative" and isinstance(node.inputs[0], Node):
            node, factor = node.inputs[0], -factor
        elif node.op in ("multiply", *DIVIDING) and len(node.inputs) == 2:
            a, b = node.inputs
            if isinstance(a, Node) and _is_number(b):
                number = float(np.asarray(b).reshape(-1)[0])
                node, factor = a, factor * number if node.op == "multiply" else factor / number if number else np.inf
            elif isinstance(b, Node) and node.op == "multiply" and _is_number(a):
                node, factor = b, factor * float(np.asarray(a).reshape(-1)[0])
            else:
                return node, factor
        elif (
            node.op in PASSING
            and len(list(node.parents())) == 1
            and np.size(node.value) == np.size(node.inputs[0].value)
        ):
            node = next(node.parents())
        else:
            return node, factor
    return node, factor


def _inner(node: Node, place: tuple[str, int]) -> float:
    """The numbers deeper in a product, as in lr * d * x, which stay in the node's value."""
    factor = 1.0
    for each in node.parents():
        if each.place == place and each.op == "multiply" and np.size(each.value) < np.size(node.value):
            factor *= _peeled(each, place)[1]
    return factor


def _is_number(value: Any) -> bool:
    """A plain number that scales: not computed from the parameters."""
    return not isinstance(value, Node) and np.size(value) == 1


def _before_states(node: Node, states: set[Node], size: int) -> tuple[Node, float] | None:
    """The earliest value that goes into a moment: of the gradient's size, and not itself made of moments."""
    tree = ancestors(node)
    made_of: dict[int, bool] = {}
    for each in tree:
        made_of[id(each)] = each in states or any(made_of.get(id(parent), False) for parent in each.parents())
    found: list[tuple[int, Node, float]] = []
    for each in tree:
        if not made_of[id(each)] or each in states:
            continue
        for parent in each.parents():
            if not made_of[id(parent)] and parent.inputs and np.size(parent.value) == size:
                gradient, factor = _peeled(parent, each.place)
                turn = -1.0 if each.op == "subtract" and len(each.inputs) > 1 and each.inputs[1] is parent else 1.0
                found.append((gradient.index, gradient, turn * factor))
    if not found:
        return None
    _, gradient, factor = min(found, key=lambda each: each[0])
    return gradient, factor
