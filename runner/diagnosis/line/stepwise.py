"""Several mistakes, one behind the other: each line is changed until what it gives is a right adjoint, then the next.

It counts only where in the end every gradient is right: then each change was needed, and all were run. NumPy only.
"""

from collections.abc import Callable

import numpy as np

from runner.diagnosis.line.clock import now
from runner.diagnosis.line.locate import DOUBTFUL, Located, locate
from runner.diagnosis.line.match import Book, book_of, matched
from runner.diagnosis.line.protocol import Point, Run, traced
from runner.diagnosis.line.repair import Place, Repair, Source, live
from runner.diagnosis.line.tape import Node
from runner.training.own.network import OwnNetwork

MOST = 4  # mistakes in one backward pass
LINES = 3  # so many lines are tried for each


def stepwise(fresh: Callable[[], OwnNetwork], at: Point, found: Located, until: float, sign: float) -> list[Repair]:
    """The changes with which all gradients are right, in the order in which they were made; none if there are none."""
    base, changed = fresh(), list[Repair]()
    sources: dict[str, Source] = {}
    book = book_of(found.adjoints)
    for _ in range(MOST):
        if found.ok:
            return changed
        mended = _next(base, at, found, book, sources, until, sign)
        if mended is None:
            return []
        changed.append(mended)
        sources[mended.file] = Source(mended.file, sources[mended.file].with_line(mended))
        sources[mended.file].put(live(sources))
        run = traced(lambda: base, at)
        found = locate(run.tape, run.cost, run.parameters, run.gradients, sign)
    return changed if found.ok else []


def _next(
    base: OwnNetwork,
    at: Point,
    found: Located,
    book: Book,
    sources: dict[str, Source],
    until: float,
    sign: float,
) -> Repair | None:
    run = traced(lambda: base, at)
    likely = [each.node.place for each in found.suspects if each.score < DOUBTFUL]
    likely = [place for place in likely if not _gives(run, place, book, sign)][:LINES]
    for file, _ in likely:
        sources.setdefault(file, Source(file))
    for level in (1, 2, 3):
        for place in likely:

            def right(place: Place = place) -> bool:
                with np.errstate(all="ignore"):
                    return _gives(traced(lambda: base, at), place, book, sign)

            mended = sources[place[0]].mended(place[1], level, live(sources), right, until)
            if mended is not None or now() > until:
                return mended
    return None


def _gives(run: Run, place: Place, book: Book, sign: float) -> bool:
    """Whether all that leaves a line is a right adjoint, by a positive factor, and not the one that it took."""
    users: dict[Node, list[Node]] = {}
    for node in run.tape.nodes:
        for parent in node.parents():
            users.setdefault(parent, []).append(node)
    leaving = [
        node
        for node in run.tape.nodes
        if node.place == place and node.op != "write" and any(each.place != place for each in users.get(node, ()))
    ]
    taken = {parent for node in run.tape.nodes if node.place == place for parent in node.parents()}
    before = {match.target for node in taken if node.place != place and (match := matched(book, node.value))}
    matches = [matched(book, node.value) for node in leaving]
    return bool(matches) and all(
        each is not None and each.what == "whole" and sign * each.factor > 0 and each.target not in before
        for each in matches
    )
