"""Which small change of the source makes every gradient right: tried by running it, at two points.

The functions of a live network get the changed code, compute their gradients, and get their own code back. NumPy only.
"""

import ast
import gc
import types
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runner.diagnosis.line.clock import now
from runner.diagnosis.line.edits import Change, changes
from runner.diagnosis.line.scope import scope_of

Place = tuple[str, int]
Functions = dict[tuple[str, str, int], list[types.FunctionType]]
FIRST = 3  # so many of the likeliest lines get larger changes before others get any


class Repair(NamedTuple):
    """A change of one line that was run: with it all is right. `old` and `new` are the changed expressions."""

    file: str
    line: int
    kind: str
    old: str
    new: str
    text: str
    level: int


def repair(
    likely: Sequence[Place],
    further: Sequence[Place],
    known: Collection[Place],
    right: Callable[[], bool],
    until: float,
) -> Repair | None:
    """The first change of a line with which `right`() holds: of the lines `likely` (file, line) and of what they use,
    the likeliest first; then of `further` ones, only what stands there. Lines `known` to be right are not what
    others are blamed for.
    """
    sources = {file: Source(file) for file, _ in [*likely, *further]}
    functions = live(sources)

    def near(places: Sequence[Place], level: int) -> list[Place]:
        found: list[Place] = []
        for file, line in places:
            before, called = sources[file].used(line)
            before = [each for each in before if (file, each) not in known]
            lines = [*before, line, *called] if level == 1 else [*before, *called, line]
            if level > 1 and (file, line) == likely[0]:  # there is much to add anywhere: first where it is likeliest
                lines = [*called, line, *before]
            found += [(file, each) for each in lines]
        return found

    loops = [(file, each) for file, line in likely for each in sources[file].loops(line)]
    top, rest = likely[:FIRST], likely[FIRST:]
    rounds = [(1, near(top, 1)), (2, near(top, 2)), (1, near(rest, 1)), (2, near(rest, 2)), (1, [*loops, *further])]
    rounds += [(3, near(top, 3)), (3, near(rest, 3))]
    for level, lines in rounds:
        for file, line in dict.fromkeys(lines):
            found = sources[file].mended(line, level, functions, right, until)
            if found is not None or now() > until:
                return found
    return None


