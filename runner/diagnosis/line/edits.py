"""Small changes of a statement: what people get wrong, turned round. Each is made in place, and taken back.

    for change in changes(statement, scope, level=1):
        ...                     # the statement is changed here
                                # and as it was again here

Level 1 are changes of what stands there (an operator, a name, a number, an index), level 2 small additions (a minus, a
transpose, a square, an axis), level 3 further factors and terms. NumPy is not needed here.
"""

import ast
import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

BINARY: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.MatMult),
    ast.Div: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.FloorDiv: (ast.Div,),
}
COMPARED: dict[type, tuple[type, ...]] = {
    ast.Gt: (ast.Lt, ast.LtE), ast.Lt: (ast.Gt, ast.GtE), ast.GtE: (ast.LtE, ast.Lt), ast.LtE: (ast.GtE, ast.Gt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,),
}  # fmt: skip
SWAPPED = {
    "sum": ("mean",), "mean": ("sum",), "maximum": ("minimum",), "minimum": ("maximum",),
    "zeros_like": ("ones_like",), "ones_like": ("zeros_like",), "sinh": ("cosh",), "tanh": ("cosh",), "sin": ("cos",),
    "cos": ("sin",),
    "max": ("min",), "min": ("max",), "outer": ("dot", "multiply"), "multiply": ("dot", "divide"), "dot": ("multiply",),
    "var": ("std",), "std": ("var",), "argmin": ("argmax",), "log": ("exp",), "exp": ("log",),
    "add": ("subtract",), "subtract": ("add",),
    "less": ("greater",), "greater": ("less",),
}  # fmt: skip
REDUCING = ("sum", "mean", "max", "min", "var", "std", "prod", "argmax", "argmin")


class Scope(NamedTuple):
    """What a statement can name: variables, attributes of objects, string keys, functions of one argument; which
    variables nobody uses, and terms that stand elsewhere.
    """

    names: tuple[str, ...]
    attributes: dict[str, tuple[str, ...]]
    keys: tuple[str, ...]
    functions: tuple[str, ...]
    unused: tuple[str, ...]
    terms: tuple[ast.expr, ...]


class Change(NamedTuple):
    """What was done: its `kind`, the expression as it was and as it is (None: the statement itself)."""

    kind: str
    old: ast.AST
    new: ast.AST


def changes(statement: ast.stmt, scope: Scope, level: int) -> Iterator[Change]:
    """All changes of one level of a statement, one after the other, each in place while it is looked at."""
    if level == 1:
        yield from _of_statement(statement)
    places = list(_places(_Root(statement)))
    for maker in {1: (_replaced,), 2: (_added,), 3: (_derived, _multiplied)}[level]:
        for holder, field, index in places:
            old = _get(holder, field, index)
            for kind, new in maker(old, scope, holder):
                ast.copy_location(new, old)
                _set(holder, field, index, ast.fix_missing_locations(new))
                yield Change(kind, old, new)
                _set(holder, field, index, old)


class _Root:
    """The expressions of a statement that may be changed: what is computed, and where it is put only by its index."""

    def __init__(self, statement: ast.stmt):
        self.statement = statement


def _places(root: _Root) -> Iterator[tuple[Any, str, int | None]]:
    statement = root.statement
    fields = ("value", "iter", "test", "targets", "target") if not isinstance(statement, ast.While) else ()
    for name in fields:
        part = getattr(statement, name, None)
        if part is None:
            continue
        if name in ("target", "targets"):
            for target in part if isinstance(part, list) else [part]:
                for node in ast.walk(target):
                    if isinstance(node, ast.Subscript):
                        yield node, "slice", None
                        yield from _below(node.slice)
            continue
        yield statement, name, None
        yield from _below(part)


def _below(node: ast.AST) -> Iterator[tuple[Any, str, int | None]]:
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.expr):
            if isinstance(value, ast.Name) and value.id in ("np", "numpy", "self"):
                continue
            if not (isinstance(node, ast.Call) and name == "func"):
                yield node, name, None
            yield from _below(value)
        elif isinstance(value, list):
            for index, each in enumerate(value):
                if isinstance(each, ast.expr):
                    yield node, name, index
                    yield from _below(each)
                elif isinstance(each, ast.keyword | ast.comprehension):
                    yield from _below(each)


