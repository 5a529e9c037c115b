"""One iteration of a script, traced: is what it subtracts the slope of its cost, and if not, where does it go wrong?"""

import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from runner.diagnosis.line.adjoints import adjoints, ancestors
from runner.diagnosis.line.locate import Located, locate, verdict
from runner.diagnosis.line.tape import Node, Tape
from runner.diagnosis.line.trace import Traced, TracedMatrix, recording
from runner.diagnosis.script.losses import COSTS
from runner.diagnosis.script.steps import Step, step_of
from runner.training.script.arrays import Place, is_number, modules, places, reachable
from runner.training.script.losses import Match

USUAL = (1.0, 2.0, 0.5)


class Where(NamedTuple):
    """What is to be watched: iteration `iteration` of the loop `step`.

    Attributes:
        parameters, states: names of what is trained, and of what is carried along.
        costs: sites that have the cost's value; others: of numbers that may be the cost as well.
        match: which loss the cost is, of which output and labels.
        spread: how far the parameters are moved before, as a share of a usual initial scale.
        whole: arrays of whole numbers are followed, too.
        rows: (n, every): of arrays of n rows, every so-manieth only, where a step goes through them one by one.
        quick: whether it is right is enough.
    """

    step: str
    iteration: int
    parameters: tuple[str, ...]
    states: tuple[str, ...]
    costs: tuple[str, ...]
    others: tuple[str, ...]
    match: Match | None
    spread: float
    whole: bool = True
    rows: tuple[int, int] = (0, 0)
    quick: bool = False


class LineWatch:
    """Watches one iteration on a tape, then says what was found and ends the process."""

    root: str = ""
    stop: Callable[[], None]

    def __init__(self, where: Where) -> None:
        self.where = where
        self.count = 0
        self.tape: Tape | None = None
        self.values: dict[str, list[Any]] = {}
        self.before: dict[str, Any] = {}
        self.leaves: dict[str, Node] = {}
        self.states: dict[str, Node] = {}
        self.found: dict[str, Any] = {}
        self.own: Node | None = None  # a cost that was computed after the update, of what is at hand by now

    def at(self, file: str, line: int) -> None:
        return

    def see(self, key: str, value: Any) -> Any:
        if self.tape is not None:
            kept = self.values.setdefault(key, [])
            if len(kept) < 3000:
                kept.append(value)
        else:
            self.before[key] = value
        return value

    def begin(self, key: str) -> None:
        if key != self.where.step:
            return
        if self.tape is not None:
            self._end(sys._getframe(1))
        if self.count == self.where.iteration:
            self._start(sys._getframe(1))
        self.count += 1

    def leave(self, key: str) -> None:
        if key == self.where.step and self.tape is not None:
            self._end(sys._getframe(1), last=True)

    def _start(self, frame: Any) -> None:
        spaces = modules(self.root)
        self.context = recording(spaces)
        tape = self.context.__enter__()
        rng = np.random.default_rng(3)
        known: dict[int, Any] = {}
        _follow_vectorized(spaces)
        for place, value in list(reachable(frame, self.root, again=True)):
            if self.where.rows[0] and np.shape(value)[:1] == (self.where.rows[0],):
                fewer = value[:: self.where.rows[1]].copy()
                known[id(value)] = value = known.get(id(value), fewer.view(_class_of(fewer)))
                _put(place, value)
            elif id(value) in known and isinstance(value, np.ndarray):
                _put(place, known[id(value)])
            elif place.name in self.where.parameters and place.name not in self.leaves:
                value = self._moved(place, value, rng)
                known[id(value)] = traced = tape.watch(value, place.name)
                self.leaves[place.name] = _node(tape, traced)
                _put(place, traced)
            elif place.name in self.where.states and place.name not in self.states and not is_number(value):
                known[id(value)] = traced = tape.watch(value, place.name)
                self.states[place.name] = _node(tape, traced)
                _put(place, traced)
            elif isinstance(value, np.ndarray) and (value.dtype.kind == "f" or (self.where.whole and value.ndim > 1)):
                known[id(value)] = traced = value.view(TracedMatrix if isinstance(value, np.matrix) else Traced)
                _put(place, traced)
        self.tape = tape

    def _moved(self, place: Place, value: Any, rng: np.random.Generator) -> Any:
        """A parameter somewhere else: at zeros and tiny weights much is equal that should not be."""
        if is_number(value):
            return np.asarray(float(value) + self.where.spread * 0.1 * rng.normal())
        if self.where.spread:
            wide = max(value.shape) if value.ndim > 1 else 4.0
            value += (self.where.spread * rng.normal(size=value.shape) * 0.7 / np.sqrt(wide)).astype(value.dtype)
        return value

    def _end(self, frame: Any, last: bool = False) -> None:
        tape = self.tape
        assert tape is not None
        now = {place.name: value for place, value in reversed(list(places(frame, self.root)))}
        ends = {name: end for name in self.leaves if name in now and (end := tape.node_of(now[name])) is not None}
        if self.own is None and not last and self._after_the_update(tape, ends):
            self.leaves, self.values = ends, {}
            states = {name: tape.node_of(now[name]) for name in self.states if name in now}
            self.states = {name: node for name, node in states.items() if node is not None}
            return
        self.tape = None
        with np.errstate(all="ignore"):
            try:
                moved = {name: end for name, end in ends.items() if end is not self.leaves[name]}
                steps = {name: step_of(self.leaves[name], end, self.states) for name, end in moved.items()}
                verdicts = Verdicts(self, tape, steps, now)
                costs = verdicts.costs()
                self.context.__exit__(None, None, None)  # what follows is not to be followed
                self.found = verdicts.told(costs)
            except Exception:  # a tape that cannot be judged is no verdict on the script
                self.found = {"problem": traceback.format_exc()}
        self.stop()

    def _after_the_update(self, tape: Tape, ends: Mapping[str, Node]) -> bool:
        """Whether the cost is of the parameters as they are after the step: then the next step is its own."""
        for key in self.where.costs:
            for value in self.values.get(key, [])[-1:]:
                node = tape.node_of(value) if isinstance(value, np.ndarray) else None
                if node is not None and set(ancestors(node)) & set(ends.values()):
                    self.own = node
                    return True
        return False

    def result(self) -> dict[str, Any]:
        return self.found


