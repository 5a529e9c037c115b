"""One mistake in a right script, made by machine: an operator, a sign, a factor, a power, a comparison.

A mutation counts where the script still runs, its first cost is the same, and its first step points another way.
"""

import ast
import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from runner.training.script.arrays import places
from runner.training.script.execute import Run, run_scripts
from runner.training.script.instrument import Wanted
from runner.training.script.process import Limits
from runner.training.script.source import Edit, Source
from runner.training.script.understand import Understood


class Mutation(NamedTuple):
    source: Source
    line: int
    kind: str
    before: str
    after: str


def mutations(source: Source) -> Iterator[Mutation]:
    """Every mutation of every assignment, one at a time."""
    for statement in ast.walk(source.tree):
        if not isinstance(statement, (ast.Assign, ast.AugAssign, ast.Return)) or statement.value is None:
            continue
        for node in ast.walk(statement.value):
            for kind, new in _changes(node):
                text = f"({ast.unparse(new)})" if isinstance(new, ast.BinOp | ast.UnaryOp) else ast.unparse(new)
                edited = source.edited([Edit.of(node, text)])
                yield Mutation(edited, statement.lineno, kind, ast.unparse(node), text)
        if isinstance(statement, ast.AugAssign) and isinstance(statement.op, (ast.Add, ast.Sub)):
            text = ast.unparse(statement)
            new = text.replace("+=", "-=") if isinstance(statement.op, ast.Add) else text.replace("-=", "+=")
            yield Mutation(source.edited([Edit.of(statement, new)]), statement.lineno, "update sign", text, new)


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.BinOp):
        swaps: dict[type, Any] = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div}
        if type(node.op) in swaps:
            yield "operator", ast.BinOp(node.left, swaps[type(node.op)](), node.right)
        if isinstance(node.op, (ast.Mult, ast.Div)):
            yield "factor dropped", copy.deepcopy(node.left)
        if isinstance(node.op, ast.Mult):
            yield "factor dropped", copy.deepcopy(node.right)
        if isinstance(node.op, ast.Pow):
            yield "power dropped", copy.deepcopy(node.left)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield "sign dropped", copy.deepcopy(node.operand)
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Gt, ast.LtE)):
        turned = ast.Lt() if isinstance(node.ops[0], ast.Gt) else ast.Gt()
        yield "comparison", ast.Compare(node.left, [turned], node.comparators)
    elif isinstance(node, ast.keyword) and node.arg == "axis" and isinstance(node.value, ast.Constant):
        return
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield "transpose dropped", copy.deepcopy(node.value)


class After:
    """Watches the parameters after `most` iterations of a step, and the first value of the cost."""

    root = ""
    stop: Any

    def __init__(self, loop: str, names: list[str], cost: str) -> None:
        self.loop, self.names, self.cost, self.count = loop, names, cost, 0
        self.found: dict[str, Any] = {}

    def at(self, file: str, line: int) -> None:
        return

    def see(self, key: str, value: Any) -> Any:
        if key == self.cost and "cost" not in self.found and np.size(value) == 1:
            self.found["cost"] = float(np.asarray(value).reshape(-1)[0])
        return value

    def begin(self, key: str) -> None:
        import sys

        if key != self.loop:
            return
        if self.count in (0, 2):
            now = {place.name: value for place, value in reversed(list(places(sys._getframe(1), self.root)))}
            if self.count == 0:  # where biases are zero, a wrong sign before them is not seen
                for number, name in enumerate(self.names):
                    if isinstance(now.get(name), np.ndarray):
                        now[name] += 0.1 * np.random.default_rng(number).normal(size=now[name].shape)
            self.found[str(self.count)] = [np.ravel(now[name]).tolist() for name in self.names if name in now]
        if self.count == 2:
            self.stop()
        self.count += 1

    def leave(self, key: str) -> None:
        return

    def result(self) -> dict[str, Any]:
        return self.found


def effective(understood: Understood, made: list[Mutation], scratch: Path) -> list[Mutation]:
    """Those that run, with the same first cost, and with another direction of the first two steps."""
    loop, names = understood.step.key, [each.name for each in understood.parameters]
    cost = understood.cost.key if understood.cost else ""

    def run(source: Source) -> Run:
        wanted = Wanted(frozenset([loop]), frozenset([cost]), False)
        return Run(source, lambda _: After(loop, names, cost), wanted, limits=Limits(seconds=20))

    outcomes = run_scripts([run(understood.source), *(run(each.source) for each in made)], scratch, 2)
    first = outcomes[0].seen
    found = []
    for mutation, outcome in zip(made, outcomes[1:], strict=True):
        seen = outcome.seen
        if seen.get("cost") != first["cost"] or seen.get("0") != first["0"] or "2" not in seen:
            continue
        a, b = (np.concatenate(each["2"]) - np.concatenate(each["0"]) for each in (first, seen))
        if a.shape == b.shape and np.isfinite(b).all() and b.any():
            cosine = float(a @ b) / float(np.linalg.norm(a) * np.linalg.norm(b))
            if cosine < 1 - 1e-6 and not _other_rate(first, seen):
                found.append(mutation)
    return found


def _other_rate(first: dict[str, Any], seen: dict[str, Any]) -> bool:
    """Whether each array goes the same way, at another rate: no mistake, another number."""
    for before, a, b in zip(first["0"], first["2"], seen["2"], strict=True):
        u, v = np.subtract(a, before), np.subtract(b, before)
        if float(u @ v) < (1 - 1e-4) * float(np.linalg.norm(u) * np.linalg.norm(v)):
            return False
    return True


def some(understood: Understood, count: int, seed: int, scratch: Path) -> list[Mutation]:
    """`count` effective mutations of a script, of different lines where there are as many."""
    made = list(mutations(understood.source))
    random.Random(seed).shuffle(made)
    good = effective(understood, made[:40], scratch)
    kept: list[Mutation] = []
    for each in good:
        if each.line not in {other.line for other in kept}:
            kept.append(each)
    return kept[:count]
