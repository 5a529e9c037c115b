"""Which small change of a line makes the gradients right: tried by running the script with it."""

import ast
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from runner.diagnosis.script.lines import Checked, watching
from runner.diagnosis.script.rewrites import rewrites
from runner.training.script.execute import run_scripts
from runner.training.script.source import Edit, Source
from runner.training.script.understand import Understood

BATCH = 8


@dataclass(frozen=True)
class Mended:
    """A change of one line with which all gradients are right.

    Attributes:
        line: where; kind: what was changed; old, new: the expressions; edits: the change.
    """

    line: int
    kind: str
    old: str
    new: str
    edits: list[Edit]


def mend(
    understood: Understood, checked: Checked, argv: tuple[str, ...], scratch: Path, until: float, at_once: int
) -> Mended | None:
    """The first change, the likeliest lines first, with which one traced iteration is right."""
    source = understood.source
    candidates = _candidates(source, _lines(understood, checked))
    while time.monotonic() < until:
        batch = list(islice(candidates, BATCH))
        if not batch:
            return None
        runs = [
            watching(source.edited(each.edits), understood, argv, (1.0, True, False), 20.0, quick=True)
            for each in batch
        ]
        for each, outcome in zip(batch, run_scripts(runs, scratch, at_once), strict=True):
            if outcome.seen.get("ok") and outcome.seen.get("cost") in ("own", "another"):
                return each
    return None


def _lines(understood: Understood, checked: Checked) -> list[int]:
    """Lines to change, the likeliest first."""
    name = understood.source.path.name
    first = checked.place
    places = [*([first] if first else []), *checked.seen["suspects"], *checked.seen["sign_lines"].values()]
    places += list(checked.seen["constant"].values())
    return list(dict.fromkeys(each["line"] for each in places if each["file"] == name and each["line"]))[:6]


def _candidates(source: Source, lines: list[int]) -> Iterator[Mended]:
    statements = {line: found for line in lines if (found := _statement(source.tree, line)) is not None}
    names = _names(source.tree)
    first, rest = lines[:1], lines[1:]
    for levels, places in (((1, 2), first), ((1, 2), rest[:2]), ((3,), first), ((1, 2), rest[2:]), ((3,), rest)):
        for line in places:
            for level in levels if line in statements else ():
                for kind, node, new in rewrites(statements[line], names, level):
                    edit = Edit.of(node, new)
                    if _is_python(source, edit):
                        yield Mended(node.lineno, kind, ast.unparse(node), new, [edit])


def _is_python(source: Source, edit: Edit) -> bool:
    try:
        source.edited([edit]).tree  # noqa: B018
    except SyntaxError:
        return False
    return True


def _statement(tree: ast.Module, line: int) -> ast.stmt | None:
    found: ast.stmt | None = None
    for node in ast.walk(tree):
        simple = isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr))
        if simple and node.lineno <= line <= (node.end_lineno or 0):  # type: ignore[attr-defined]
            found = node  # type: ignore[assignment]
    return found


def _names(tree: ast.Module) -> list[str]:
    """What arrays are called here: names and attributes that are assigned."""
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
        )
        for target in targets:
            for each in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(each, (ast.Name, ast.Attribute)):
                    found[ast.unparse(each)] = None
    return list(found)
