"""Which engine trains a recipe. No numba here: what has a kernel is read from the names of the kernels' functions.

What the engine is decides the last digits of a result, so it is a pure function of the configuration and of whether
numba is installed: never of a stopwatch, and never of how many members train beside.
"""

import ast
from functools import lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Literal

from runner.training import shrink
from runner.training.recipe import Recipe

Engine = Literal["numpy", "compiled"]
Asked = Literal["numpy", "compiled", "auto"]
INSTALL = "pip install '.[compiled]' in the runner's checkout, or pip install numba"
# `auto`: the largest product of a step, in multiplications, up to which a kernel was measured ahead (docs/engine.md).
LARGEST = 32 * 256 * 256


def installed() -> bool:
    """Whether numba can be imported."""
    return find_spec("numba") is not None


def resolve(asked: Asked, recipe: Recipe) -> Engine:
    """The engine of a recipe, where `asked` for one."""
    if asked == "numpy" or not installed() or without_kernel(recipe):
        return "numpy"
    return "compiled" if asked == "compiled" or _largest(recipe) <= LARGEST else "numpy"


def problems(asked: object) -> list[str]:
    """Why the configuration cannot have what it asks for."""
    if asked != "compiled" or installed():
        return []
    return [f"training.engine=compiled needs numba, and it is not installed: {INSTALL}"]


def notes(asked: Asked, recipe: Recipe) -> list[str]:
    """What the user should know: that what was asked for has no kernel."""
    lacking = without_kernel(recipe) if asked == "compiled" else []
    if not lacking:
        return []
    return [f"training.engine=compiled has no kernel for {' and '.join(lacking)}: trained by NumPy"]


def without_kernel(recipe: Recipe) -> list[str]:
    """What of a recipe has no kernel, in words; nothing where all of it has one."""
    if recipe.own is not None:
        return ["a network of your own"]
    named = recipe.named
    if named is None:
        return ["a recipe without names"]
    parts = {
        "activations": named.activation,
        "heads": named.loss,
        "optimizers": recipe.optimizer.__name__,
        "schedules": named.schedule,
    }
    found = [f"{name} (of {group})" for group, name in parts.items() if name not in kernels(group)]
    if recipe.head.made:
        found.append(recipe.head.made)
    fault = recipe.fault
    changed = fault.head, fault.activation, fault.back, fault.inputs, fault.gradient, fault.optimizer
    if any(change is not None for change in changed) or not fault.l2 or fault.dropout_at_test:
        found.append("this fault")
    if recipe.dtype != "float64":
        found.append(recipe.dtype)
    if recipe.source is not None:
        found.append("a stream of rows")
    return found


@lru_cache(maxsize=8)
def kernels(group: str) -> list[str]:
    """The names in a module's list KERNELS, in their order, read without importing it."""
    tree = ast.parse((Path(__file__).parent / "kernels" / f"{group}.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "KERNELS":
            assert isinstance(node.value, ast.List)
            return [each.id if isinstance(each, ast.Name) else str(ast.literal_eval(each)) for each in node.value.elts]
    raise AssertionError(f"{group}.py has no KERNELS")


def _largest(recipe: Recipe) -> int:
    widths = shrink.trained_widths(recipe)
    return recipe.plan.batch_size * max(fan_in * fan_out for fan_in, fan_out in pairwise(widths))