class Verdicts:
    """What the tape of one iteration says."""

    def __init__(self, watch: LineWatch, tape: Tape, steps: Mapping[str, Step], now: Mapping[str, Any]) -> None:
        self.watch, self.tape, self.steps, self.now = watch, tape, steps, now
        self.gradients = {
            name: self._unscaled(step.gradient, step.scale) for name, step in steps.items() if step.gradient is not None
        }

    def _unscaled(self, node: Node, scale: float) -> Node:
        """Without the learning rate that is in its value: a node of our own."""
        if scale in (0.0, 1.0):
            return node
        made = Node("multiply", (node, 1 / scale), np.asarray(node.value) / scale, lambda a, b: a * b)
        made.index = len(self.tape.nodes)
        self.tape.nodes.append(made)
        return made

    def told(self, costs: list[tuple[str, Node]]) -> dict[str, Any]:
        base: dict[str, Any] = {
            "followed": sorted(self.gradients),
            "not_followed": sorted(set(self.watch.leaves) - set(self.gradients)),
            "lost": [
                [os.path.relpath(file, self.watch.root), line, what] for (file, line), what in self.tape.lost.items()
            ],
            "rates": {
                name: -step.factor for name, step in self.steps.items() if step.plain and step.gradient is not None
            },
        }
        if not self.gradients:
            return base
        tried = []
        for label, cost in costs:
            value = float(np.asarray(cost.value).reshape(-1)[0])
            if not np.isfinite(value):
                continue
            found = self.located(cost)
            tried.append((label, cost, found))
            if found.ok:
                break
        if not tried:
            return base
        right = [each for each in tried if each[2].ok]
        own = [each for each in tried if each[0] in ("own", "another")] or tried
        label, cost, found = right[0] if right else min(own, key=lambda each: each[2].wrong)
        return {**base, "cost": label, "value": float(np.asarray(cost.value).reshape(-1)[0]), **self.described(found)}

    def costs(self) -> list[tuple[str, Node]]:
        """The script's own cost first; then the losses that the same outputs and labels may be meant for."""
        if self.watch.own is not None:
            return [("own", self.watch.own)]
        found: list[tuple[str, Node]] = []
        for label, keys in (("own", self.watch.where.costs), ("another", self.watch.where.others)):
            for key in keys:
                for value in self.watch.values.get(key, [])[-1:]:
                    node = self.tape.node_of(value) if isinstance(value, np.ndarray) else None
                    if node is not None and np.size(node.value) == 1 and all(node is not each for _, each in found):
                        found.append((label, node))
                if found and label == "own":
                    break
        match = self.watch.where.match
        if match is not None:
            output, labels = self._at(match.output), self._at(match.labels)
            if output is not None and labels is not None:
                for label, loss in COSTS.items():
                    made = loss(output, labels)
                    node = self.tape.node_of(made) if isinstance(made, np.ndarray) else None
                    if node is not None:
                        found.append((label, node))
        return found

    def _at(self, key: str) -> Any:
        """What stood at a site in this iteration, or before it."""
        if key.startswith("place|"):
            return self.now.get(key.removeprefix("place|"))
        parts = key.split("|")
        site, rest = "|".join(parts[:5]), parts[5:]
        kept = self.watch.values.get(site) or ([self.watch.before[site]] if site in self.watch.before else [])
        if not kept:
            return None
        value = np.array(kept[-1]) if isinstance(kept[-1], list) else kept[-1]
        if rest and rest[0].isdigit() and isinstance(value, (tuple, list)):
            return value[int(rest[0])] if int(rest[0]) < len(value) else None
        return value

    def located(self, cost: Node) -> "Found":
        """Against this cost, up to a factor that all gradients share: a mean or a sum, a half, the step's sign."""
        first = self._compared(cost, 1.0)
        true = {each.name: np.asarray(each.true, dtype=float) for each in first.arrays}
        turned = {name: -float(np.sign(self.steps[name].factor or -1.0)) for name in self.gradients}
        factors = {name: _ratio(self.gradients[name].value, true[name]) for name in true}
        moves = {name: -(factor or 0) * self.steps[name].factor for name, factor in factors.items()}
        flat = [name for name in true if not true[name].any() and not np.any(self.gradients[name].value)]
        known = {name: factor for name, factor in factors.items() if factor is not None}
        uphill = [name for name, factor in known.items() if factor * turned[name] < 0]
        wanted = self._wanted(known, turned)
        if len(known) + len(flat) == len(true) and known and not uphill:
            rates = [moves[name] for name in known] if all(self.steps[name].plain for name in known) else [1.0, 2.0]
            if (_common(list(known.values())) and self._usual(abs(next(iter(known.values()))))) or (
                _common(rates) and all(rates) and any(self._usual(abs(factor)) for factor in known.values())
            ):
                return Found(True, first, wanted or 1.0, known, [])
        if wanted not in (1.0, None):
            first = self._compared(cost, wanted)
        right = {each.name for each in first.arrays if each.right}
        signs = [name for name in uphill if name in right]
        return Found(first.ok and not signs, first, wanted or 1.0, known, signs)

    def _compared(self, cost: Node, factor: float | None) -> Located:
        """Gradients against slopes; of a change that is tried only whether they are right, not where they go wrong."""
        parameters = {name: self.watch.leaves[name] for name in self.gradients}
        if not self.watch.where.quick:
            return locate(self.tape, cost, parameters, self.gradients, factor or 1.0)
        slopes = adjoints(cost)
        arrays = []
        for name, leaf in parameters.items():
            true = slopes[leaf].total if leaf in slopes else np.zeros(np.shape(leaf.value))
            arrays.append(verdict(name, self.gradients[name].value, (factor or 1.0) * np.asarray(true)))
        return Located(all(each.right for each in arrays), tuple(arrays), (), None, {}, None)

    def _wanted(self, known: Mapping[str, float], turned: Mapping[str, float]) -> float | None:
        """The factor that most gradients have, where it is one that people mean, and their steps go down."""
        counts: dict[float, int] = {}
        for factor in known.values():
            near = next((each for each in counts if abs(factor / each - 1) < 1e-6), factor)
            counts[near] = counts.get(near, 0) + 1
        for factor in sorted(counts, key=lambda each: -counts[each]):
            down = [turned[name] for name, each in known.items() if abs(each / factor - 1) < 1e-6]
            if self._usual(abs(factor)) and all(each * factor > 0 for each in down):
                return factor
        if turned and all(each < 0 for each in turned.values()):
            return -1.0
        return None

    def _usual(self, factor: float) -> bool:
        """A half, two, the number of rows, of numbers, or one through it."""
        if self.watch.where.rows[0]:  # a number of rows that was counted before is another's
            return True
        sizes = {1.0}
        for kept in self.watch.values.values():
            if kept and isinstance(kept[-1], np.ndarray):
                sizes |= {float(kept[-1].size), *map(float, kept[-1].shape)}
            elif kept and isinstance(kept[-1], (list, tuple)):
                sizes.add(float(len(kept[-1])))
        sizes |= {1 / size for size in sizes if size}
        return any(abs(factor / (more * size) - 1) < 1e-6 for size in sizes for more in USUAL if size)

    @property
    def constant(self) -> bool:
        """Whether some array is moved by numbers that have nothing to do with the cost."""
        return any(step.constant for step in self.steps.values())

    def described(self, found: "Found") -> dict[str, Any]:
        located = found.located
        return {
            "ok": found.ok and not self.constant,
            "constant": {name: self._place(step.update) for name, step in self.steps.items() if step.constant},
            "factor": found.factor,
            "arrays": [
                {"name": each.name, "right": each.right and each.name not in found.signs, "rho": _finite(each.rho)}
                for each in located.arrays
            ],
            "signs_wrong": found.signs,
            "sign_lines": {name: self._place(self.steps[name].update) for name in found.signs},
            "suspects": [
                {**self._place(each.node), "why": each.why}
                for each in located.suspects[:6]
            ],
            "proof": None if located.proof is None else {
                **self._place(located.proof.node), "target": self._place(located.proof.target),
                "target_op": located.proof.target.op, "factor": located.proof.factor,
            },
            "why_not": located.lost,
        }  # fmt: skip

    def _place(self, node: Node) -> dict[str, Any]:
        file = os.path.relpath(node.file, self.watch.root) if node.file else ""
        return {"file": file, "line": node.line, "function": node.function, "op": node.op, "name": node.name}


