"""A derivative that is right, and called with the wrong value: then the calls are at fault, and not the function."""

import ast
import types

import numpy as np

from runner.diagnosis.line.locate import Located
from runner.diagnosis.line.repair import Place, Repair, Source, live

STEP = 1e-6


def wrong_calls(mended: Repair, found: Located) -> tuple[str, str, list[Place]] | None:
    """(derivative, function, the lines that call it) where a change was found in a function that is the derivative of
    another one of theirs, as it stands; None where it is not.
    """
    source = Source(mended.file)
    inside = next(
        (each for each in source.tree.body if isinstance(each, ast.FunctionDef) and _has(each, mended.line)), None
    )
    if inside is None or len(inside.args.args) != 1:
        return None
    functions = {key[1]: each[0] for key, each in live({mended.file: source}).items() if key[1].isidentifier()}
    derivative = functions.get(inside.name)
    if derivative is None:
        return None
    for other in source.tree.body:
        if not isinstance(other, ast.FunctionDef) or other is inside or len(other.args.args) != 1:
            continue
        if other.name in functions and _is_derivative(derivative, functions[other.name]):
            places = [each.node.place for each in found.suspects]
            calls = sorted(
                place for place in places if place[0] == mended.file and _calls(source, place[1], inside.name)
            )
            return (inside.name, other.name, calls) if calls else None
    return None


def _has(function: ast.FunctionDef, line: int) -> bool:
    return function.lineno <= line <= (function.end_lineno or 0)


def _is_derivative(derivative: types.FunctionType, function: types.FunctionType) -> bool:
    x = np.random.default_rng(4).normal(size=40)
    try:
        with np.errstate(all="ignore"):
            slope = (np.asarray(function(x + STEP)) - np.asarray(function(x - STEP))) / (2 * STEP)
            given = np.asarray(derivative(x), dtype=float)
    except Exception:  # a function of something else
        return False
    return given.shape == x.shape and bool(np.abs(given - slope).max() <= 1e-6) and bool(np.ptp(slope) > 1e-3)


def _calls(source: Source, line: int, name: str) -> bool:
    found = source.statement(line)
    return found is not None and any(
        isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == name
        for each in ast.walk(found[2])
    )
