"""Small changes of a statement: what people get wrong, turned round. Standard library only."""

import ast
from collections.abc import Iterator
from typing import Any

SWAPS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
}
TURNED: dict[type, type] = {ast.Gt: ast.Lt, ast.Lt: ast.Gt, ast.GtE: ast.LtE, ast.LtE: ast.GtE}


def rewrites(statement: ast.stmt, names: list[str], level: int) -> Iterator[tuple[str, ast.expr, str]]:
    """Changes of one level: (kind, the expression that is replaced, the text in its place).

    Level 1: an operator, a sign, a comparison, a product that was an element's. Level 2: a factor or term taken away, a
    square, a transpose, 1 - x for x, an axis. Level 3: another name, a derivative or a missing factor added.
    """
    value = getattr(statement, "value", None)
    if value is None:
        return
    for node in ast.walk(value):
        if isinstance(node, ast.expr) and not isinstance(getattr(node, "ctx", None), ast.Store):
            yield from {1: _first, 2: _second, 3: _third}[level](node, names)
    if level == 1 and isinstance(statement, ast.AugAssign) and isinstance(statement.op, (ast.Add, ast.Sub)):
        yield "sign", value, f"-({ast.unparse(value)})"
    if level == 3:
        whole = ast.unparse(value)
        for name in names:
            for text in (f"(1 - {name}**2)", f"{name} * (1 - {name})", f"({name} > 0)", f"(1 - {name})", name):
                yield "factor", value, f"({whole}) * {text}"
        for text in ("2", "0.5"):
            yield "factor", value, f"({whole}) * {text}"


def _text(node: ast.AST) -> str:
    text = ast.unparse(node)
    return f"({text})" if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Compare)) else text


def _first(node: ast.expr, names: list[str]) -> Iterator[tuple[str, ast.expr, str]]:
    if isinstance(node, ast.BinOp):
        for kind in SWAPS.get(type(node.op), ()):
            yield "operator", node, _text(ast.BinOp(node.left, kind(), node.right))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", node, _text(node.operand)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in TURNED:
        yield "comparison", node, _text(ast.Compare(node.left, [TURNED[type(node.ops[0])]()], node.comparators))
    elif (
        isinstance(node, ast.Call)
        and _called(node) in ("add", "subtract", "multiply", "divide")
        and len(node.args) == 2
    ):
        other = {"add": "subtract", "subtract": "add", "multiply": "divide", "divide": "multiply"}[_called(node)]
        yield "operator", node, ast.unparse(node).replace(f".{_called(node)}(", f".{other}(", 1)


def _second(node: ast.expr, names: list[str]) -> Iterator[tuple[str, ast.expr, str]]:
    if isinstance(node, ast.BinOp):
        yield "factor or term", node, _text(node.left)
        if not isinstance(node.op, (ast.Div, ast.Pow)):
            yield "factor or term", node, _text(node.right)
        if isinstance(node.op, (ast.Sub, ast.Div, ast.MatMult)):
            yield "order", node, _text(ast.BinOp(node.right, node.op, node.left))
    if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and not _is_module(node):
        text = ast.unparse(node)
        yield "derivative", node, f"(1 - {text})"
        yield "square", node, f"{text}**2"
        yield "sign", node, f"(-{text})"
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield "transpose", node, ast.unparse(node.value)
    elif isinstance(node, (ast.Name, ast.Subscript, ast.Attribute)) and not _is_module(node):
        yield "transpose", node, f"{ast.unparse(node)}.T"
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        for other in dict.fromkeys([1 - node.value, node.value + 1, node.value - 1, 2 * node.value]):
            yield "number", node, repr(other)


def _third(node: ast.expr, names: list[str]) -> Iterator[tuple[str, ast.expr, str]]:
    if isinstance(node, (ast.Name, ast.Attribute)) and not _is_module(node):
        own = ast.unparse(node)
        stem = own.rstrip("0123456789")
        for name in sorted(names, key=lambda each: each.rstrip("0123456789") != stem)[:24]:
            if name != own:
                yield "another name", node, name
    if isinstance(node, ast.Call):
        yield "sign", node, f"-{ast.unparse(node)}"


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _is_module(node: Any) -> bool:
    """np, self, np.dot: no arrays."""
    if isinstance(node, ast.Name):
        return node.id in ("np", "numpy", "self", "math", "range", "len")
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("np", "numpy", "math")
    )