def _get(holder: Any, field: str, index: int | None) -> Any:
    value = getattr(holder, field)
    return value if index is None else value[index]


def _set(holder: Any, field: str, index: int | None, new: Any) -> None:
    if index is None:
        setattr(holder, field, new)
    else:
        getattr(holder, field)[index] = new


def _of_statement(statement: ast.stmt) -> Iterator[Change]:
    if isinstance(statement, ast.AugAssign):
        old = statement.op
        for kind in (ast.Add, ast.Sub, ast.Mult, ast.Div):
            if not isinstance(old, kind):
                statement.op = kind()
                yield Change("operator", statement, statement)
                statement.op = old


def _replaced(node: ast.expr, scope: Scope, holder: Any) -> Iterator[tuple[str, ast.expr]]:
    """Changes of what stands there."""
    if isinstance(node, ast.BinOp):
        yield from _binary(node)
    elif isinstance(node, ast.UnaryOp):
        yield "sign" if isinstance(node.op, ast.USub) else "not", node.operand
    elif isinstance(node, ast.Constant):
        yield from _constants(node, scope, holder)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        for name in _near(node.id, scope.names):
            yield "another variable", ast.Name(name, ast.Load())
    elif isinstance(node, ast.Attribute):
        if node.attr == "T":
            yield "transpose", node.value
        elif isinstance(node.value, ast.Name):
            for name in _near(node.attr, scope.attributes.get(node.value.id, ())):
                yield "another variable", ast.Attribute(node.value, name, ast.Load())
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for kind in COMPARED.get(type(node.ops[0]), ()):
            yield "comparison", ast.Compare(node.left, [kind()], node.comparators)
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, ast.JoinedStr):
        yield from _joined(node)
    elif isinstance(node, ast.Tuple | ast.List) and 1 < len(node.elts) <= 8 and not isinstance(holder, ast.Subscript):
        for i in range(len(node.elts)):
            for j in range(i):
                swapped = list(node.elts)
                swapped[i], swapped[j] = swapped[j], swapped[i]
                yield "order", type(node)(swapped, ast.Load())
    if isinstance(holder, ast.Subscript) and _is_number(node):
        for sign in (ast.Sub, ast.Add):
            yield "index", ast.BinOp(node, sign(), ast.Constant(1))


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.BinOp) or (isinstance(node, ast.Constant) and type(node.value) is int)


def _binary(node: ast.BinOp) -> Iterator[tuple[str, ast.expr]]:
    for kind in BINARY.get(type(node.op), ()):
        if kind is ast.Div and isinstance(node.right, ast.Call) and isinstance(node.right.func, ast.Name):
            continue  # nobody divides by a derivative: it is the function that has it the wrong way round
        yield "operator" if kind is not ast.MatMult else "product", ast.BinOp(node.left, kind(), node.right)
    factor = isinstance(node.op, ast.Mult | ast.Div | ast.Pow)
    yield "factor" if factor else "term", node.left
    if not isinstance(node.op, ast.Pow | ast.Div):
        yield "factor" if factor else "term", node.right
    if isinstance(node.op, ast.Sub | ast.Div | ast.MatMult):
        yield "order", ast.BinOp(node.right, node.op, node.left)


def _constants(node: ast.Constant, scope: Scope, holder: Any) -> Iterator[tuple[str, ast.expr]]:
    value = node.value
    if isinstance(value, bool):
        yield "number", ast.Constant(not value)
    elif isinstance(value, int | float):
        axis = isinstance(holder, ast.keyword) and holder.arg in ("axis", "keepdims")
        others: list[Any] = [value + 1, value - 1, 2 * value, value / 2, -value, 0, 1, 2, 0.5, 1 - value]
        if axis:
            others = [0, 1, -1, 2, 3, None, (0, 1), (0, 2, 3), (0, 1, 2), (1, 2)]
        elif isinstance(value, int):
            others = [int(each) if each == int(each) else each for each in others]
        for other in dict.fromkeys(each for each in others if each != value or type(each) is not type(value)):
            if other == value and other is not None:
                continue
            kind = "axis" if axis else "number"
            yield kind, ast.parse(repr(other), mode="eval").body
    elif isinstance(value, str):
        for key in _near(value, scope.keys):
            yield "another variable", ast.Constant(key)
    elif value is None and isinstance(holder, ast.keyword) and holder.arg == "axis":
        for other in (0, 1, -1):
            yield "axis", ast.Constant(other)


