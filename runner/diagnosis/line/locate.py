"""Where a backward pass goes wrong: the first operation that takes right adjoints and gives none.

    found = locate(tape, cost, {"W1": W1, "b1": b1}, {"W1": dW1, "b1": db1})

The tape holds the cost and the gradients, in one piece of code or in two. Each value of the backward part is looked up
among the true adjoints of all that the cost was made of. Where it goes wrong is proved by putting the right adjoint in
place of what stands there, and computing all that follows again. NumPy only.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from runner.diagnosis.line.adjoints import Adjoint, adjoints, ancestors
from runner.diagnosis.line.match import Match, book_of, matched, values_of
from runner.diagnosis.line.replay import moved, placed_as, replayed, without_small
from runner.diagnosis.line.tape import Node, Tape
from runner.nn.types import Array

RIGHT = 1e-5  # a gradient may be so far off, as a share of its size and the right one's
NEAR = 0.05  # gradients that are off by no more may be those of a cost without its small numbers
FACTORS = (1.0, -1.0)
TRIED = 60  # so many values are moved, to see what depends on them
DOUBTFUL, AFTER = 4.0, 4.2  # a score from which on places are right as far as they go; wherever they take right ones


class ArrayVerdict(NamedTuple):
    """Of one array of parameters: whether its gradient is right, ρ (1 where it is; NaN without slope), what is true."""

    name: str
    right: bool
    rho: float
    error: float
    true: Array


class Suspect(NamedTuple):
    """A place in the backward pass, in the order in which to look: the right adjoint that it `takes`, what it `gives`
    among the adjoints, and a `score`, 0 where it is likeliest to go wrong.
    """

    node: Node
    takes: Match | None
    gives: Match | None
    why: str
    score: float
    source: Node | None = None  # the value that is this right adjoint


class Proof(NamedTuple):
    """With `factor` times the adjoint of `target` in place of the value of `node`, every gradient is right."""

    node: Node
    target: Node
    factor: float


class Located(NamedTuple):
    """The verdict on a backward pass: by array, the places to look at, the first first, and what was proved of one."""

    ok: bool
    arrays: tuple[ArrayVerdict, ...]
    suspects: tuple[Suspect, ...]
    proof: Proof | None
    adjoints: Mapping[Node, Adjoint]
    lost: str | None


def locate(
    tape: Tape, cost: Any, parameters: Mapping[str, Any], gradients: Mapping[str, Any], factor: float = 1.0
) -> Located:
    """Compare `gradients` with the slopes of `cost`, and find where in the tape they go wrong.

    `cost` is a followed scalar or its node; `parameters` are watched arrays or their leaves; `gradients` are followed
    arrays, their nodes, or plain values (then there is a verdict, and no place). They should be `factor` times the
    slope: -1 where the program adds them, -lr where they are what it adds.
    """
    found = compare(tape, cost, parameters, gradients, factor)
    wrong = [each for each in found.arrays if not each.right]
    if not wrong:
        return found
    nodes = {name: node for name, each in gradients.items() if (node := _node(tape, each)) is not None}
    if any(each.name not in nodes for each in wrong):
        why = lost(tape) or "the gradients are not computed by NumPy from what the cost is computed from"
        return found._replace(lost=why)
    search = Search(_top(tape, cost), found.adjoints, nodes, {each.name: each for each in found.arrays})
    suspects = search.suspects()
    return found._replace(suspects=tuple(suspects), proof=search.proof(suspects))


def compare(
    tape: Tape, cost: Any, parameters: Mapping[str, Any], gradients: Mapping[str, Any], factor: float = 1.0
) -> Located:
    """The verdict by array alone, as `locate` begins with. The gradient of a cost without the small numbers that keep
    its logarithms and divisions finite is right, too.
    """
    top = _node(tape, cost)
    if top is None:
        why = lost(tape) or "the cost is not computed from the parameters by NumPy"
        return Located(False, (), (), None, {}, why)
    leaves = {name: _node(tape, each) for name, each in parameters.items()}
    found = adjoints(top)
    verdicts = _verdicts(tape, found, leaves, gradients, factor)
    near = [each for each in verdicts if not each.right and each.error <= NEAR]
    for others in without_small(top) if near else ():
        again = {each.name: each for each in _verdicts(tape, others, leaves, gradients, factor)}
        verdicts = [again[each.name] if not each.right and again[each.name].right else each for each in verdicts]
    return Located(all(each.right for each in verdicts), tuple(verdicts), (), None, found, None)


def _verdicts(
    tape: Tape,
    found: Mapping[Node, Adjoint],
    leaves: Mapping[str, Node | None],
    gradients: Mapping[str, Any],
    factor: float,
) -> list[ArrayVerdict]:
    verdicts = []
    for name, leaf in leaves.items():
        if leaf is None or name not in gradients:
            continue
        true = factor * found[leaf].total if leaf in found else np.zeros(np.shape(leaf.value))
        node = _node(tape, gradients[name])
        verdicts.append(verdict(name, node.value if node is not None else gradients[name], true))
    return verdicts


def _top(tape: Tape, cost: Any) -> Node:
    top = _node(tape, cost)
    assert top is not None
    return top


def lost(tape: Tape) -> str | None:
    """Where values went where they cannot be followed, in words."""
    for (file, line), what in tape.lost.items():
        return f"{what} in line {line} of {file.rpartition('/')[2]} cannot be followed"
    return None


def verdict(name: str, given: Any, true: Array) -> ArrayVerdict:
    """Whether `given` is the slope `true`."""
    g = np.asarray(given, dtype=float)
    if g.shape != true.shape:
        same = g.size == true.size
        g = g.reshape(true.shape) if same else np.full(true.shape, np.nan)
    off, size = float(np.linalg.norm(g - true)), float(np.linalg.norm(g) + np.linalg.norm(true))
    error = off / size if size != 0 else 0.0
    square = float((g * g).sum())
    rho = float((g * true).sum()) / square if square != 0 else float("nan") if not true.any() else 0.0
    tiny = size <= 1e-12
    return ArrayVerdict(name, bool(error <= RIGHT or tiny), 1.0 if error <= 1e-9 and square > 0 else rho, error, true)


class Search:
    """The search of one backward pass: what each of its values is, and what depends on it."""

    def __init__(
        self,
        cost: Node,
        found: Mapping[Node, Adjoint],
        gradients: Mapping[str, Node],
        verdicts: Mapping[str, ArrayVerdict],
    ):
        self.verdicts, self.gradients, self.adjoints = verdicts, gradients, found
        forward = set(ancestors(cost))
        of: dict[Node, None] = {}
        for node in gradients.values():
            of |= dict.fromkeys(ancestors(node))
        self.nodes = sorted((node for node in of if node not in forward and node.inputs), key=lambda each: each.index)
        self.inside = set(self.nodes)
        self.results = set(gradients.values())
        values, book = values_of([node for node in forward if np.size(node.value) > 1]), book_of(found)
        self.is_value: dict[Node, Node] = {}
        self.match: dict[Node, Match] = {}
        for node in self.nodes:
            value = np.asarray(node.value)
            if value.dtype.kind != "f":
                continue
            known = values.find(value, exactly=True) if value.size > 1 else []
            if known:
                self.is_value[node] = known[0][0].target
                continue
            match = matched(book, value)
            if match is not None:
                self.match[node] = match
        factors = {match.factor for match in self.match.values()}
        for node in self.nodes:  # a single number is a multiple of everything: only factors seen elsewhere count
            if np.size(node.value) == 1 and node not in self.match and np.asarray(node.value).dtype.kind == "f":
                match = matched(book, node.value, factors)
                if match is not None:
                    self.match[node] = match
        self._inner()
        self._reach()

    def _inner(self) -> None:
        """An inner value is one where the factor stays what it was: others look like one by chance."""
        self.steady: set[Node] = set()
        carried: dict[Node, set[float]] = {}
        for node in self.nodes:
            mine: set[float] = set()
            for parent in node.parents():
                if self.whole_in(parent):
                    mine.add(self.match[parent].factor)
                else:
                    mine |= carried.get(parent, set())
            carried[node] = mine
            match = self.match.get(node)
            inner = match is not None and match.what == "inner"
            if match is not None and inner and any(abs(match.factor / each - 1) <= 1e-6 for each in mine):
                self.steady.add(node)

    def _reach(self) -> None:
        """For each value: the gradients that depend on it, and whether a right adjoint is made later."""
        self.children: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for parent in node.parents():
                if parent in self.inside:
                    self.children[parent].append(node)
        self.of: dict[Node, set[str]] = {node: set() for node in self.nodes}
        for name, node in self.gradients.items():
            if node in self.of:
                self.of[node].add(name)
        self.later: dict[Node, bool] = {}
        for node in reversed(self.nodes):
            for child in self.children[node]:
                self.of[node] |= self.of[child]
            self.later[node] = any(self.whole(child) or self.later[child] for child in self.children[node])
        self._sensitive()

    def _sensitive(self) -> None:
        """A right adjoint made later says something of a value only if it changes with it."""
        rng = np.random.default_rng(3)
        doubtful = [
            node
            for node in self.nodes
            if self.later[node] and not self.whole(node) and node not in self.is_value and self._leaves(node)
        ]
        for node in doubtful[:TRIED]:
            value = np.asarray(node.value, dtype=float)
            other = value + rng.normal(size=value.shape) * (1 + np.abs(value))
            new = replayed(self.nodes, {node: other}, self.nodes)
            if new is None:
                continue
            changed = {each for each in self.nodes if each is not node and moved(new[each], each.value)}
            self.later[node] = any(self.whole(each) for each in changed)
            self.of[node] = {name for name in self.of[node] if self.gradients[name] in changed}

    def whole(self, node: Node) -> bool:
        match = self.match.get(node)
        return match is not None and (match.what in ("whole", "slice") or node in self.steady)

    def right(self, node: Node) -> bool:
        """A right gradient depends on it."""
        return any(self.verdicts[name].right for name in self.of[node])

    def suspects(self) -> list[Suspect]:
        """The places to look at, the likeliest first: one a line, of what leaves it."""
        wrong = {name for name, each in self.verdicts.items() if not each.right}
        scored = []
        clean: dict[tuple[str, int], list[bool]] = {}  # of what takes only right ones: whether it gives right ones
        for node in self.nodes:
            if not node.line or node in self.is_value or not self.of[node] & wrong or not self._leaves(node):
                continue
            entering = self._entering(node)
            right_ones = [each for each in entering if self.whole(each)]
            source = right_ones[0] if right_ones else None
            takes, gives = self.match[source] if source is not None else None, self.match.get(node)
            tainted = any(self._tainted(each) for each in entering)
            score, why = self._score(node, takes, gives, wrong, tainted)
            if takes is not None and not tainted:
                goes_on = gives is not None and gives.target is not takes.target
                clean.setdefault(node.place, []).append(self.whole(node) and goes_on)
            scored.append(Suspect(node, takes, gives, why, score, source))
        scored.sort(key=lambda each: (each.score, each.node.index))
        first: dict[tuple[str, int], Suspect] = {}
        for suspect in scored:
            first.setdefault(suspect.node.place, suspect)
        right = {place for place, gave in clean.items() if all(gave)}  # a line of a loop, where it can be judged
        return [
            each._replace(score=AFTER) if each.why == "after" and place in right else each
            for place, each in first.items()
        ]

    def _leaves(self, node: Node) -> bool:
        """Another line takes it, or it is a gradient: what comes in between within a line is nobody's name."""
        children = self.children[node]
        return not children or node in self.results or any(child.place != node.place for child in children)

    def _entering(self, node: Node) -> list[Node]:
        """What a line takes from others, to make a value."""
        found: dict[Node, None] = {}
        left = [node]
        while left:
            for parent in left.pop().parents():
                if parent not in self.inside or parent in self.is_value:
                    continue
                if parent.place == node.place:
                    left.append(parent)
                else:
                    found[parent] = None
        return list(found)

    def whole_in(self, node: Node) -> bool:
        return node in self.inside and self.whole(node)

    def _score(
        self, node: Node, takes: Match | None, gives: Match | None, wrong: set[str], tainted: bool
    ) -> tuple[float, str]:
        """How likely it goes wrong here: 0 the most, above DOUBTFUL not at all."""
        vindicated = self.right(node)
        if gives is None or not self.whole(node):
            if self.later[node]:
                return 5.0, "on the way"
            if tainted:
                return 4.0 + vindicated, "after"
            summed = gives is not None and gives.target.op == "leaf"  # a gradient that is being summed up
            likely = 2.5 if summed else 0.8 if gives is not None else 0.0 if takes is not None else 1.0
            if not np.any(node.value):
                likely = 1.1 if takes is not None else 2.6  # nothing, which may be where a sum begins
            return likely + 2 * vindicated, "no adjoint"
        if vindicated:
            return 6.0, "right"
        factors = [self._off(name) for name in self.of[node] & wrong]
        known = [factor for factor in factors if factor is not None]
        change = gives.factor / (takes.factor if takes is not None else 1.0)
        if known and len(known) == len(factors) and any(abs(change / factor - 1) <= 1e-6 for factor in known):
            return 0.5, "factor"
        if takes is None:
            return (1.5 if len(known) == len(factors) else 3.0), "factor"
        if abs(change - 1) > 1e-6:
            return 1.5, "factor"
        return (2.5, "factor not taken back") if node in self.results else (4.5, "right up to here")

    def _tainted(self, node: Node) -> bool:
        return (
            node in self.inside
            and bool(np.any(node.value))
            and node not in self.is_value
            and not self.whole(node)
            and not (node in self.match and self.match[node].what == "part")
            and not self.later[node]
            and self._mixed(node)
        )

    def _mixed(self, node: Node) -> bool:
        """Whether an adjoint went into a value."""
        return any(self.whole_in(parent) or self._tainted(parent) for parent in node.parents())

    def _off(self, name: str) -> float | None:
        """The factor by which a wrong gradient is off, where it is off by one."""
        match = self.match.get(self.gradients[name])
        node = self.gradients[name]
        true = self.verdicts[name].true
        if match is None or not true.any():
            return None
        g = np.asarray(node.value, dtype=float).reshape(true.shape)
        c = float((g * true).sum() / (true * true).sum())
        return c if np.linalg.norm(g - c * true) <= 1e-6 * np.linalg.norm(g) else None

    def proof(self, suspects: Sequence[Suspect]) -> Proof | None:
        """The first place where a right adjoint makes every gradient right."""
        wanted = {self.gradients[name]: each.true for name, each in self.verdicts.items() if name in self.gradients}
        tried = 0
        likely = [each for each in suspects if each.score < DOUBTFUL][:4]
        taken = {each.takes.target for each in likely if each.takes is not None}
        joins = [each for each in suspects if each.why == "after" and each.takes and each.takes.target in taken]
        for suspect in [*likely, *joins[:2]]:  # sums of parts that are no adjoints, as of a normalisation
            node = suspect.node
            factors = dict.fromkeys(
                [
                    *([suspect.takes.factor] if suspect.takes else []),
                    *FACTORS,
                    *([suspect.gives.factor] if suspect.gives else []),
                ]
            )
            for target, adjoint in self.adjoints.items():
                placed = placed_as(adjoint.total, np.shape(node.value))
                if placed is None:
                    continue
                for factor in factors:
                    tried += 1
                    if tried > 400:
                        return None
                    values = replayed(self.nodes, {node: factor * placed}, wanted)
                    if values is not None and all(_same(values[each], true) for each, true in wanted.items()):
                        return Proof(node, target, factor)
        return None


def _same(given: Any, true: Array) -> bool:
    g = np.asarray(given, dtype=float)
    return g.size == true.size and bool(
        np.linalg.norm(g.reshape(true.shape) - true) <= RIGHT * (np.linalg.norm(g) + np.linalg.norm(true)) + 1e-300
    )


def _node(tape: Tape, what: Any) -> Node | None:
    return what if isinstance(what, Node) else tape.node_of(what)
