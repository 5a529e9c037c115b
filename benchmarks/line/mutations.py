"""Mistakes made by machine in a right backward pass: small changes of its syntax tree, each on one line.

Independent of runner.diagnosis.line.edits, which tries to undo mistakes: what is made here is what people make.
"""

import ast
import copy
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Mutation(NamedTuple):
    """A wrong network: its text, the line of the mistake, what was done."""

    text: str
    line: int
    kind: str


def mutations(text: str, functions: tuple[str, ...], seed: int, most: int) -> Iterator[Mutation]:
    """Up to `most` mistakes in the named functions of a source, each in a copy of its own; `seed` draws which."""
    lines = text.splitlines()
    found: list[Mutation] = []
    tree = ast.parse(text)
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in functions]:
        for statement in ast.walk(function):
            if isinstance(statement, ast.Assign | ast.AugAssign | ast.Return | ast.Expr):
                found += _of(statement, lines)
    order = np.random.default_rng(seed).permutation(len(found))
    seen: set[str] = set()
    for index in order:
        if found[index].text not in seen:
            seen.add(found[index].text)
            yield found[index]
        if len(seen) >= most:
            return


def _of(statement: ast.stmt, lines: list[str]) -> Iterator[Mutation]:
    forward = isinstance(statement, ast.Assign) and "forward" in ast.unparse(statement.value)
    if forward or statement.lineno != statement.end_lineno or "zeros_like" in ast.unparse(statement):
        return
    for kind, new in _changed(statement):
        row = lines[statement.lineno - 1]
        space = row[: len(row) - len(row.lstrip())]
        text = "\n".join([*lines[: statement.lineno - 1], space + ast.unparse(new), *lines[statement.lineno :]])
        yield Mutation(text + "\n", statement.lineno, kind)


def _changed(statement: ast.stmt) -> Iterator[tuple[str, ast.stmt]]:
    nodes = list(ast.walk(statement))
    for index, node in enumerate(nodes):
        for kind, edit in _edits(node):
            new = copy.deepcopy(statement)
            target = list(ast.walk(new))[index]
            if edit(target):
                yield kind, ast.fix_missing_locations(new)
    if isinstance(statement, ast.AugAssign):
        plain = ast.Assign([copy.deepcopy(statement.target)], copy.deepcopy(statement.value), lineno=1)
        yield "= for +=", ast.fix_missing_locations(plain)


def _edits(node: ast.AST) -> Iterator[tuple[str, object]]:  # type: ignore[misc]
    yield from ()
    if isinstance(node, ast.BinOp):
        swaps = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
        if type(node.op) in swaps:
            yield "operator", lambda n: setattr(n, "op", swaps[type(n.op)]()) or True
        if isinstance(node.op, ast.Sub | ast.MatMult):
            yield "order", lambda n: _both(n)
        if isinstance(node.op, ast.Mult | ast.Div | ast.Add | ast.Sub):
            yield "dropped", lambda n: _become(n, n.left)
            if not isinstance(node.op, ast.Div):
                yield "dropped", lambda n: _become(n, n.right)
        if isinstance(node.op, ast.Pow):
            yield "dropped power", lambda n: _become(n, n.left)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", lambda n: _become(n, n.operand)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        yield "number", lambda n: setattr(n, "value", n.value + 1) or True
        if node.value:
            yield "number", lambda n: setattr(n, "value", 2 * n.value) or True
        if node.value in (0, 1):
            yield "axis", lambda n: setattr(n, "value", 1 - n.value) or True
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id[-1:].isdigit():
        for other in "012":
            if other != node.id[-1]:
                yield "name", lambda n, o=other: setattr(n, "id", n.id[:-1] + o) or True
        for letter in ("Z", "A", "H"):
            if node.id[0] in "ZAH" and letter != node.id[0]:
                yield "name", lambda n, o=letter: setattr(n, "id", o + n.id[1:]) or True
    if isinstance(node, ast.Attribute):
        if node.attr == "T":
            yield "transpose", lambda n: _become(n, n.value)
        if node.attr in ("sum", "mean"):
            yield "function", lambda n: setattr(n, "attr", "mean" if n.attr == "sum" else "sum") or True
        if node.attr[-1:].isdigit() and isinstance(node.ctx, ast.Load):
            for other in "012":
                if other != node.attr[-1]:
                    yield "name", lambda n, o=other: setattr(n, "attr", n.attr[:-1] + o) or True
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value[-1:].isdigit():
        for other in "012":
            if other != node.value[-1]:
                yield "key", lambda n, o=other: setattr(n, "value", n.value[:-1] + o) or True
    if isinstance(node, ast.Compare):
        yield (
            "comparison",
            lambda n: setattr(n, "ops", [ast.Lt() if isinstance(n.ops[0], ast.Gt) else ast.Gt()]) or True,
        )
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Name | ast.BinOp)
        and isinstance(node.ctx, ast.Load)
    ):
        yield "index", lambda n: setattr(n, "slice", ast.BinOp(n.slice, ast.Sub(), ast.Constant(1))) or True
    if isinstance(node, ast.Call):
        if node.keywords and node.keywords[0].arg == "axis" and isinstance(node.keywords[0].value, ast.Constant):
            yield "axis", lambda n: setattr(n, "keywords", n.keywords[1:]) or True
        if isinstance(node.func, ast.Name) and len(node.args) == 1 and node.func.id in ("slope", "len"):
            yield "call", lambda n: _become(n, n.args[0])


def _become(node: ast.AST, other: ast.AST) -> bool:
    """The node is what the other one is."""
    kept = copy.deepcopy(other)
    node.__class__ = kept.__class__
    node.__dict__.clear()
    node.__dict__.update(kept.__dict__)
    return True


def _both(node: ast.BinOp) -> bool:
    node.left, node.right = node.right, node.left
    return True
