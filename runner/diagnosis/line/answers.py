"""A predict of the user's own that answers one class whatever the parameters: a threshold that nothing can pass.

The cost may be as good as it likes: the accuracy stays at chance. NumPy only.
"""

from collections.abc import Callable, Sequence

import numpy as np

from runner.diagnosis.line.clock import now
from runner.diagnosis.line.mistake import LineMistake
from runner.diagnosis.line.protocol import Point, answered
from runner.diagnosis.line.repair import repair
from runner.diagnosis.line.sentences import line_text
from runner.diagnosis.line.tape import Node
from runner.training.own.network import NetworkError, NetworkProblem, OwnNetwork

COMPARED = ("greater", "greater_equal", "less", "less_equal")


def always_the_same(fresh: Callable[[], OwnNetwork], points: Sequence[Point], seconds: float) -> LineMistake | None:
    """The line that compares an output between 0 and 1 with a number that it cannot pass, where predict then answers
    one class at all `points`.
    """
    network = fresh()
    if network.functions.predict is None or len({_answer(network, point) for point in points}) != 1:
        return None
    try:
        found = [_threshold(fresh, point) for point in points]
    except (NetworkError, NetworkProblem):
        return None
    node = found[0]
    if node is None or any(each is None or each.place != node.place for each in found):
        return None

    def right() -> bool:
        return all(
            _answers(network, point) == _halves(point_node) for point, point_node in zip(points, found, strict=True)
        )

    mended = repair([node.place], [], set(), right, now() + seconds / 4)
    correction = mended.text if mended is not None else ""
    says = (
        "What is compared lies between 0 and 1, and is on one side of this number always: predict answers one class at"
    )
    says += " any parameters. The middle is 0.5."
    text = line_text(node.file, node.line)
    return LineMistake(node.file, node.line, node.function, text, None, None, "threshold", says, correction)


def _answers(network: OwnNetwork, at: Point) -> list[float]:
    network.write(at.theta)
    with np.errstate(all="ignore"):
        return np.ravel(network.predict(at.X)).astype(float).tolist()


def _answer(network: OwnNetwork, at: Point) -> float:
    """The one answer for all rows; NaN, which is like no other, where there are several."""
    answers = set(_answers(network, at))
    return answers.pop() if len(answers) == 1 else float("nan")


def _threshold(fresh: Callable[[], OwnNetwork], at: Point) -> Node | None:
    """The comparison of an output with a number, where all of it is on one side, and has both sides of 0.5 or could."""
    tape, _ = answered(fresh, at)
    n = at.Y.size
    for node in reversed(tape.nodes):
        if node.op not in COMPARED or not node.line:
            continue
        value, number = node.raw()[:2]
        inside = np.size(value) == n and np.size(number) == 1 and np.ptp(value) > 0
        if inside and np.min(value) > 0 and np.max(value) < 1 and not 0 < float(np.ravel(number)[0]) < 1:
            return node
    return None


def _halves(node: Node | None) -> list[float]:
    assert node is not None
    value = np.ravel(node.raw()[0])
    return (value > 0.5 if node.op.startswith("greater") else value < 0.5).astype(float).tolist()
