"""What a value is among the true adjoints: one of them up to a factor, a transpose or a slice, a part of one, or none.

NumPy only.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from runner.diagnosis.line.adjoints import Adjoint
from runner.diagnosis.line.tape import Node
from runner.nn.types import Array

CLOSE = 1e-6  # so much of its size may a value be off, to be the same
SLICED = 16  # axes up to this length are looked at slice by slice: samples, or steps in time
USES = 6  # of a value with more uses than this, no sums of some of them are looked at


class Match(NamedTuple):
    """A value is `factor` times the adjoint of `target`: the `whole` of it, a `slice`, or a `part`, which leaves out
    what comes through the uses `missing`; or of an `inner` value, which stands within a line and has no name.
    """

    target: Node
    factor: float
    what: str
    missing: tuple[Node, ...] = ()


class Known(NamedTuple):
    array: Array
    target: Node
    what: str
    missing: tuple[Node, ...] = ()


class Book:
    """Arrays by their size, to be looked up by what no transpose and no factor changes."""

    def __init__(self, known: Sequence[Known]):
        self.known: dict[int, list[Known]] = {}
        for each in known:
            if np.isfinite(each.array).all():
                self.known.setdefault(each.array.size, []).append(each)
        self.signatures = {size: np.array([signature(each.array) for each in of]) for size, of in self.known.items()}

    def find(self, array: Any, exactly: bool = False) -> list[tuple[Known, float]]:
        """What `array` is, with the factor: the likeliest first. `exactly`: only with a factor of 1."""
        array = np.asarray(array, dtype=float)
        signatures = self.signatures.get(array.size)
        if signatures is None or not np.isfinite(array).all():
            return []
        mine = signature(array)
        near = np.abs(signatures - mine).max(axis=1) <= 1e-5
        found = []
        for index in np.flatnonzero(near):
            each = self.known[array.size][index]
            factor = ratio(array, each.array)
            if factor is not None and (not exactly or abs(factor - 1) <= CLOSE):
                found.append((each, factor))
        return sorted(found, key=lambda pair: (RANK[pair[0].what], abs(abs(pair[1]) - 1) > CLOSE, pair[1] < 0))


RANK = {"whole": 0, "slice": 1, "part": 2, "inner": 3}


def book_of(adjoints: Mapping[Node, Adjoint]) -> Book:
    """All adjoints, their slices, and the sums of some of their parts."""
    known = []
    named = {node for node, adjoint in adjoints.items() if _leaves(node, adjoint)}
    for node, adjoint in adjoints.items():
        if np.asarray(node.value).dtype.kind != "f" or not np.any(adjoint.total):
            continue
        if node not in named:
            known.append(Known(adjoint.total, node, "inner"))
            continue
        known.append(Known(adjoint.total, node, "whole"))
        known += _slices(adjoint.total, node)
        known += _parts(adjoint, node)
    return Book(known)


def _leaves(node: Node, adjoint: Adjoint) -> bool:
    """Whether a value goes from its line to another: it has a name, most likely."""
    return node.op == "leaf" or any(user is None or user.place != node.place for user, _ in adjoint.parts)


def values_of(nodes: Sequence[Node]) -> Book:
    return Book([Known(np.asarray(node.value, dtype=float), node, "whole") for node in nodes if np.size(node.value)])


def matched(book: Book, value: Any, factors: Collection[float] = (1.0, -1.0)) -> Match | None:
    """The adjoint that a value is. A single number is a multiple of every other: it is one only by one of `factors`."""
    found = book.find(value)
    if np.size(value) == 1:
        found = [pair for pair in found if any(abs(pair[1] - each) <= 1e-9 * abs(each) for each in factors)]
    if not found:
        return None
    best, factor = found[0]
    return Match(best.target, factor, best.what, best.missing)


def signature(array: Array) -> tuple[float, float, float]:
    """Three numbers of an array that neither a transpose nor a factor changes."""
    flat = np.ravel(array)
    size = float(np.sqrt(flat @ flat))
    if size == 0 or not np.isfinite(size):
        return (0.0, 0.0, 0.0)
    unit = flat / size
    return (
        abs(float(unit.sum())) / len(flat) ** 0.5,
        float(np.abs(unit).sum()) / len(flat) ** 0.5,
        abs(float((unit**3).sum())),
    )


def ratio(a: Array, b: Array) -> float | None:
    """c of a = c b, whichever way round they stand; None where there is none."""
    for turned in (b, np.transpose(b)):
        same = squeezed(a) == squeezed(turned)
        if not same:
            continue
        flat, other = np.ravel(a), np.ravel(turned)
        norm = float(other @ other)
        if norm == 0:
            continue
        c = float(flat @ other) / norm
        if c and np.linalg.norm(flat - c * other) <= CLOSE * np.linalg.norm(flat):
            return c
    if a.size == b.size and a.shape != b.shape:
        flat, other = np.ravel(a), np.ravel(b)
        c = float(flat @ other) / max(float(other @ other), np.finfo(float).tiny)
        if c and np.linalg.norm(flat - c * other) <= CLOSE * np.linalg.norm(flat):
            return c
    return None


def squeezed(a: Array) -> tuple[int, ...]:
    return tuple(n for n in a.shape if n != 1)


def _slices(total: Array, node: Node) -> list[Known]:
    if total.ndim < 2:
        return []
    found = []
    for axis, n in enumerate(total.shape):
        if 1 < n <= SLICED:
            found += [Known(np.take(total, i, axis), node, "slice") for i in range(n) if np.take(total, i, axis).any()]
    return found


def _parts(adjoint: Adjoint, node: Node) -> list[Known]:
    through = adjoint.parts
    if not 1 < len(through) <= USES:
        return []
    found = []
    for size in range(1, len(through)):
        for chosen in combinations(range(len(through)), size):
            total = sum((through[i][1] for i in chosen), np.zeros_like(adjoint.total))
            if total.any() and ratio(total, adjoint.total) is None:
                lost = tuple(user for i, (user, _) in enumerate(through) if i not in chosen and user is not None)
                found.append(Known(total, node, "part", lost))
    return found