def _calls(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node.func, ast.Attribute):
        for name in SWAPPED.get(node.func.attr, ()):
            yield "function", ast.Call(ast.Attribute(node.func.value, name, ast.Load()), node.args, node.keywords)
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id in ("np", "numpy", "self")):
            if node.func.attr in REDUCING or node.func.attr == "transpose":
                yield "reduction", node.func.value
            if len(node.args) == 1 and node.func.attr == "dot":
                yield "order", ast.Call(ast.Attribute(node.args[0], "dot", ast.Load()), [node.func.value], [])
    for keyword in node.keywords:
        yield "axis", ast.Call(node.func, node.args, [each for each in node.keywords if each is not keyword])
    if node.args:
        yield "function", node.args[0]
    if len(node.args) == 2:
        yield "order", ast.Call(node.func, node.args[::-1], node.keywords)
    if len(node.args) == 3:
        yield "order", ast.Call(node.func, [node.args[0], node.args[2], node.args[1]], node.keywords)


def _joined(node: ast.JoinedStr) -> Iterator[tuple[str, ast.expr]]:
    """f"W{l}": of the layer before or after, or another letter."""
    for index, part in enumerate(node.values):
        if isinstance(part, ast.FormattedValue):
            options: list[ast.expr] = [ast.BinOp(part.value, sign(), ast.Constant(1)) for sign in (ast.Sub, ast.Add)]
            if isinstance(part.value, ast.BinOp):
                options.append(part.value.left)
            for option in options:
                values = [*node.values[:index], ast.FormattedValue(option, -1), *node.values[index + 1 :]]
                yield "index", ast.JoinedStr(values)
        elif isinstance(part, ast.Constant):
            for letter in ("W", "b", "Z", "A", "dW", "db", "dZ", "dA"):
                if letter != part.value:
                    values = [*node.values[:index], ast.Constant(letter), *node.values[index + 1 :]]
                    yield "another variable", ast.JoinedStr(values)


def _near(name: str, names: tuple[str, ...]) -> list[str]:
    """Names of the same kind first: A1 for A2, not X."""
    stem = name.rstrip("0123456789_")
    others = [each for each in names if each != name]
    return sorted(others, key=lambda each: each.rstrip("0123456789_") != stem)[:14]


def _is_array(node: ast.expr) -> bool:
    if isinstance(node, ast.Name | ast.Attribute):
        return getattr(node, "attr", "") not in ("T", "shape", "size")
    return isinstance(node, ast.Subscript | ast.BinOp | ast.Call)


