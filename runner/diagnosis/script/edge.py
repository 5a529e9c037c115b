"""Is the learning rate at the edge: is the cost so curved, somewhere on the way, that a step goes too far?"""

from dataclasses import dataclass

from runner.diagnosis.script.cures import Search
from runner.diagnosis.script.settings import main_rates
from runner.diagnosis.script.twin import sharpest

NEAR = 0.95  # of 2 / rate


@dataclass(frozen=True)
class Edge:
    """The line of the rate, and the sentence: what was measured."""

    line: int
    sentence: str


def edge(search: Search, iterations: int) -> Edge | None:
    """Measured on the script's own network along its own way, where our arrays make its steps; else None.

    Gradient descent on a cost of curvature λ is stable while rate < 2 / λ (λ: the largest eigenvalue of the Hessian).
    """
    found = search.mirrored({}, [], [0])
    rates = main_rates(search.found.rate, search.understood)
    if not found or not rates:
        return None
    twin, stable = found[0], 2 / found[0].rate
    most = sharpest(twin, iterations)
    if most < NEAR * stable:
        return None
    line = rates[-1].node.lineno
    text = search.understood.source.line(line)
    return Edge(
        line,
        f"{text}: the rate is at the edge of what is stable: the largest curvature of the cost on the way is "
        f"{most:.3g}, and steps of {twin.rate:.3g} are stable where it is below {stable:.3g}.",
    )
