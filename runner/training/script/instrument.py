"""A script's syntax tree with hooks: at every loop's iterations, at every value with a name, at every statement.

Hooks do no arithmetic, and hand every value on as it is: an instrumented script computes the same bits.
"""

import ast
import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

BEGIN, EXIT, SEE, AT = "__explain_begin__", "__explain_exit__", "__explain_see__", "__explain_at__"
SHOWS = {"print", "append", "format", "write", "log", "info", "debug", "add_scalar", "set_description", "display"}


@dataclass(frozen=True)
class Site:
    """A place in the source where a value can be seen.

    Attributes:
        key: the same place in an edited source has the same key, where its function and name are the same.
        file: of the script's folder; line, end_line: from 1.
        kind: assigned, augmented, argument, returned, shown (printed, appended, formatted) or compared.
        name: what it is called there, as it is written; of a returned value the function's.
        function: whose lines it stands in, `<module>` outside all.
    """

    key: str
    file: str
    line: int
    end_line: int
    kind: str
    name: str
    function: str


@dataclass(frozen=True)
class Loop:
    key: str
    file: str
    line: int
    end_line: int
    function: str
    text: str


@dataclass(frozen=True)
class Wanted:
    """Which hooks are put in: None is all."""

    loops: frozenset[str] | None = None
    sites: frozenset[str] | None = None
    statements: bool = True


