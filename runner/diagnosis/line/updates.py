"""Is a network's own step(lr) an optimizer's, array by array; and where it is not, which mistake is in which line.

Steps are taken from several places, each with the gradient there, and compared with those of the optimizers that are
known (`steps`). What is none of them, and none of their mistakes, and is not fixed by a small change, gets no name.
"""

import ast
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from runner.diagnosis.line.clock import now
from runner.diagnosis.line.mistake import LineMistake
from runner.diagnosis.line.protocol import Point
from runner.diagnosis.line.repair import Repair, Source, repair
from runner.diagnosis.line.sentences import KINDS, line_text
from runner.diagnosis.line.steps import MISTAKES, Rule, rules
from runner.nn.types import Array
from runner.training.own.network import NetworkError, NetworkProblem, OwnNetwork

STEPS = 5
LR = 0.01
BIAS_DECAYS = "the bias decays"
NEEDS_MORE = ("the corrected moments are fed back", "the bias correction is missing")  # than a change of one line
CLOSE = 1e-9  # so much of its size may a step be off
BETAS, EPSILONS = (0.9, 0.99, 0.999), (1e-8, 1e-7, 1e-6, 0.0)


class Taken(NamedTuple):
    """What a network did: by array, its gradients and the steps that it took away, from STEPS `places`."""

    gradients: Mapping[str, list[Array]]
    steps: Mapping[str, list[Array]]
    places: Mapping[str, list[Array]]


def taken(network: OwnNetwork, at: Point, sign: float = 1.0) -> Taken:
    """Let a network step from several places; `sign` turns its gradients into slopes."""
    rng = np.random.default_rng(at.seed)
    gradients: dict[str, list[Array]] = {name: [] for name, _ in network.layout}
    steps: dict[str, list[Array]] = {name: [] for name, _ in network.layout}
    places: dict[str, list[Array]] = {name: [] for name, _ in network.layout}
    for _ in range(STEPS):
        network.write(at.theta + 0.3 * rng.standard_normal(len(at.theta)))
        before = network.theta()
        g = network.gradient(at.X, at.Y)
        network.step(LR)
        after = network.theta()
        parts = zip(network.layout, network.split(g), network.split(before - after), network.split(before), strict=True)
        for (name, _), slope, step, place in parts:
            gradients[name].append(sign * slope)
            steps[name].append(step)
            places[name].append(place)
    return Taken(gradients, steps, places)


def updates(
    fresh: Callable[[], OwnNetwork],
    at: Point,
    layers: Mapping[str, int],
    sign: float,
    seconds: float,
    biases: Collection[str] = (),
) -> list[LineMistake] | None:
    """The mistakes of step(lr), each with its line, where they can be told; None where all steps are an optimizer's.

    Weights may decay; where one of the `biases` does, that is a mistake.
    """
    base = fresh()
    step = getattr(base.functions.step, "__func__", base.functions.step)
    code = getattr(step, "__code__", None)
    if code is None:
        return []
    source = Source(code.co_filename)
    known = list(rules(*_constants(source)))
    found = taken(base.copied(), at, sign)
    named = {name: _rule(found, name, known) or _decayed(source, found, name, known, biases) for name, _ in base.layout}
    wrong = [name for name, rule in named.items() if rule is None or not rule.right]
    if not wrong:
        return None
    if all(not np.any(each) for steps in found.steps.values() for each in steps):
        return []
    inside = _lines(source, code.co_name, code.co_firstlineno)
    until = now() + seconds
    mistakes: list[LineMistake] = []
    for name in wrong:
        rule = named[name]
        if not any(np.any(step) for step in found.steps[name]):
            mistakes += _written_elsewhere(source, inside, name, layers, code.co_name)
            continue
        if rule is not None and any(each.kind == rule.name for each in mistakes) and rule.name in MISTAKES:
            continue
        right = _mends(base, at, sign, name, known)
        alone = inside and (rule is None or rule.name not in NEEDS_MORE)
        mended = repair([(source.file, line) for line in inside], [], set(), right, until) if alone else None
        mistake = _told(source, inside, name, rule, mended, layers, code.co_name)
        if mistake is not None and mistake.line not in [each.line for each in mistakes]:
            mistakes.append(mistake)
    return sorted(mistakes, key=lambda each: each.line)


def _mends(base: OwnNetwork, at: Point, sign: float, name: str, known: Sequence[Rule]) -> Callable[[], bool]:
    right_ones = [rule for rule in known if rule.right]

    def right() -> bool:
        with np.errstate(all="ignore"):
            try:
                again = taken(base.copied(), at, sign)
            except (NetworkError, NetworkProblem):
                return False
            return _rule(again, name, right_ones) is not None

    return right


def _rule(found: Taken, name: str, known: Sequence[Rule]) -> Rule | None:
    """The rule by which these steps are made of these gradients."""
    gradients, steps = found.gradients[name], found.steps[name]
    with np.errstate(all="ignore"):
        for rule in known:
            made = rule.steps(gradients, LR)
            if all(_close(a, b) for a, b in zip(steps, made, strict=True)):
                return rule
    return None


