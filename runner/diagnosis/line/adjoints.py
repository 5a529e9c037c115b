"""The true adjoint of every value on a tape: reverse mode from one scalar, with what each use of a value contributes.

    found = adjoints(cost_node)
    found[node].total           dJ/dvalue, of the value's shape
    found[node].parts           [(node that used it, what comes through that use)]

An operation without a rule of its own is measured, where it is small enough. NumPy only.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from runner.diagnosis.line.rules import RULES, gathered, measured
from runner.diagnosis.line.tape import Node
from runner.nn.types import Array


class Adjoint(NamedTuple):
    """dJ/dvalue of a node: the `total`, and the `parts` it is the sum of, each with the node it comes through."""

    total: Array
    parts: list[tuple[Node | None, Array]]


def ancestors(node: Node) -> list[Node]:
    """The node and all it was made of, in the order of computation."""
    seen, left = {id(node): node}, [node]
    while left:
        for parent in left.pop().parents():
            if id(parent) not in seen:
                seen[id(parent)] = parent
                left.append(parent)
    return sorted(seen.values(), key=lambda each: each.index)


def adjoints(cost: Node) -> dict[Node, Adjoint]:
    """The adjoints of all that `cost` was made of; what it does not depend on has none."""
    parts: dict[Node, list[tuple[Node | None, Array]]] = {cost: [(None, np.ones(np.shape(cost.value)))]}
    found: dict[Node, Adjoint] = {}
    with np.errstate(all="ignore"):
        for node in reversed(ancestors(cost)):
            if node not in parts:
                continue
            mine = parts[node]
            total = mine[0][1] if len(mine) == 1 else sum((each for _, each in mine), np.zeros(np.shape(node.value)))
            found[node] = Adjoint(total, mine)
            if not node.inputs:
                continue
            for parent, part in zip(node.inputs, pulled(node, total), strict=True):
                if isinstance(parent, Node) and part is not None:
                    parts.setdefault(parent, []).append((node, unbroadcast(part, np.shape(parent.value))))
    return found


def pulled(node: Node, g: Array) -> Sequence[Array | None]:
    """What an operation hands to each of its inputs of the adjoint `g` of its value."""
    rule: Callable[..., Any] | None = RULES.get(node.op)
    if rule is not None:
        return list(rule(g, node, *node.raw()))
    return gathered(g, node) or measured(g, node)


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Array:
    """Sum over the axes along which a value of `shape` was repeated."""
    g = np.asarray(g, dtype=float)
    if g.shape == shape:
        return g
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    for axis, n in enumerate(shape):
        if n == 1 and g.ndim == len(shape) and g.shape[axis] != 1:
            g = g.sum(axis=axis, keepdims=True)
    return g if g.shape == shape else np.broadcast_to(g, shape) if g.size == 1 else g.reshape(shape)