def _added(node: ast.expr, scope: Scope, holder: Any) -> Iterator[tuple[str, ast.expr]]:
    """Small additions."""
    if not _is_array(node) or isinstance(holder, ast.Subscript | ast.FormattedValue):
        return
    for name in scope.unused:
        other = ast.Name(name, ast.Load())
        yield "factor", ast.BinOp(other, ast.Mult(), node)
        yield "term", ast.BinOp(other, ast.Add(), node)
        yield "term", ast.BinOp(node, ast.Sub(), other)
    product = isinstance(holder, ast.BinOp) and isinstance(holder.op, ast.MatMult)
    if not isinstance(node, ast.Constant):
        yield "sign", ast.UnaryOp(ast.USub(), node)
    if product or isinstance(holder, ast.Call):
        yield "transpose", ast.Attribute(node, "T", ast.Load())
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
        yield "square", ast.BinOp(node, ast.Pow(), ast.Constant(2))
        yield "derivative", ast.BinOp(ast.Constant(1), ast.Sub(), node)
        yield "term", ast.BinOp(ast.Constant(1), ast.Add(), node)
        if not isinstance(node, ast.Call):
            yield "root", ast.Call(ast.Attribute(ast.Name("np", ast.Load()), "sqrt", ast.Load()), [node], [])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("sum", "max", "min"):
        for axis in (1, 0):  # Python's own goes over the first axis
            text = f"np.{node.func.id}({ast.unparse(node.args[0])}, axis={axis}, keepdims=True)"
            yield "axis", ast.parse(text, mode="eval").body
    if isinstance(node, ast.Call) and _called(node) in REDUCING:
        given = {each.arg for each in node.keywords}
        if "axis" not in given:
            for axis in (0, 1):
                for keep in (False, True):
                    more = [ast.keyword("axis", ast.Constant(axis))]
                    more += [ast.keyword("keepdims", ast.Constant(True))] if keep and "keepdims" not in given else []
                    yield "axis", ast.Call(node.func, node.args, [*node.keywords, *more])
        if "keepdims" not in given:
            yield "axis", ast.Call(node.func, node.args, [*node.keywords, ast.keyword("keepdims", ast.Constant(True))])


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _derived(node: ast.expr, scope: Scope, holder: Any) -> Iterator[tuple[str, ast.expr]]:
    """The slope of another activation, or of this one at another value."""
    if isinstance(holder, ast.Return):  # of a short function, or what a longer one returns as a whole
        for term in scope.terms:
            if isinstance(term, ast.BinOp | ast.Compare) and ast.dump(term) != ast.dump(node):
                yield "derivative", copy.deepcopy(term)
    if isinstance(holder, ast.BinOp) and isinstance(holder.op, ast.Mult) and not isinstance(node, ast.Constant):
        for term in scope.terms:
            if _is_slope(term):
                yield "derivative", copy.deepcopy(term)


def _multiplied(node: ast.expr, scope: Scope, holder: Any) -> Iterator[tuple[str, ast.expr]]:
    """Further factors and terms, of a whole right-hand side and the parts of a product or sum."""
    whole = isinstance(holder, ast.stmt)
    inside = isinstance(holder, ast.BinOp | ast.Call | ast.Attribute) and isinstance(
        node, ast.BinOp | ast.Name | ast.Attribute | ast.Subscript
    )
    if not (whole or inside or isinstance(holder, ast.Dict | ast.List | ast.Tuple)) or not _is_array(node):
        return
    for number in (2, 0.5):
        yield "factor", ast.BinOp(node, ast.Mult(), ast.Constant(number))
    if whole or isinstance(holder, ast.Dict | ast.List | ast.Tuple) or isinstance(node, ast.BinOp):
        for term in scope.terms:
            yield "factor", ast.BinOp(node, ast.Mult(), copy.deepcopy(term))
            if isinstance(term, ast.Name | ast.Attribute | ast.Subscript | ast.Call) or _is_power(term):
                yield "factor", ast.BinOp(node, ast.Div(), copy.deepcopy(term))
            yield "term", ast.BinOp(node, ast.Add(), copy.deepcopy(term))
            if isinstance(term, ast.Name | ast.Attribute | ast.Subscript):
                yield "term", ast.BinOp(node, ast.Sub(), copy.deepcopy(term))
    elif _is_reduced(holder):
        for term in scope.terms:
            if isinstance(term, ast.Name | ast.Attribute | ast.Subscript):
                yield "factor", ast.BinOp(node, ast.Mult(), copy.deepcopy(term))
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        for function in scope.functions:
            name = ast.parse(function, mode="eval").body
            yield "function", ast.Call(name, [node], [])


def _is_reduced(holder: Any) -> bool:
    """Whether what it holds is summed, or the like: x of x.sum() and of np.sum(x)."""
    called = holder.func if isinstance(holder, ast.Call) else holder
    return isinstance(called, ast.Attribute) and called.attr in REDUCING


def _is_slope(term: ast.expr) -> bool:
    """What the slope of an activation looks like."""
    return isinstance(term, ast.Compare) or (isinstance(term, ast.BinOp) and "1 -" in ast.unparse(term))


def _is_power(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)
