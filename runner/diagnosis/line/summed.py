"""Gradients that are added up over calls: the lines in which what should begin again is taken as it was left."""

import ast
from collections.abc import Callable

import numpy as np

from runner.diagnosis.line.diagnose import verdicts
from runner.diagnosis.line.mistake import LineMistake
from runner.diagnosis.line.protocol import Point, held_functions
from runner.diagnosis.line.repair import Source, live
from runner.diagnosis.line.sentences import line_text
from runner.nn.types import Array
from runner.training.own.module import still
from runner.training.own.network import NetworkError, NetworkProblem, OwnNetwork

ANEW = (
    "[np.zeros_like(each) for each in {}]",
    "np.zeros_like({})",
    "{{key: np.zeros_like(each) for key, each in {}.items()}}",
)


def summed(fresh: Callable[[], OwnNetwork], at: Point) -> list[LineMistake]:
    """The lines that take an array as an earlier call has left it, each with what starts it from zero, as run."""
    base = fresh()
    names = [name for name, _ in base.layout]
    wanted = {each.name: each.true for each in verdicts(fresh, at).arrays}
    steady = _steady(base.copied(), at, wanted)
    found: list[LineMistake] = []
    for file in dict.fromkeys(function.__code__.co_filename for function in held_functions(base)):
        source = Source(file)
        functions = live({file: source})
        for statement in ast.walk(source.tree):
            if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Name | ast.Attribute):
                continue
            old = statement.value
            for form in ANEW:
                statement.value = ast.copy_location(ast.parse(form.format(ast.unparse(old)), mode="eval").body, old)
                ast.fix_missing_locations(statement)
                source.put(functions)
                now = _steady(base.copied(), at, wanted)
                if now > steady:
                    steady = now
                    found.append(_told(file, statement, ast.unparse(old)))
                    break
                statement.value = old
            source.put(functions)
        Source(file).put(functions)
    return found if steady >= set(names) else []


def _steady(network: OwnNetwork, at: Point, wanted: dict[str, Array]) -> set[str]:
    """The arrays of which two calls give the same gradient, and the right one."""
    given = []
    try:
        for _ in range(2):
            network.write(at.theta)
            still(at.seed)
            given.append(network.split(network.gradient(at.X, at.Y)))
    except (NetworkError, NetworkProblem):
        return set()
    names = [name for name, _ in network.layout]
    return {
        name
        for name, first, second in zip(names, *given, strict=True)
        if np.allclose(first, second, rtol=1e-9) and np.allclose(first, wanted[name], rtol=1e-6, atol=1e-12)
    }


def _told(file: str, statement: ast.Assign, old: str) -> LineMistake:
    line = statement.lineno
    says = f"`{old}` still holds what the last call added to it: it must begin again at each call; with this change two"
    says += " calls give the same gradient, the right one."
    text = ast.unparse(statement)
    return LineMistake(file, line, "", line_text(file, line), None, None, "accumulated", says, text)