def _ratio(given: Any, true: np.ndarray) -> float | None:
    """c of given = c true."""
    g, t = np.asarray(given, dtype=float).reshape(-1), true.reshape(-1)
    square = float(t @ t)
    if square == 0 or g.size != t.size:
        return None
    c = float(g @ t) / square
    return c if c and np.linalg.norm(g - c * t) <= 1e-5 * np.linalg.norm(g) else None


def _common(numbers: list[float]) -> bool:
    return all(abs(each / numbers[0] - 1) < 1e-6 for each in numbers) if numbers and numbers[0] else False


class Found(NamedTuple):
    """A verdict against one cost, up to the common `factor`; `signs`: arrays that are updated uphill."""

    ok: bool
    located: Located
    factor: float
    factors: dict[str, float]
    signs: list[str]

    @property
    def wrong(self) -> int:
        """How many arrays' gradients are."""
        return sum(1 for each in self.located.arrays if not each.right)


def _follow_vectorized(spaces: Any) -> None:
    """What np.vectorize made before the tape began is followed as what it makes while it runs."""
    for space in spaces:
        for value in list(space.values()):
            if type(value).__name__ == "vectorize" and type(value).__module__.startswith("numpy"):
                value.__class__ = np.vectorize


def _class_of(value: np.ndarray) -> type:
    return TracedMatrix if isinstance(value, np.matrix) else Traced if value.dtype.kind == "f" else np.ndarray


def _node(tape: Tape, traced: Any) -> Node:
    node = tape.node_of(traced)
    assert node is not None
    return node


def _put(place: Place, value: Any) -> None:
    try:
        place.set(value)
    except TypeError:  # in a tuple
        return


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
