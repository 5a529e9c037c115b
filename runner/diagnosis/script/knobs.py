"""The numbers and calls in a source that decide how it trains, found out by turning each and running the script."""

import ast
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from runner.training.script.arrays import places
from runner.training.script.execute import Run, run_scripts
from runner.training.script.instrument import Wanted
from runner.training.script.process import Limits
from runner.training.script.source import Edit, Source
from runner.training.script.understand import Understood

TURNED = 70  # numbers of a source that are turned, at most
DRAWS = {"randn", "normal", "standard_normal", "rand", "random", "random_sample", "uniform"}
SEEDS = {"seed", "default_rng", "RandomState"}


@dataclass(frozen=True)
class Number:
    """A number in the source, and its value."""

    node: ast.expr
    value: float

    def edit(self, value: float) -> Edit:
        """With another value; a whole number stays one."""
        whole = isinstance(self.value, int) and float(value).is_integer()
        return Edit.of(self.node, repr(int(value)) if whole else f"{value:.6g}")


@dataclass
class Knobs:
    """What can be turned in a script.

    Attributes:
        rate: numbers that the first step is proportional to; scale: numbers that initial weights are proportional to.
        iterations: numbers that bound the loop; width: numbers that set a hidden width.
        draws: calls that draw the initial weights; biases: calls that make initial biases of zeros.
        seeds: numbers that generators are set to.
    """

    rate: list[Number] = field(default_factory=list)
    scale: list[Number] = field(default_factory=list)
    iterations: list[Number] = field(default_factory=list)
    width: list[Number] = field(default_factory=list)
    draws: list[ast.Call] = field(default_factory=list)
    biases: list[ast.Call] = field(default_factory=list)
    seeds: list[Number] = field(default_factory=list)


class Beginning:
    """Watches the parameters before and after the first two steps, and how often the loop ran, up to `most`."""

    root = ""
    stop: Any

    def __init__(self, loop: str, step: str, names: Sequence[str], most: int) -> None:
        self.loop, self.step, self.names, self.most = loop, step, names, most
        self.steps = self.count = 0
        self.found: dict[str, Any] = {}

    def at(self, file: str, line: int) -> None:
        return

    def see(self, key: str, value: Any) -> Any:
        return value

    def begin(self, key: str) -> None:
        import sys

        if key == self.loop:
            self.count += 1
        if key == self.step:
            if self.steps < 2:
                now = {place.name: value for place, value in reversed(list(places(sys._getframe(1), self.root)))}
                self.found[str(self.steps)] = {
                    name: [list(np.shape(now[name])), np.ravel(now[name])[:400].tolist()]
                    for name in self.names
                    if name in now
                }
            self.steps += 1
        if self.steps >= 2 and self.count > self.most:
            self.stop()

    def leave(self, key: str) -> None:
        if key == self.loop:
            self.found["left"] = self.count
            self.stop()

    def result(self) -> dict[str, Any]:
        return {**self.found, "count": self.count}


def knobs(understood: Understood, argv: tuple[str, ...], scratch: Path, at_once: int) -> Knobs:
    """Turn each number of the script by itself, and see what that does to its beginning."""
    source = understood.source
    numbers = _numbers(source.tree)[:TURNED]
    found = Knobs(seeds=_seeds(source.tree))
    seeds = {id(each.node) for each in found.seeds}
    numbers = [each for each in numbers if id(each.node) not in seeds]
    names = [each.name for each in understood.parameters]

    def run(edits: list[Edit], most: int = 1) -> Run:
        wanted = Wanted(frozenset([understood.loop.key, understood.step.key]), frozenset(), False)
        edited = source.edited(edits) if edits else source
        return Run(
            edited, lambda _: Beginning(understood.loop.key, understood.step.key, names, most), wanted, argv,
            limits=Limits(seconds=20),
        )  # fmt: skip

    draws = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call) and _called(node) in DRAWS]
    zeros = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call) and _called(node) == "zeros"]
    turned = [
        *[each.edit(_turn(each.value)) for each in numbers],
        *[Edit.of(node, f"(2 * {ast.unparse(node)})") for node in draws],
    ]
    turned += [Edit.of(node, f"(1 + {ast.unparse(node)})") for node in zeros]
    outcomes = run_scripts([run([]), *(run([edit]) for edit in turned)], scratch, at_once)
    first = outcomes[0].seen
    if "1" not in first:
        return found
    rest = [each.seen for each in outcomes[1:]]
    for number, seen in zip(numbers, rest, strict=False):
        _sort(number, first, seen, found)
    for node, seen in zip(draws, rest[len(numbers) :], strict=False):
        if "0" in seen and _scaled(first["0"], seen["0"]) is not None:
            found.draws.append(node)
    for node, seen in zip(zeros, rest[len(numbers) + len(draws) :], strict=False):
        if "0" in seen and _biases(first["0"], seen["0"]):
            found.biases.append(node)
    if found.iterations:
        bounds = run_scripts([run([each.edit(2)], 5) for each in found.iterations], scratch, at_once)
        found.iterations = [
            each
            for each, outcome in zip(found.iterations, bounds, strict=True)
            if 0 < outcome.seen.get("left", 99) <= 4
        ]
    return found