class Source:
    """A file of the user's, as a tree in which statements are changed."""

    def __init__(self, file: str, text: str | None = None):
        self.file = file
        self.text = Path(file).read_text() if text is None else text
        self.lines = self.text.splitlines()
        self.tree = ast.parse(self.text)

    def mended(
        self,
        line: int,
        level: int,
        functions: Functions,
        right: Callable[[], bool],
        until: float,
    ) -> Repair | None:
        found = self.statement(line)
        if found is None:
            return None
        top, around, statement = found
        scope = scope_of(self.tree, top, around, statement)
        first = min([around.lineno, *(each.lineno for each in getattr(around, "decorator_list", ()))])  # type: ignore[attr-defined]
        alone = any(key[0] == self.file and key[2] == first for key in functions)
        pruned = _pruned(top, around) if alone else top
        for change in changes(statement, scope, level):
            if now() > until:
                return None
            codes = self._compiled(pruned)
            if codes is not None and alone:
                codes = {key: code for key, code in codes.items() if key[1] == first}
            if codes is not None and self._holds(codes, functions, right):
                return self._told(statement, change, level)
        return None

    def with_line(self, mended: Repair) -> str:
        """The text with a change in it; a statement of several lines is on its first then, and all others stay."""
        lines, found = list(self.lines), self.statement(mended.line)
        first = last = mended.line
        if found is not None and not isinstance(found[2], ast.For | ast.If | ast.While):
            first, last = found[2].lineno, found[2].end_lineno or mended.line
        row = lines[first - 1]
        text = row[: len(row) - len(row.lstrip())] + mended.text
        lines[first - 1 : last] = [text, *[""] * (last - first)]
        return "\n".join(lines) + "\n"

    def put(self, functions: Functions) -> None:
        """Give the live functions the code of this text."""
        for (name, first), code in _codes(compile(self.tree, self.file, "exec")):
            for function in functions.get((self.file, name, first), ()):
                function.__code__ = code

    def statement(self, line: int) -> tuple[ast.stmt, ast.AST, ast.stmt] | None:
        """(top-level statement, innermost function, simple statement or loop's head) that a line is of."""
        for top in self.tree.body:
            if not top.lineno <= line <= (top.end_lineno or 0):
                continue
            around: ast.AST = top
            best: ast.stmt | None = None
            for node in ast.walk(top):
                if not isinstance(node, ast.stmt) or not node.lineno <= line <= (node.end_lineno or 0):
                    continue
                if isinstance(node, ast.FunctionDef):
                    around = node
                if best is None or node.lineno >= best.lineno:
                    best = node
            if best is None or isinstance(best, ast.FunctionDef | ast.ClassDef | ast.With | ast.Try):
                return None
            return top, around, best
        return None

    def used(self, line: int) -> tuple[list[int], list[int]]:
        """(lines that assign what a statement uses, lines of the functions it calls)."""
        found = self.statement(line)
        if found is None:
            return [], []
        _, around, statement = found
        names = {ast.unparse(each) for each in ast.walk(statement) if isinstance(each, ast.Name | ast.Attribute)}
        before: dict[str, int] = {}
        for node in ast.walk(around):
            if isinstance(node, ast.Assign) and node is not statement and "forward" not in ast.unparse(node.value):
                before |= {name: node.lineno for each in node.targets if (name := ast.unparse(each)) in names}
        called = {each.func for each in ast.walk(statement) if isinstance(each, ast.Call)}
        wanted = {each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "") for each in called}
        lines = [
            each.lineno
            for node in ast.walk(self.tree)
            if isinstance(node, ast.FunctionDef) and node.name in wanted and node is not around and _is_short(node)
            for each in node.body
        ]
        return list(before.values()), lines

    def loops(self, line: int) -> list[int]:
        """The heads of the loops around a line, the innermost first."""
        around = [
            node.lineno
            for node in ast.walk(self.tree)
            if isinstance(node, ast.For | ast.If) and node.lineno < line <= (node.end_lineno or 0)
        ]
        return around[::-1]

    def _compiled(self, top: ast.stmt) -> dict[tuple[str, int], types.CodeType] | None:
        try:
            code = compile(ast.Module([top], []), self.file, "exec")
        except (SyntaxError, ValueError, TypeError):
            return None
        return dict(_codes(code))

    def _holds(
        self,
        codes: dict[tuple[str, int], types.CodeType],
        functions: Functions,
        right: Callable[[], bool],
    ) -> bool:
        changed: list[tuple[types.FunctionType, types.CodeType]] = []
        try:
            for (name, first), code in codes.items():
                for function in functions.get((self.file, name, first), ()):
                    changed.append((function, function.__code__))
                    function.__code__ = code
            return bool(changed) and right()
        except Exception:  # the change makes no sense there: other shapes, other names
            return False
        finally:
            for function, code in changed:
                function.__code__ = code

    def _told(self, statement: ast.stmt, change: Change, level: int) -> Repair:
        line = getattr(change.old, "lineno", statement.lineno)
        return Repair(
            self.file, line, change.kind, ast.unparse(change.old) if change.old is not statement else "",
            ast.unparse(change.new), self._written(statement, change), level,
        )  # fmt: skip

    def _written(self, statement: ast.stmt, change: Change) -> str:
        """The corrected line, in the user's own spelling where the change lies within it."""
        wanted = ast.dump(_one(ast.unparse(statement)))
        old = change.old
        first, last = old.lineno, old.end_lineno  # type: ignore[attr-defined]
        if first == last and old is not statement and statement.lineno == statement.end_lineno:
            row = self.lines[first - 1].encode()
            start, end = old.col_offset, old.end_col_offset  # type: ignore[attr-defined]
            for new in (ast.unparse(change.new), f"({ast.unparse(change.new)})"):
                text = (row[:start] + new.encode() + row[end:]).decode()
                try:
                    if ast.dump(_one(text.strip())) == wanted:
                        return text.strip()
                except SyntaxError:
                    continue
        text = ast.unparse(statement)
        return text.splitlines()[0] if isinstance(statement, ast.For | ast.If) else text


def _pruned(node: ast.stmt, wanted: ast.AST) -> ast.stmt:
    """A class or function with nothing in it but what leads to one function: it compiles to the same code, sooner."""
    if node is wanted or not isinstance(node, ast.ClassDef | ast.FunctionDef):
        return node
    body: list[ast.stmt] = []
    for each in node.body:
        if isinstance(each, ast.ClassDef | ast.FunctionDef):
            leads = any(inner is wanted for inner in ast.walk(each))
            body.append(_pruned(each, wanted) if leads else _emptied(each))
        elif isinstance(node, ast.FunctionDef):
            body.append(each)
    fields = {name: getattr(node, name) for name in node._fields}
    made = type(node)(**(fields | {"body": body or [ast.Pass()]}))
    return ast.fix_missing_locations(ast.copy_location(made, node))


def _emptied(node: ast.ClassDef | ast.FunctionDef) -> ast.stmt:
    fields = {name: getattr(node, name) for name in node._fields}
    return ast.fix_missing_locations(ast.copy_location(type(node)(**(fields | {"body": [ast.Pass()]})), node))


def _is_short(function: ast.FunctionDef) -> bool:
    return len(function.body) <= 6 and function.name not in ("forward", "cost", "predict", "__init__")


def _one(text: str) -> ast.stmt:
    return ast.parse(text if not text.endswith(":") else f"{text} pass").body[0]


def _codes(code: types.CodeType) -> Iterator[tuple[tuple[str, int], types.CodeType]]:
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield (each.co_qualname, each.co_firstlineno), each
            yield from _codes(each)


def live(sources: Any) -> Functions:
    """The functions of these files that exist, by (file, name, first line)."""
    found: Functions = {}
    for each in gc.get_objects():
        if type(each) is types.FunctionType and each.__code__.co_filename in sources:
            code = each.__code__
            found.setdefault((code.co_filename, code.co_qualname, code.co_firstlineno), []).append(each)
    return found
