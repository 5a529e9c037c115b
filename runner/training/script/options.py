"""A script's own numbers by name: `script.set.lr=0.1` puts them into its source. Standard library only."""

import ast
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from runner.training.script.source import Edit, ScriptProblem, Source

SEEDS = re.compile(r"(^|\.)(seed|default_rng|RandomState)$")


def places(source: Source) -> dict[str, list[ast.expr]]:
    """Where a name has a plain value: top-level constants, defaults of parameters, and calls that name these.

    >>> from pathlib import Path
    >>> sorted(places(Source(Path("a.py"), "lr = .1\\ndef f(width=4): ...\\nf(width=5)\\n")))
    ['lr', 'width']
    """
    found: dict[str, list[ast.expr]] = {}
    for statement in source.tree.body:
        targets = (
            statement.targets
            if isinstance(statement, ast.Assign)
            else [statement.target]
            if isinstance(statement, ast.AnnAssign)
            else []
        )
        value = getattr(statement, "value", None)
        for target in targets:
            if isinstance(target, ast.Name) and value is not None and _plain(value):
                found.setdefault(target.id, []).append(value)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef):
            for name, value in _defaults(node.args):
                if _plain(value):
                    found.setdefault(name, []).append(value)
    for node in ast.walk(source.tree):
        for keyword in node.keywords if isinstance(node, ast.Call) else ():
            if keyword.arg in found and _plain(keyword.value):
                found[keyword.arg].append(keyword.value)
    return found


def with_options(source: Source, options: Mapping[str, Any]) -> Source:
    """The source with these values in the place of its own.

    Raises ScriptProblem where it has no such name.
    """
    known = places(source)
    edits = []
    for name, value in options.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f" Did you mean script.set.{near[0]}?" if near else ""
            there = ", ".join(sorted(known)) or "none"
            raise ScriptProblem(
                f"script.set.{name}: {source.path.name} has no top-level constant and no default of a parameter of "
                f"that name. It has: {there}.{hint}"
            )
        edits += [Edit.of(node, repr(value)) for node in known[name]]
    return source.edited(edits) if edits else source


def seeded(source: Source) -> list[int]:
    """The lines on which the script sets a generator's seed itself."""
    calls = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call) and node.args]
    return sorted(node.lineno for node in calls if SEEDS.search(ast.unparse(node.func)))


def _defaults(arguments: ast.arguments) -> list[tuple[str, ast.expr]]:
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    pairs = list(zip(names[len(names) - len(arguments.defaults) :], arguments.defaults, strict=True))
    pairs += [
        (each.arg, value)
        for each, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if value is not None
    ]
    return pairs


def _plain(node: ast.expr) -> bool:
    """A number, a text, a list of such: what can be written in an override."""
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return False
    return True
