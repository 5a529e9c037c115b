"""A part of a tape computed again, with some values put in place of what stood there. NumPy only."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from runner.diagnosis.line.adjoints import Adjoint, adjoints, ancestors
from runner.diagnosis.line.tape import Node
from runner.nn.types import Array

SMALL = 1e-3  # a number added that is no larger keeps something finite


def replayed(nodes: Sequence[Node], instead: Mapping[Node, Any], wanted: Iterable[Node]) -> dict[Node, Any] | None:
    """The values of `wanted` where the nodes of `instead` have other values; None where it cannot be computed.

    `nodes` are all that may have to be computed again, in their order.
    """
    new: dict[Node, Any] = dict(instead)
    with np.errstate(all="ignore"):
        for node in nodes:
            if node in new or not any(parent in new for parent in node.parents()):
                continue
            if node.compute is None:
                return None
            values = [new.get(each, each.value) if isinstance(each, Node) else each for each in node.inputs]
            try:
                new[node] = node.compute(*values)
            except Exception:  # another shape, in the middle of somebody's code
                return None
    return {node: new.get(node, node.value) for node in wanted}


def moved(new: Any, old: Any) -> bool:
    """Whether a value is another one than it was."""
    a, b = np.asarray(new, dtype=float), np.asarray(old, dtype=float)
    return a.shape != b.shape or not np.allclose(a, b, rtol=1e-7, atol=1e-12, equal_nan=True)


def placed_as(total: Array, shape: tuple[int, ...]) -> Array | None:
    """An adjoint in the shape of a value that may be it; None where it has none."""
    if total.shape == shape:
        return total
    if total.ndim == 2 and total.T.shape == shape:
        return total.T
    return total.reshape(shape) if total.size == int(np.prod(shape)) else None


def without_small(cost: Node) -> Iterator[dict[Node, Adjoint]]:
    """The adjoints where small numbers that are added are left out: those in logarithms alone, and all of them."""
    nodes = ancestors(cost)
    added = [node for node in nodes if node.op in ("add", "subtract") and any(_is_small(each) for each in node.inputs)]
    logged = {parent for node in nodes if node.op.startswith("log") for parent in node.parents()}
    for chosen in dict.fromkeys((tuple(node for node in added if node in logged), tuple(added))):
        if not chosen:
            continue
        kept = {node: (node.value, node.inputs) for node in nodes}
        try:
            with np.errstate(all="ignore"):
                for node in nodes:
                    if node in chosen:
                        node.inputs = tuple(0.0 if _is_small(each) else each for each in node.inputs)
                    if node.compute is not None:
                        node.value = node.compute(*node.raw())
            yield adjoints(cost)
        except (ValueError, TypeError):  # what cannot be computed without it
            continue
        finally:
            for node, (value, inputs) in kept.items():
                node.value, node.inputs = value, inputs


def _is_small(value: Any) -> bool:
    return not isinstance(value, Node) and np.size(value) == 1 and 0 < abs(float(np.ravel(value)[0])) <= SMALL
