"""What is wrong in a user's network, and in which line: traced, located, and fixed by a change that is run.

    found = diagnose(fresh, points)          # fresh() makes the network, points are parameters and data to look at

The first point says where; the change that fixes it must hold at all of them. NumPy only.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from runner.diagnosis.line.adjoints import adjoints
from runner.diagnosis.line.calls import wrong_calls
from runner.diagnosis.line.clock import now
from runner.diagnosis.line.locate import DOUBTFUL, ArrayVerdict, Located, Suspect, compare, locate, lost, verdict
from runner.diagnosis.line.mistake import LineMistake
from runner.diagnosis.line.places import line_of
from runner.diagnosis.line.protocol import Point, traced
from runner.diagnosis.line.repair import Repair, repair
from runner.diagnosis.line.sentences import called_sentences, forked_sentence, located_sentence, repaired_sentence
from runner.diagnosis.line.stepwise import stepwise
from runner.diagnosis.line.tape import Node
from runner.diagnosis.line.within import generators
from runner.nn.types import Array
from runner.training.own.module import still
from runner.training.own.network import NetworkError, NetworkProblem, OwnNetwork

SECONDS = 10.0  # the search for a change takes no longer
FAITHFUL = 1e-3  # a trace is believed if its slope in a direction is that of the cost, to this share
UNFOLLOWED = "what the cost is computed by cannot be followed"
PLACES = 12  # so many lines are tried


class Diagnosis(NamedTuple):
    """The verdict by array, the mistakes in the order to fix, and why there is no line where there is none.

    `followed`: the trace of the cost is that of the cost; without it nothing here is said of the gradients.
    """

    ok: bool
    followed: bool
    arrays: tuple[ArrayVerdict, ...]
    mistakes: tuple[LineMistake, ...]
    why: str | None


def verdicts(fresh: Callable[[], OwnNetwork], at: Point) -> Diagnosis:
    """The verdict by array alone, at one point: exact, and as cheap as a few calls of `gradients`."""
    run = traced(fresh, at, data_too=False)
    found = compare(run.tape, run.cost, run.parameters, run.gradients)
    if not found.arrays or not faithful(fresh, at, found):
        return Diagnosis(False, False, (), (), found.lost or lost(run.tape) or UNFOLLOWED)
    return Diagnosis(found.ok, True, found.arrays, (), lost(run.tape))


def diagnose(
    fresh: Callable[[], OwnNetwork],
    points: Sequence[Point],
    layers: Mapping[str, int] | None = None,
    seconds: float = SECONDS,
    sign: float = 1.0,
) -> Diagnosis:
    """Compare the gradients of a network with the slopes of its cost, line by line.

    `layers` says of which layer a parameter is; `sign` is -1 where gradients should be minus the slope. Raises
    NetworkProblem and NetworkError as the network does.
    """
    until = now() + seconds
    run = traced(fresh, points[0])
    found = locate(run.tape, run.cost, run.parameters, run.gradients, sign)
    if not found.arrays or not faithful(fresh, points[0], found, sign):
        return Diagnosis(False, False, (), (), found.lost or lost(run.tape) or UNFOLLOWED)
    if found.ok:
        return Diagnosis(True, True, found.arrays, (), None)
    first = until - seconds / 4  # one mistake is likelier than several
    mended = mend(fresh, points, found, first, sign) if found.suspects else None
    several = stepwise(fresh, points[0], found, until, sign) if found.suspects and mended is None else []
    changes = [mended] if mended is not None else several
    mistakes = [repaired_sentence(each, found, layers or {}, len(changes)) for each in changes]
    if mended is not None and (calls := wrong_calls(mended, found)) is not None:
        mistakes = called_sentences(*calls, found, layers or {})
    if not mistakes and found.suspects:
        only = forked_sentence(found, layers or {}) or located_sentence(found, layers or {})
        mistakes = [only] if only is not None else []
    return Diagnosis(False, True, found.arrays, tuple(mistakes), found.lost)


def faithful(fresh: Callable[[], OwnNetwork], at: Point, found: Located, sign: float = 1.0) -> bool:
    """Whether the traced slope of the cost is its slope in a direction: nothing was lost on the way."""
    network = fresh()
    back = generators(*[each for each in network.functions if each is not None])
    slopes = sign * np.concatenate([each.true.ravel() for each in found.arrays])
    if len(slopes) != len(at.theta):
        return False
    direction = np.random.default_rng(1).normal(size=len(at.theta))
    wanted = float(slopes @ direction)

    def cost(theta: Array) -> float:
        network.write(theta)
        back()
        still(at.seed)
        return network.cost(at.X, at.Y)

    scale = max(float(np.abs(slopes) @ np.abs(direction)), 1e-300) / max(len(slopes), 1) ** 0.5
    with np.errstate(all="ignore"):
        for h in (1e-5, 1e-6, 1e-4, 1e-7):
            measured = (cost(at.theta + h * direction) - cost(at.theta - h * direction)) / (2 * h)
            if abs(measured - wanted) <= FAITHFUL * scale + 1e-8:
                return True
    return False


def mend(
    fresh: Callable[[], OwnNetwork], points: Sequence[Point], found: Located, until: float, sign: float = 1.0
) -> Repair | None:
    """A change of one line with which all gradients are right, and the cost is what it was, at all points."""
    network = fresh()
    wanted = [_truth(fresh, point, sign) for point in points[1:]]
    truths = [{each.name: each.true for each in found.arrays}, *wanted]
    back = generators(*[each for each in network.functions if each is not None])
    costs = [_cost(network, point, back) for point in points]

    def right() -> bool:
        with np.errstate(all="ignore"):
            for point, truth, cost in zip(points, truths, costs, strict=True):
                if truth is None:
                    continue
                network.write(point.theta)
                back()
                still(point.seed)
                given = network.split(network.gradient(point.X, point.Y))
                if not all(
                    verdict(name, g, truth[name]).right for (name, _), g in zip(network.layout, given, strict=True)
                ):
                    return False
                if not abs(_cost(network, point, back) - cost) <= 1e-9 * abs(cost):
                    return False
        return True

    likely = [place for each in found.suspects if each.score < DOUBTFUL for place in _places(each.node)]
    further = [each.node.place for each in found.suspects if each.score >= DOUBTFUL]
    if found.proof is not None:  # with the right adjoint there all is right
        likely.insert(0, found.proof.node.place)
    known = {each.node.place for each in found.suspects if each.score > DOUBTFUL or _goes_on(each)}
    return repair(list(dict.fromkeys(likely))[:PLACES], list(dict.fromkeys(further))[:PLACES], known, right, until)


def _goes_on(suspect: Suspect) -> bool:
    """A line that gives a right adjoint, and another one than it takes: what it hands on as it was may lack a step."""
    gives, takes = suspect.gives, suspect.takes
    return gives is not None and gives.what == "whole" and (takes is None or gives.target is not takes.target)


def _places(node: Node) -> list[tuple[str, int]]:
    """Its line, and before it the line that called the function it is in, where that is in the backward pass."""
    calls = [(code.co_filename, line_of(code, at)) for code, at in node.where]
    short = len(node.where) > 2 and node.where[1][0].co_filename == node.file
    return [calls[0], calls[1]] if short else calls[:1]


def _cost(network: OwnNetwork, at: Point, back: Callable[[], None]) -> float:
    network.write(at.theta)
    back()
    still(at.seed)
    return network.cost(at.X, at.Y)


def _truth(fresh: Callable[[], OwnNetwork], at: Point, sign: float) -> dict[str, Array] | None:
    """The true gradients at another point; None where it cannot be looked at."""
    try:
        run = traced(fresh, at, data_too=False)
    except (NetworkError, NetworkProblem):
        return None
    node = run.tape.node_of(run.cost)
    if node is None:
        return None
    slopes = adjoints(node)
    return {
        name: sign * slopes[leaf].total if leaf in slopes else np.zeros(np.shape(leaf.value))
        for name, leaf in run.parameters.items()
    }
