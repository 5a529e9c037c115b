"""What is seen of a failure, where it is seen first, and what the cost means: the same whatever the cause."""

import math

import numpy as np

from runner.diagnosis import probes
from runner.diagnosis.case import Case, Course

RISE = 1.3  # times the first cost
NEAR = 0.01  # of the entropy of the labels


def symptom(case: Case, course: Course) -> tuple[str, int]:
    """(what is seen, the step): exact for a value that is no number, else the logged row from which it holds."""
    steps, cost = course.steps, course.cost
    if course.nonfinite:
        return "non-finite", course.nonfinite.step
    risen = np.flatnonzero(cost > RISE * cost[0])
    if len(risen) and cost[-1] > cost[0]:
        return "cost rises", int(steps[risen[0]])
    flat = np.abs(cost - case.constant) <= NEAR * case.constant
    if flat[-1]:
        since = int(np.flatnonzero(~flat).max(initial=-1)) + 1
        if steps[-1] - steps[since] >= 0.1 * steps[-1]:
            return "base-rate plateau", int(steps[since])
    lowest = np.minimum.accumulate(cost)
    thrown = np.flatnonzero(cost[1:] > RISE * lowest[:-1] + 1e-9)
    if len(thrown) and (case.full_batch or cost[-1] > RISE * lowest[-1]):
        return "thrown back", int(steps[thrown[0] + 1])
    still = np.flatnonzero(lowest > lowest[-1] * 1.01)
    return "target missed", int(steps[min(int(still.max(initial=-1)) + 1, len(steps) - 1)])


def meaning(case: Case, course: Course) -> str:
    """The final cost in words: against the entropy of the labels, chance, and the least that can be reached."""
    finite = course.cost[np.isfinite(course.cost)]
    cost, constant = float(finite[-1]) if len(finite) else math.nan, case.constant
    Y = case.recipe.sets["train"].Y
    parts = [f"the last finite cost is {cost:.4g}"]
    if not case.known:
        return "; ".join([*parts, *_own_meaning(case, cost)])
    if case.loss.startswith("cross_entropy"):
        what = f"{constant:.4f} is the entropy of the labels, the cost of always answering the base rate"
        if abs(cost - constant) <= NEAR * constant:
            parts = [f"{what}: at {cost:.4f} the network does just that"]
        else:
            parts.append(what)
    else:
        parts.append(f"{constant:.4g} is the cost of always answering the mean")
    if case.classes:
        _, counts = np.unique(case.recipe.sets["train"].y, return_counts=True)
        parts.append(f"{counts.max() / counts.sum():.3f} right is chance")
    output = case.recipe.head.output
    half = 0.5 if case.loss == "half_squared_error" else 1.0
    least = half * probes.floor(Y, output.low, output.high)
    if least > 0:
        parts.append(f"no output in ({output.low:g}, {output.high:g}) costs less than {least:.4g}")
    return "; ".join(parts)


def _own_meaning(case: Case, cost: float) -> list[str]:
    """The same of a network of the user's own, whose cost is its own."""
    found = []
    if math.isfinite(case.constant):
        near = abs(cost - case.constant) <= NEAR * case.constant
        does = ", and the network does just that" if near else ""
        found.append(f"{case.constant:.4g} is what always giving the same answer costs it{does}")
    if case.classes:
        _, counts = np.unique(case.recipe.sets["train"].y, return_counts=True)
        found.append(f"{counts.max() / counts.sum():.3f} right is chance")
    return found