def _turn(value: float) -> float:
    return value + 1 if isinstance(value, int) else 2 * value


def _sort(number: Number, first: dict[str, Any], seen: dict[str, Any], found: Knobs) -> None:
    """Into the list of what the number does."""
    if "1" not in seen or set(seen["0"]) != set(first["0"]):
        return
    changed = [name for name in first["0"] if seen["0"][name][0] != first["0"][name][0]]
    if changed:
        if _hidden([first["0"][name][0] for name in changed], [seen["0"][name][0] for name in changed]):
            found.width.append(number)
    elif seen["0"] == first["0"]:
        if seen["1"] == first["1"]:
            if isinstance(number.value, int) and number.value >= 5:
                found.iterations.append(number)
        elif _rate(first, seen, _turn(number.value) / number.value if number.value else math.nan):
            found.rate.append(number)
    elif abs((_scaled(first["0"], seen["0"]) or 0.0) * number.value / _turn(number.value) - 1) < 1e-6:
        found.scale.append(number)


def _hidden(before: list[list[int]], after: list[list[int]]) -> bool:
    """A hidden layer's width is both the height of a matrix and the width of another; a bias has it once."""
    axes = {
        axis for a, b in zip(before, after, strict=True) for axis in range(min(len(a), len(b))) if a[axis] != b[axis]
    }
    return len(before) >= 3 and axes == {0, 1}


def _scaled(a: dict[str, Any], b: dict[str, Any]) -> float | None:
    """The factor by which some initial weights are larger; None where none are, or otherwise."""
    found: float | None = None
    for name in a:
        if name not in b or a[name][0] != b[name][0]:
            return None
        u, v = np.array(a[name][1]), np.array(b[name][1])
        if np.array_equal(u, v) or not u.any():
            continue
        factor = float(u @ v) / float(u @ u)
        if not np.allclose(v, factor * u, rtol=1e-9):
            return None
        found = factor
    return found


def _biases(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return any(name in b and not np.any(a[name][1]) and np.all(np.array(b[name][1]) == 1) for name in a)


def _rate(first: dict[str, Any], seen: dict[str, Any], factor: float) -> bool:
    """Whether the first step of every array, or of some, is larger by the factor, and of the others the same."""
    some = False
    states = [state for each in (first, seen) for state in (each["0"], each["1"])]
    if any(state.get(name, [None])[0] != first["0"][name][0] for name in first["0"] for state in states):
        return False  # the step makes another shape of it
    for name in first["0"]:
        u = np.array(first["1"][name][1]) - np.array(first["0"][name][1])
        v = np.array(seen["1"][name][1]) - np.array(seen["0"][name][1])
        if not (np.isfinite(u).all() and np.isfinite(v).all()):
            return False
        if np.allclose(u, v, rtol=1e-6, atol=1e-300):
            continue
        if not np.allclose(v, factor * u, rtol=1e-4, atol=1e-9 * float(np.abs(v).max(initial=0))):
            return False
        some = True
    return some


def _numbers(tree: ast.Module) -> list[Number]:
    """The numbers of a source that may be settings: not those of data, of indices, of powers."""
    found: list[Number] = []
    left_out: set[int] = set()
    for node in ast.walk(tree):
        inside: list[ast.AST] = []
        if (
            (isinstance(node, (ast.List, ast.Tuple)) and len(node.elts) > 8)
            or (
                isinstance(node, (ast.List, ast.Tuple))
                and any(isinstance(each, (ast.List, ast.Tuple)) for each in node.elts)
            )
            or (isinstance(node, ast.keyword) and node.arg in ("axis", "keepdims", "ndmin", "dtype"))
        ):
            inside = list(ast.walk(node))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            inside = [node.right]
        left_out |= {id(each) for each in inside}
    for node in ast.walk(tree):
        number = isinstance(node, ast.Constant) and type(node.value) in (int, float) and id(node) not in left_out
        if number and node.value != 0:  # type: ignore[attr-defined]
            found.append(Number(node, node.value))  # type: ignore[attr-defined, arg-type]
    return sorted(found, key=lambda each: (isinstance(each.value, int) and abs(each.value) == 1, each.node.lineno))


def _seeds(tree: ast.Module) -> list[Number]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in SEEDS and node.args:
            value = node.args[0]
            if isinstance(value, ast.Constant) and type(value.value) is int:
                found.append(Number(value, value.value))
    return found


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def reseeded(source: Source, found: Knobs, edits: list[Edit], seed: int) -> Source:
    """The edited source with its own seeds moved by `seed`."""
    return source.edited([*edits, *(each.edit(each.value + 1000 * seed) for each in found.seeds if seed)])
