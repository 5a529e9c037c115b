"""A patch that makes a script reach its target: settings turned alone and together, run, and made small."""

import ast
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.diagnosis.script.functions import kinds, to_tanh
from runner.diagnosis.script.knobs import Knobs, knobs, reseeded
from runner.training.script.execute import run_scripts
from runner.training.script.process import Limits
from runner.training.script.score import goal
from runner.training.script.source import Edit
from runner.training.script.tracing import Traced, traced, tracing
from runner.training.script.understand import Understood

SEEDS = 5
Recipe = dict[str, float]

# What is turned, the smallest changes first; a factor of ten in steps of three, then what cured networks like these.
SINGLE: tuple[Recipe, ...] = (
    {"fan": 1}, {"tanh": 1}, {"rate x": 10}, {"rate x": 0.1}, {"scale": 0.5}, {"scale": 1}, {"standard": 1},
    {"rate x": 3}, {"rate x": 0.3}, {"iterations x": 5}, {"rate x": 0.01}, {"rate x": 100},
)  # fmt: skip
TOGETHER: tuple[Recipe, ...] = (
    {"tanh": 1, "iterations x": 2.5},
    {"scale": 0.5, "rate": 2}, {"standard": 1, "rate": 0.1}, {"fan": 1, "rate x": 10}, {"fan": 1, "iterations x": 5},
    {"scale": 0.1, "rate": 2, "iterations x": 40}, {"scale": 1, "rate": 1, "iterations x": 10},
    {"fan": 1, "standard": 1},
    {"tanh": 1, "width": 32, "scale": 3, "biases": 3, "rate": 0.5},
    {"tanh": 1, "width": 32, "scale": 3, "biases": 3, "rate": 0.5, "iterations x": 3},
    {"tanh": 1, "width": 32, "scale": 3, "rate": 0.5, "standard": 1},
    {"width": 16, "rate": 0.5, "scale": 0.5, "standard": 1, "iterations x": 3},
    {"width": 16, "fan": 1, "standard": 1, "rate": 0.5, "iterations x": 5, "tanh": 1},
)  # fmt: skip
CAUSES = {
    "rate x": "learning rate", "rate": "learning rate", "scale": "init", "fan": "init", "biases": "init",
    "standard": "inputs",
    "iterations x": "budget", "width": "capacity", "tanh": "activation",
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One setting of a patch: its cause, line, and what was shown of it."""

    cause: str
    line: int
    sentence: str


@dataclass(frozen=True)
class Cure:
    """A patch: its difference to the source, on how many seeds it reaches the target, and what its parts are for."""

    diff: str
    edits: list[Edit]
    target: str
    reached: int
    of: int
    parts: list[Part]
    text: str


@dataclass
class Search:
    """What is turned where, and how often that was run."""

    understood: Understood
    mended: list[Edit]
    argv: tuple[str, ...]
    scratch: Path
    until: float
    at_once: int
    found: Knobs = field(default_factory=Knobs)
    tanh: list[Edit] = field(default_factory=list)
    slowest: float = 5.0

    def edits(self, recipe: Recipe) -> list[Edit] | None:
        """The changes of a recipe; None where the source has nothing to turn for it."""
        made: list[Edit] = []
        for key, value in recipe.items():
            edits = self._edits(key, value)
            if not edits:
                return None
            made += edits
        return made

    def _edits(self, key: str, value: float) -> list[Edit]:
        found = self.found
        if key in ("rate", "rate x"):
            return [
                each.edit(value if key == "rate" else each.value * value) for each in _main(found.rate, self.understood)
            ]
        if key == "scale":
            if found.scale:
                return [each.edit(value) for each in found.scale]
            return [Edit.of(node, f"{ast.unparse(node)} * {value:g}") for node in found.draws]
        if key == "fan":
            return _fan(self.understood, found)
        if key == "biases":
            return [
                Edit.of(node, f"{value:g} * np.random.randn(*{ast.unparse(node.args[0])})")
                for node in found.biases
                if node.args
            ]
        if key == "iterations x":
            most = max((each.value for each in found.iterations), default=0)
            return [each.edit(round(each.value * value)) for each in found.iterations if each.value == most]
        if key == "width":
            return [each.edit(value) for each in found.width if each.value < value]
        return self.tanh if key == "tanh" else _standardised(self.understood)

    def run(self, edits: list[Edit], seeds: list[int]) -> list[Traced]:
        """Run the patched source on these seeds."""
        limits = Limits(seconds=max(3.0, min(0.5 * (self.until - time.monotonic()), 40 * self.slowest)))
        sources = [reseeded(self.understood.source, self.found, [*self.mended, *edits], seed) for seed in seeds]
        runs = [
            tracing(source, self.understood, self.argv, seed, limits, until_reached=True)
            for source, seed in zip(sources, seeds, strict=True)
        ]
        return [traced(each) for each in run_scripts(runs, self.scratch, self.at_once)]

    def reached(self, edits: list[Edit], seeds: list[int]) -> int:
        """On how many of these seeds it reaches the target."""
        return sum(1 for each in self.run(edits, seeds) if each.reached and each.status == "finished")

    @property
    def late(self) -> bool:
        return time.monotonic() > self.until


def cure(
    understood: Understood,
    mended: list[Edit],
    argv: tuple[str, ...],
    scratch: Path,
    until: float,
    at_once: int,
    not_tried: list[str],
) -> Cure | None:
    """The first recipe that reaches the target on all seeds, without the parts that it does not need."""
    search = Search(understood, mended, argv, scratch, until, at_once)
    search.found = knobs(understood, argv, scratch, at_once)
    search.tanh = to_tanh(understood.source, kinds(understood.source, scratch))
    tried: list[tuple[int, Recipe, list[Edit]]] = []
    for recipe, edits in _recipes(search, bool(mended)):
        if search.late:
            not_tried.append("further cures")
            break
        pair = [0, 1]
        if search.reached(edits, pair) < 2:
            continue
        count = 2 + search.reached(edits, list(range(2, SEEDS)))
        if count == SEEDS:
            return _smallest(search, recipe, edits)
        tried.append((count, recipe, edits))
    best = max(tried, key=lambda each: each[0], default=None)
    return None if best is None else _told(search, best[1], best[2], best[0], {})


def _recipes(search: Search, mended: bool) -> Iterator[tuple[Recipe, list[Edit]]]:
    seen: set[str] = set()
    alone: tuple[Recipe, ...] = ({},) if mended else ()
    for recipe in alone + SINGLE + TOGETHER:
        edits = search.edits(recipe)
        if edits is None or repr(edits) in seen:
            continue
        seen.add(repr(edits))
        try:
            search.understood.source.edited([*search.mended, *edits]).tree  # noqa: B018
        except SyntaxError:
            continue
        yield recipe, edits


def _smallest(search: Search, recipe: Recipe, edits: list[Edit]) -> Cure:
    """Each part left out in turn: what is not needed goes, and of what is it is known what happens without."""
    without: dict[str, int] = {}
    for key in list(recipe):
        if len(recipe) < 2 or search.late:
            break
        less = {each: value for each, value in recipe.items() if each != key}
        fewer = search.edits(less)
        if fewer is None:
            continue
        count = search.reached(fewer, list(range(SEEDS)))
        if count == SEEDS:
            recipe, edits = less, fewer
        else:
            without[key] = count
    return _told(search, recipe, edits, SEEDS, without)


def _told(search: Search, recipe: Recipe, edits: list[Edit], reached: int, without: dict[str, int]) -> Cure:
    source = search.understood.source
    patched = source.edited([*search.mended, *edits])
    parts = []
    for key, value in recipe.items():
        own = search._edits(key, value)
        line = own[0].line if own else 0
        if key == "standard":
            line = max(1, line - 1)
        shown = f"without this it reaches the target on {without[key]} of {SEEDS} seeds" if key in without else ""
        if len(recipe) == 1:
            shown = "this alone is changed" if not search.mended else "with the line above fixed, this alone is changed"
        parts.append(
            Part(CAUSES[key], line, f"{_words(key, value, source.line(line))}{': ' + shown if shown else ''}.")
        )
    score = next((each.score for each in search.run(edits, [0]) if each.score), None)
    target = f"{score['kind']} >= {goal(score):.3g}" if score else "the target"
    return Cure(source.diff(patched), [*search.mended, *edits], target, reached, SEEDS, parts, patched.text)


def _words(key: str, value: float, text: str) -> str:
    told = {
        "rate x": f"the learning rate {'is too small' if value > 1 else 'is too large'}; {value:g} times it is taken",
        "rate": f"the learning rate; {value:g} is taken",
        "scale": f"the initial weights; {value:g} wide they are drawn",
        "fan": "the initial weights; divided by the root of the number of inputs they are drawn",
        "biases": f"the initial biases are all zero; {value:g} wide they are drawn",
        "standard": "the inputs as they are; standardised they are taken",
        "iterations x": f"the number of iterations; {value:g} times as many are made",
        "width": f"the hidden layer is too narrow; {value:g} units are taken",
        "tanh": "the hidden activation; tanh is taken",
    }[key]
    return f"{text}: {told}" if text else told


def _main(rates: list[Any], understood: Understood) -> list[Any]:
    """Of numbers that the step is proportional to, the one called like a rate, else those of the update itself."""
    words = ("lr", "rate", "alpha", "eta", "step", "gamma", "epsilon")
    named = [each for each in rates if any(word in understood.source.line(each.node.lineno).lower() for word in words)]
    named = [each for each in named if isinstance(each.value, float)] or named
    if named:
        last = named[-1]  # a call's keyword comes after the default it takes the place of
        return [each for each in named if each.value == last.value]
    updates = {each.line for each in understood.parameters}
    return [each for each in rates if each.node.lineno in updates and isinstance(each.value, float)]


def _fan(understood: Understood, found: Knobs) -> list[Edit]:
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


def _standardised(understood: Understood) -> list[Edit]:
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
