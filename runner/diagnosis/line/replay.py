"""A part of a tape computed again, with some values put in place of what stood there. NumPy only."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from runner.diagnosis.line.tape import Node


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
