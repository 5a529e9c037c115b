"""A patch that makes a script reach its target: settings turned alone and together, run, and made small."""

import ast
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runner.diagnosis.script import twin as twins
from runner.diagnosis.script.functions import kinds, to_tanh
from runner.diagnosis.script.knobs import Knobs, Number, knobs, reseeded
from runner.diagnosis.script.settings import bounds, by_fan_in, main_rates, out_of_range, standardised, widened
from runner.training.script.execute import run_scripts
from runner.training.script.process import Limits
from runner.training.script.score import goal
from runner.training.script.source import Edit, Source
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
    {"scale": 0.5, "rate": 2}, {"standard": 1, "rate": 0.1}, {"fan": 1, "rate x": 10}, {"fan": 1, "standard": 1},
    {"standard": 1, "tanh": 1, "width": 32, "scale": 3, "biases": 3, "rate": 0.5},
    {"standard": 1, "width": 16, "scale": 0.5, "rate": 0.5, "iterations x": 3},
    {"standard": 1, "tanh": 1, "width": 16, "fan": 1, "rate": 0.5, "iterations x": 5},
    {"scale": 1, "rate": 1, "iterations x": 10}, {"fan": 1, "iterations x": 5},
    {"standard": 1, "tanh": 1, "width": 32, "scale": 3, "biases": 3, "rate": 0.5, "iterations x": 3},
    {"scale": 0.1, "rate": 2, "iterations x": 40},
)  # fmt: skip
CAUSES = {
    "rate x": "learning rate", "rate": "learning rate", "scale": "init", "fan": "init", "biases": "init",
    "standard": "inputs",
    "iterations x": "budget", "until x": "budget", "width": "capacity", "tanh": "activation", "range": "labels",
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
    range: list[Edit] = field(default_factory=list)
    bounds: list[Number] = field(default_factory=list)
    iterations: int = 0  # that the script makes as it is
    strange: int = 0  # beginnings that no twin was found for

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
                each.edit(value if key == "rate" else each.value * value)
                for each in main_rates(found.rate, self.understood)
            ]
        if key == "scale":
            if found.scale:
                return [each.edit(value) for each in found.scale]
            return [Edit.of(node, f"{ast.unparse(node)} * {value:g}") for node in found.draws]
        if key == "fan":
            return by_fan_in(self.understood, found)
        if key == "biases":
            return [
                Edit.of(node, f"{value:g} * np.random.randn(*{ast.unparse(node.args[0])})")
                for node in found.biases
                if node.args
            ]
        if key == "iterations x":
            most = max((each.value for each in found.iterations), default=0)
            return [each.edit(round(each.value * value)) for each in found.iterations if each.value == most]
        if key == "until x":
            return [each.edit(each.value * value) for each in self.bounds]
        if key == "range":
            return self.range
        if key == "width":
            return [each.edit(value) for each in found.width if each.value < value]
        return self.tanh if key == "tanh" else standardised(self.understood)

    def run(self, edits: list[Edit], seeds: list[int]) -> list[Traced]:
        """Run the patched source on these seeds."""
        rounds = -(-len(seeds) // self.at_once)
        limits = Limits(seconds=max(3.0, (self.until - time.monotonic()) / max(2, rounds)))
        runs = [
            tracing(self.source(edits, seed), self.understood, self.argv, seed, limits, until_reached=True)
            for seed in seeds
        ]
        return [traced(each) for each in run_scripts(runs, self.scratch, self.at_once)]

    def reached(self, edits: list[Edit], seeds: list[int]) -> int:
        """On how many of these seeds it reaches the target."""
        return sum(1 for each in self.run(edits, seeds) if each.reached and each.status == "finished")

    def source(self, edits: list[Edit], seed: int) -> Source:
        """The corrected source with these edits, its own seeds moved."""
        return reseeded(self.understood.source, self.found, [*self.mended, *edits], seed)

    def mirrored(self, recipe: Recipe, edits: list[Edit], seeds: list[int]) -> list[twins.Twin] | None:
        """Our own arrays that make the steps of these runs; None where they do not."""
        match = self.understood.match
        if self.strange > 1 or match is None or self.understood.step.key != self.understood.loop.key:
            return None
        limits = Limits(seconds=max(3.0, min(30.0, 0.2 * (self.until - time.monotonic()))))
        runs = [twins.beginning(self.source(edits, seed), self.understood, self.argv, seed, limits) for seed in seeds]
        beyond = out_of_range(self.understood) if "range" in recipe else None
        found = []
        for outcome in run_scripts(runs, self.scratch, self.at_once):
            start = twins.start_of(outcome, self.understood, "standard" in recipe)
            made = None if start is None else twins.twin_of(start, match.loss, beyond[0] if beyond else 1.0)
            if made is None:
                self.strange += 1
                return None
            found.append(made)
        self.strange = 0
        return found

    def foreseen(self, recipe: Recipe, edits: list[Edit], seeds: list[int]) -> int | None:
        """On how many of these seeds the twins reach the target; None where there are none."""
        found = self.mirrored(recipe, edits, seeds)
        if found is None:
            return None
        most = max((each.value for each in self.found.iterations), default=self.iterations)
        count = round(most * recipe.get("iterations x", 1))
        until = max((each.value * recipe.get("until x", 1) for each in self.bounds), default=-float("inf"))
        ended = [each.trained(count, until / self._unit(each), lambda: self.late) for each in found]
        return sum(each.reached for each in ended)

    def _unit(self, twin: twins.Twin) -> float:
        """How many of the script's costs one of the twin's is."""
        match = self.understood.match
        assert match is not None
        return abs(match.factor) * len(twin.Y) * (2 if match.loss == "squared error" else 1)

    def count(self, recipe: Recipe, edits: list[Edit], seeds: list[int], mirrored: bool) -> int | None:
        """On how many of these seeds it reaches the target, by twins, or by running it; None: there are no twins."""
        return self.foreseen(recipe, edits, seeds) if mirrored else self.reached(edits, seeds)

    @property
    def late(self) -> bool:
        return time.monotonic() > self.until


def prepared(
    understood: Understood, mended: list[Edit], argv: tuple[str, ...], scratch: Path, until: float, at_once: int
) -> Search:
    """Find out what can be turned in a source."""
    search = Search(understood, mended, argv, scratch, until, at_once)
    search.found = knobs(understood, argv, scratch, at_once)
    functions = kinds(understood.source, scratch)
    search.tanh = to_tanh(understood.source, functions)
    search.range = widened(understood, functions.get("sigmoid", []))
    search.bounds = bounds(understood)
    return search


def cure(search: Search, not_tried: list[str]) -> Cure | None:
    """The first recipe that reaches the target on all seeds, without the parts that it does not need.

    First those that our own arrays can make the steps of, which is fast; then the others, by running them.
    """
    tried: list[tuple[int, Recipe, list[Edit]]] = []
    left = list(_recipes(search, bool(search.mended)))
    for mirrored in (True, False):
        waiting, left = left, []
        for recipe, edits in waiting:
            if search.late:
                not_tried.append("further cures")
                break
            count = _counted(search, recipe, edits, mirrored)
            if count is None:
                left.append((recipe, edits))
            elif count == SEEDS:
                recipe, edits, without = _smallest(search, recipe, edits, mirrored)
                count = search.reached(edits, list(range(SEEDS)))
                if count == SEEDS:
                    return _told(search, recipe, edits, SEEDS, without)
            if count and not mirrored:
                tried.append((count, recipe, edits))
    best = max(tried, key=lambda each: each[0], default=None)
    return None if best is None else _told(search, best[1], best[2], best[0], {})


def _counted(search: Search, recipe: Recipe, edits: list[Edit], mirrored: bool) -> int | None:
    """On how many seeds it reaches the target: of two, and where it does on both, of all."""
    seeds = list(range(SEEDS))
    count = search.count(recipe, edits, seeds[:2], mirrored)
    if count != 2:
        return None if count is None else 0
    more = search.count(recipe, edits, seeds[2:], mirrored)
    return None if more is None else 2 + more


def _recipes(search: Search, mended: bool) -> Iterator[tuple[Recipe, list[Edit]]]:
    seen: set[str] = set()
    needed: Recipe = {"range": 1} if search.range else {}  # without it some labels cannot be reached at all
    needed |= {"until x": 0.1} if search.range and search.bounds else {}
    alone: tuple[Recipe, ...] = ({},) if mended or needed else ()
    for changed in alone + SINGLE + TOGETHER:
        recipe = {**needed, **changed}
        edits = search.edits(recipe)
        if edits is None or repr(edits) in seen:
            continue
        seen.add(repr(edits))
        try:
            search.understood.source.edited([*search.mended, *edits]).tree  # noqa: B018
        except SyntaxError:
            continue
        yield recipe, edits


def _smallest(
    search: Search, recipe: Recipe, edits: list[Edit], mirrored: bool
) -> tuple[Recipe, list[Edit], dict[str, int]]:
    """Each part left out in turn: what is not needed goes, and of what is it is known what happens without."""
    without: dict[str, int] = {}
    for key in list(recipe):
        if len(recipe) < 2 or search.late:
            break
        less = {each: value for each, value in recipe.items() if each != key}
        fewer = search.edits(less)
        if fewer is None:
            continue
        count = search.count(less, fewer, list(range(SEEDS)), mirrored)
        if count == SEEDS:
            recipe, edits = less, fewer
        elif count is not None:
            without[key] = count
    return recipe, edits, without


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
        "range": "the outputs end before the labels do; so many times as wide they reach all of them",
        "until x": f"the loop ends at this cost; {value:g} times it is taken",
    }[key]
    return f"{text}: {told}" if text else told