class Instrument(ast.NodeTransformer):
    """Puts the hooks into one file's tree; `sites` and `loops` say afterwards what is where."""

    def __init__(self, file: str, wanted: Wanted) -> None:
        self.file, self.wanted = file, wanted
        self.sites: dict[str, Site] = {}
        self.loops: dict[str, Loop] = {}
        self.scope: list[str] = []
        self.counted: Counter[str] = Counter()
        self.in_class = False
        self.generating = False

    # what is hooked

    def _key(self, *parts: str) -> str:
        base = "|".join((self.file, self.function, *parts))
        self.counted[base] += 1
        return f"{base}|{self.counted[base]}"

    @property
    def function(self) -> str:
        return ".".join(self.scope) or "<module>"

    def _see(self, value: ast.expr, kind: str, name: str, at: ast.AST | None = None) -> ast.expr:
        at = at or value
        key = self._key(kind, name)
        line, end = at.lineno, at.end_lineno or at.lineno  # type: ignore[attr-defined]
        self.sites[key] = Site(key, self.file, line, end, kind, name, self.function)
        if self.wanted.sites is not None and key not in self.wanted.sites:
            return value
        return _at(ast.Call(ast.Name(SEE, ast.Load()), [ast.Constant(key), value], []), value)

    def _body(self, body: list[ast.stmt]) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for node in body:
            visited = self.visit(node)
            new = visited if isinstance(visited, list) else [visited]
            if self.wanted.statements and not self.in_class and not _is_head(node):
                call = ast.Call(ast.Name(AT, ast.Load()), [ast.Constant(self.file), ast.Constant(node.lineno)], [])
                made.append(_at(ast.Expr(call), node))
            made += new
        return made

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for name, value in ast.iter_fields(node):
            if name in ("body", "orelse", "finalbody") and isinstance(value, list):
                setattr(node, name, self._body(value))
            elif isinstance(value, list):
                value[:] = [self.visit(item) if isinstance(item, ast.AST) else item for item in value]
            elif isinstance(value, ast.AST):
                setattr(node, name, self.visit(value))
        return node

    # scopes

    def visit_FunctionDef(self, node: Any) -> Any:
        if any("jit" in ast.unparse(each) for each in node.decorator_list):
            return node  # compiled elsewhere: hooks would break it
        outside, self.in_class = self.in_class, False
        around, self.generating = self.generating, _yields(node)
        self.scope.append(node.name)
        arguments = node.args
        names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        seen = [
            _at(
                ast.Expr(self._see(_at(ast.Name(name, ast.Load()), node.body[0]), "argument", name, node)), node.body[0]
            )
            for name in names
            if name not in ("self", "cls")
        ]
        seen = [each for each in seen if isinstance(each.value, ast.Call)]
        self.generic_visit(node)
        head = sum(1 for _ in _heads(node.body))
        node.body[head:head] = seen
        self.scope.pop()
        self.in_class, self.generating = outside, around
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        outside, self.in_class = self.in_class, True
        self.scope.append(node.name)
        self.generic_visit(node)
        self.scope.pop()
        self.in_class = outside
        return node

    def visit_Lambda(self, node: ast.Lambda) -> Any:
        self.generic_visit(node)
        node.body = self._see(node.body, "returned", "<lambda>")
        return node

    # loops

    def _loop(self, node: Any) -> Any:
        key = self._key("loop")
        text = ast.unparse(node).split("\n")[0].rstrip(":")
        self.loops[key] = Loop(key, self.file, node.lineno, node.end_lineno, self.function, text)
        if isinstance(node, ast.While):
            node.test = self._compared(node.test)
        self.generic_visit(node)
        seen = self._targets(node) if isinstance(node, ast.For) else []
        elsewhere = self.wanted.loops is not None and key not in self.wanted.loops
        if elsewhere or self.generating:  # a generator's loop runs in pieces, within the loop that asks it
            node.body[:0] = seen
            return node
        node.body[:0] = [_call(BEGIN, key, node), *seen]
        return _at(ast.Try([node], [], [], [_call(EXIT, key, node)]), node)

    def _targets(self, node: ast.For) -> list[ast.stmt]:
        """What the loop gives names to, seen at the beginning of each iteration."""
        made = []
        for each in ast.walk(node.target):
            if isinstance(each, ast.Name):
                seen = self._see(_at(ast.Name(each.id, ast.Load()), node), "assigned", each.id, node.target)
                if isinstance(seen, ast.Call):
                    made.append(_at(ast.Expr(seen), node))
        return made

    visit_For = _loop
    visit_While = _loop

    # values

    def visit_Assign(self, node: ast.Assign) -> Any:
        self.generic_visit(node)
        if not self.in_class:
            node.value = self._see(node.value, "assigned", ast.unparse(node.targets[0]), node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        self.generic_visit(node)
        if node.value is not None and not self.in_class:
            node.value = self._see(node.value, "assigned", ast.unparse(node.target), node)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        self.generic_visit(node)
        if self.in_class:
            return node
        load = ast.parse(ast.unparse(node.target), mode="eval").body
        for each in ast.walk(load):
            if isinstance(each, ast.expr):
                _at(each, node)
        seen = self._see(load, "augmented", ast.unparse(node.target), node)
        return [node, _at(ast.Expr(seen), node)] if isinstance(seen, ast.Call) and _is_hook(seen) else node

    def visit_Return(self, node: ast.Return) -> Any:
        self.generic_visit(node)
        if node.value is not None:
            node.value = self._see(node.value, "returned", self.scope[-1] if self.scope else "", node)
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in SHOWS:
            shown = ast.unparse(node.func.value) if name == "append" and isinstance(node.func, ast.Attribute) else ""
            node.args = [self._shown(each, shown) for each in node.args]
        return node

    def visit_FormattedValue(self, node: ast.FormattedValue) -> Any:
        self.generic_visit(node)
        node.value = self._shown(node.value, "")
        return node

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        if isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
            if isinstance(node.right, ast.Tuple):
                node.right.elts = [self._shown(each, "") for each in node.right.elts]
            else:
                node.right = self._shown(node.right, "")
        return node

    def visit_If(self, node: ast.If) -> Any:
        node.test = self._compared(node.test)
        return self.generic_visit(node)

    def _shown(self, value: ast.expr, name: str) -> ast.expr:
        if isinstance(value, (ast.Constant, ast.JoinedStr, ast.Starred)):
            return value
        return self._see(value, "shown", name or _plain(value))

    def _compared(self, test: ast.expr) -> ast.expr:
        for each in ast.walk(test):
            if isinstance(each, ast.Compare):
                each.left = self._see(each.left, "compared", _plain(each.left))
        return test


def instrument(text: str, file: str, wanted: Wanted) -> tuple[ast.Module, dict[str, Site], dict[str, Loop]]:
    """The tree of a file with its hooks, and what is where.

    >>> tree, sites, loops = instrument("w = 1.0\\nfor i in range(3):\\n    w -= .1\\n", "a.py", Wanted())
    >>> [site.kind for site in sites.values()], [loop.line for loop in loops.values()]
    (['assigned', 'augmented'], [2])
    """
    work = Instrument(file, wanted)
    tree = ast.parse(text, file)
    tree.body = work._body(tree.body)
    return ast.fix_missing_locations(tree), work.sites, work.loops


def hooks(begin: Callable[[str], None], leave: Callable[[str], None], see: Any, at: Any) -> dict[str, Any]:
    """The names that an instrumented tree calls."""
    return {BEGIN: begin, EXIT: leave, SEE: see, AT: at}


def _plain(node: ast.expr) -> str:
    """What a value is called, without the hooks in it: `float(cost)` is cost."""
    while isinstance(node, ast.Call) and node.args:
        node = node.args[-1] if _is_hook(node) else node.args[0]
    return ast.unparse(_Bare().visit(copy.deepcopy(node)))[:40]


def _yields(function: ast.AST) -> bool:
    inside = [node for node in ast.iter_child_nodes(function) if not isinstance(node, ast.Lambda)]
    return any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in inside) or any(
        _yields(node) for node in inside if not isinstance(node, (ast.FunctionDef, ast.ClassDef))
    )


class _Bare(ast.NodeTransformer):
    """Takes the hooks out again."""

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        return node.args[-1] if _is_hook(node) else node


def _is_hook(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == SEE


def _call(name: str, key: str, at: ast.AST) -> Any:
    return _at(ast.Expr(ast.Call(ast.Name(name, ast.Load()), [ast.Constant(key)], [])), at)


def _at(node: Any, place: ast.AST) -> Any:
    ast.copy_location(node, place)
    return node


def _heads(body: list[ast.stmt]) -> list[ast.stmt]:
    """A docstring and imports from the future, which must stay first."""
    count = 0
    while count < len(body) and _is_head(body[count]):
        count += 1
    return body[:count]


def _is_head(node: ast.stmt) -> bool:
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return docstring or (isinstance(node, ast.ImportFrom) and node.module == "__future__")
