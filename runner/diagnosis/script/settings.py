"""How a setting is written into a source: the rate, the initial scale, standardised inputs, wider outputs."""

import ast
from typing import Any

from runner.diagnosis.script.knobs import Knobs, Number
from runner.training.script.source import Edit
from runner.training.script.understand import Understood


def main_rates(rates: list[Any], understood: Understood) -> list[Any]:
    """Of numbers that the step is proportional to, the one called like a rate, else those of the update itself."""
    words = ("lr", "rate", "alpha", "eta", "step", "gamma", "epsilon")
    named = [each for each in rates if any(word in understood.source.line(each.node.lineno).lower() for word in words)]
    named = [each for each in named if isinstance(each.value, float)] or named
    if named:
        last = named[-1]  # a call's keyword comes after the default it takes the place of
        return [each for each in named if each.value == last.value]
    updates = {each.line for each in understood.parameters}
    return [each for each in rates if each.node.lineno in updates and isinstance(each.value, float)]


def by_fan_in(understood: Understood, found: Knobs) -> list[Edit]:
    """`randn(a, b) * 0.01` becomes `randn(a, b) / np.sqrt(fan_in)`, where the inputs' width says which of both."""
    first = next((each.shape for each in understood.parameters if len(each.shape) == 2), None)
    wide = set(understood.inputs.shape) if understood.inputs is not None else set()
    if first is None or first[0] == first[1]:
        place = 0 if understood.inputs is not None and first and understood.inputs.shape[-1] == first[0] else 1
    else:
        place = 0 if first[0] in wide and first[1] not in wide else 1
    scales = {id(each.node): each.node for each in found.scale}
    edits = []
    for node in ast.walk(understood.source.tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            for call, factor in ((node.left, node.right), (node.right, node.left)):
                if call in found.draws and id(factor) in scales and isinstance(call, ast.Call):
                    sizes = call.args[0].elts if call.args and isinstance(call.args[0], ast.Tuple) else call.args
                    if len(sizes) == 2:
                        edits.append(Edit.of(node, f"{ast.unparse(call)} / np.sqrt({ast.unparse(sizes[place])})"))
    return edits


def standardised(understood: Understood) -> list[Edit]:
    """A line that standardises the inputs, after the last one outside functions that puts something into them."""
    inputs, labels = understood.inputs, understood.labels
    sites = [
        each
        for each in (inputs.outside if inputs is not None else ())
        if each.kind == "assigned" and each.name.isidentifier()
    ]
    if not sites or inputs is None or labels is None:
        return []
    site = sites[-1]
    last = 0
    for statement in understood.source.tree.body:
        if any(_stores(node, site.name) for node in ast.walk(statement)) and not isinstance(
            statement, (ast.FunctionDef, ast.ClassDef)
        ):
            last = statement.end_lineno or 0
    if not last:
        return []
    axis = 0 if inputs.shape[0] == max(labels.shape) else 1
    name = site.name
    text = f"{name} = ({name} - {name}.mean(axis={axis}, keepdims=True)) / {name}.std(axis={axis}, keepdims=True)"
    return [Edit.after(last, text)]


def _stores(node: ast.AST, name: str) -> bool:
    target = (
        node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AugAssign) else None
    )
    while isinstance(target, ast.Subscript):
        target = target.value
    return isinstance(target, ast.Name) and target.id == name


def out_of_range(understood: Understood) -> tuple[float, float, float] | None:
    """The label that no output can be, and the least and the most that outputs are; None where all can be reached."""
    match, labels = understood.match, understood.labels
    if match is None or labels is None or "most" not in labels.about or understood.output_range is None:
        return None
    low, high = understood.output_range
    most, least = labels.about["most"], labels.about["least"]
    if most <= high + 1e-9 and least >= low - 1e-9:
        return None
    return most if most > high else least, low, high


def widened(understood: Understood, sigmoids: list[ast.FunctionDef]) -> list[Edit]:
    """The last sigmoid that is given a name or returned becomes so many times itself that it reaches every label."""
    beyond = out_of_range(understood)
    assert understood.labels is None or beyond is None or understood.labels.about
    if beyond is None or beyond[0] <= beyond[2] or understood.labels is None or understood.labels.about["least"] < 0:
        return []
    names = {node.name for node in sigmoids}
    calls = [
        node.value
        for node in ast.walk(understood.source.tree)
        if isinstance(node, (ast.Assign, ast.Return))
        and isinstance(node.value, ast.Call)
        and _name(node.value) in names
    ]
    last = max(calls, key=lambda node: node.lineno, default=None)
    return [] if last is None else [Edit.of(last, f"{beyond[0]:g} * {ast.unparse(last)}")]


def bounds(understood: Understood) -> list[Number]:
    """The numbers that the cost is compared with where the loop may end."""
    if understood.cost is None:
        return []
    name = understood.cost.name.split(".")[-1]
    loops = [node for node in ast.walk(understood.source.tree) if isinstance(node, (ast.For, ast.While))]
    found = []
    for loop in (node for node in loops if node.lineno == understood.loop.line):
        tests: list[ast.AST] = [loop.test] if isinstance(loop, ast.While) else []
        tests += [
            node.test
            for node in ast.walk(loop)
            if isinstance(node, ast.If) and any(isinstance(each, ast.Break) for each in node.body)
        ]
        for compared in (each for test in tests for each in ast.walk(test) if isinstance(each, ast.Compare)):
            sides = [compared.left, *compared.comparators]
            called = any(ast.unparse(side).split(".")[-1] == name for side in sides)
            found += [
                Number(side, float(side.value))
                for side in sides
                if called and isinstance(side, ast.Constant) and isinstance(side.value, (int, float)) and side.value > 0
            ]
    return found


def _name(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