def _decayed(source: Source, found: Taken, name: str, known: Sequence[Rule], biases: Collection[str]) -> Rule | None:
    """The rule with a decay λθ, in the gradient or beside it, by which these steps are made."""
    right = [rule for rule in known if rule.right]
    gradients, steps, places = found.gradients[name], found.steps[name], found.places[name]
    for decay in _decays(source):
        within = [g + decay * place for g, place in zip(gradients, places, strict=True)]
        beside = [step - LR * decay * place for step, place in zip(steps, places, strict=True)]
        for moved in (Taken({name: within}, {name: steps}, {}), Taken({name: gradients}, {name: beside}, {})):
            rule = _rule(moved, name, right)
            if rule is not None:
                return Rule(BIAS_DECAYS if name in biases else rule.name, name not in biases, rule.steps)
    return None


def _decays(source: Source) -> list[float]:
    """The decays that the source names: each of its small numbers, and twice as much."""
    numbers = {
        float(node.value)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and 0 < node.value <= 0.5
    }
    return [factor * each for each in sorted(numbers)[:6] for factor in (1.0, 2.0)]


def _close(a: Array, b: Array) -> bool:
    # θ - step is rounded to θ's last place: a step is known to about 1e-14 of θ.
    return bool(np.linalg.norm(a - b) <= CLOSE * np.linalg.norm(b) + 1e-14 * np.sqrt(a.size))


def _constants(source: Source) -> tuple[list[float], list[float]]:
    """The decays and epsilons that the source names, and the usual ones."""
    numbers = {
        float(node.value)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    }
    betas = sorted({each for each in numbers if 0.05 < each < 1} | set(BETAS))[:8]
    epsilons = sorted({each for each in numbers if 0 < each <= 1e-3} | set(EPSILONS))
    return betas, epsilons[:6]


def _lines(source: Source, name: str, first: int) -> list[int]:
    """The lines of step, and of the short functions that it calls."""
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.FunctionDef)
            and node.name == name
            and node.lineno <= first + 3
            and (node.end_lineno or 0) >= first
        ):
            lines = sorted(
                {each.lineno for each in ast.walk(node) if isinstance(each, ast.Assign | ast.AugAssign | ast.Return)}
            )
            called = [line for each in lines for line in source.used(each)[1]]
            return list(dict.fromkeys([*lines, *called]))
    return []


def _told(
    source: Source,
    inside: Sequence[int],
    name: str,
    rule: Rule | None,
    mended: Repair | None,
    layers: Mapping[str, int],
    function: str,
) -> LineMistake | None:
    layer = layers.get(name)
    wrong = rule.name if rule is not None and not rule.right else ""
    if mended is not None:
        kind = wrong or KINDS.get(mended.kind, mended.kind)
        text = line_text(source.file, mended.line)
        says = f"step(lr) of {name}: `{mended.old}` should be `{mended.new}`" if mended.old else f"step(lr) of {name}"
        says = f"{wrong[0].upper() + wrong[1:]}; {says}" if wrong else says
        return LineMistake(
            source.file,
            mended.line,
            function,
            text,
            layer,
            name,
            kind,
            f"{says}: with it the steps are right.",
            mended.text,
        )
    if not wrong:
        return None
    line = _place(source, inside, wrong)
    if not line:
        return None
    why = {**MISTAKES, BIAS_DECAYS: "only weights should"}.get(wrong, "the step goes up the slope")
    sentence = f"The steps of {name} are exactly those of an optimizer in which {wrong}: {why}."
    return LineMistake(source.file, line, function, line_text(source.file, line), layer, name, wrong, sentence, "")


def _written_elsewhere(
    source: Source, inside: Sequence[int], name: str, layers: Mapping[str, int], function: str
) -> list[LineMistake]:
    """The line that computes an array less its step, and gives it to another name: the array stays as it is."""
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    for line in inside:
        found = source.statement(line)
        statement = found[2] if found is not None else None
        if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.BinOp):
            continue
        target, value = ast.unparse(statement.targets[0]), statement.value
        less = isinstance(value.op, ast.Sub) and word.search(ast.unparse(value.left))
        if less and not word.search(target):
            says = f"{name} less its step goes to `{target}`: {name} stays as it is, and its gradient is not 0."
            text = line_text(source.file, line)
            return [
                LineMistake(source.file, line, function, text, layers.get(name), name, "written elsewhere", says, "")
            ]
    return []


def _place(source: Source, inside: Sequence[int], wrong: str) -> int:
    """The line of step in which a mistake that is proved can only be."""
    statements = {line: found[2] for line in inside if (found := source.statement(line)) is not None}
    for line, statement in statements.items():
        text = ast.unparse(statement)
        value = (
            ast.unparse(statement.value)
            if isinstance(statement, ast.Assign | ast.AugAssign) and statement.value
            else ""
        )
        if wrong == "the corrected moments are fed back" and "**" in value and "/" in text:
            targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
            if any(
                each is not None and (ast.unparse(each) in value or isinstance(statement, ast.AugAssign))
                for each in targets
            ):
                return line
        if wrong in ("the bias correction is missing", "epsilon is inside of the root") and "sqrt" in text:
            return line
        if wrong == "the moments begin again at every step" and ("zeros" in value or value == "0"):
            return line
        if wrong == "ascent" and isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add):
            return line
    return 0
