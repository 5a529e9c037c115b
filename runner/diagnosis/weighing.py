"""How a measure and what taking it back brings become a verdict."""

from collections.abc import Sequence

from runner.diagnosis.case import Overrides, Verdict
from runner.diagnosis.evidence import Evidence


def weighed(
    evidence: Evidence,
    excess: float,
    changes: Sequence[Overrides],
    layer: int | None,
    array: str,
    lines: str | Sequence[str],
    numbers: dict[str, float],
) -> Verdict:
    """The verdict of a measure (`excess` above 0 is remarkable) and of trials of `changes`, the least change first."""
    lines = [lines] if isinstance(lines, str) else list(lines)
    found = evidence.first_that_mends(changes)
    better = None if found else evidence.best_of(changes)
    if found:
        mend, outcome = found
        lines.append(f"with {' '.join(mend)}: {outcome.words()}" + ("" if outcome.cures else ", and none blows up"))
    elif better:
        mend, cost = better
        lines.append(f"with {' '.join(mend)} the cost ends at {cost:.4g}, {evidence.course.cost[-1]:.4g} without")
    else:
        mend = changes[0]
    remarkable = excess > 0
    weight = 2.0 if found and remarkable else 1.0 if found else 0.5 if remarkable else 0.3 if better else 0.0
    return Verdict(weight, excess, layer, array, tuple(lines), numbers, mend) if weight else Verdict()
