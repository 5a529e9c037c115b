"""Cures: of what the findings propose, values searched, the smallest change that reaches the target on fresh seeds.

Nothing is a cure that was not run. Candidates are what fixes the causes found, one after another, and all of it beside
one or two more changes; each is trained on fresh seeds as one stack. What reaches the target is then made smaller: any
part that can be left out is.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from runner.diagnosis.case import Case, Finding, Overrides, merged
from runner.diagnosis.causes import OWN_INIT, fresh_init_of
from runner.diagnosis.evidence import FRESH, LIMIT
from runner.diagnosis.trials import outcomes, work
from runner.diagnosis.watch import OutOfTime, Watch
from runner.training import threads

RATES = (0.1, 10.0, 0.3, 3.0, 0.03, 30.0, 100.0, 0.01)  # times the rate of the run, the nearer the sooner
WIDER = (16, 16)
PAIRS = 12  # of two further changes together, so many are tried


class Tried(NamedTuple):
    """A change, and on how many of how many fresh seeds it reaches the target."""

    overrides: Overrides
    reached: int
    of: int

    @property
    def cures(self) -> bool:
        return self.reached == self.of > 0


class Cure(NamedTuple):
    """The `best` of all that was `tried`, in the order in which it was; None where none reaches the target."""

    best: Tried | None
    tried: tuple[Tried, ...]


def search(case: Case, findings: Sequence[Finding], seeds: int, watch: Watch | None = None) -> Cure:
    """The smallest change that reaches the case's target on all of `seeds` fresh seeds, if found within `watch`."""
    mends = [tuple(finding.override) for finding in findings if finding.override]
    trials = _Trials(case, range(FRESH, FRESH + seeds), watch or Watch())
    found: Tried | None = None
    with threads.limited(case.recipe), np.errstate(all="ignore"), suppress(OutOfTime):
        chain = [_joined(mends[:number]) for number in range(1, len(mends) + 1)]
        found = trials.first_that_cures(chain)
        whole = chain[-1] if chain else ()
        more = further(case, whole)
        if found is None:
            found = trials.first_that_cures([merged(whole, change) for change in more])
        if found is None:
            found = trials.first_that_cures(_pairs(trials, whole, more))
        if found is not None:
            found = _smaller(trials, found)
    return Cure(found, tuple(trials.done.values()))


def further(case: Case, given: Overrides) -> list[Overrides]:
    """What may be changed beside `given`: each changes one thing, the smaller change first."""
    after = case.changed(*given) or case
    rates: list[Overrides] = [(f"optimizer.lr={after.configured_lr * factor:.3g}",) for factor in RATES]
    iterations = after.recipe.plan.iterations
    longer: list[Overrides] = [
        ("training.epochs=null", f"training.iterations={times * iterations}") for times in (3, 10)
    ]
    if not case.known:
        own_init: list[Overrides] = [OWN_INIT, ("architecture.init=he_normal", "architecture.init_scale=1.0")]
        ours = ("architecture.update=ours", "optimizer=adam", "optimizer.lr=0.01")
        return [*rates, *own_init, after.standardise, *after.targets_standardised, ours, *longer]
    width = f"architecture.hidden=[{','.join(map(str, WIDER))}]"
    larger: list[Overrides] = [("architecture.activation=tanh",), (width, "architecture.activation=tanh")]
    others: list[Overrides] = [after.standardise, ("optimizer=adam", "optimizer.lr=0.01")]
    return [*rates, fresh_init_of(after.activation), *others, *longer, *larger]


class _Trials:
    """What has been tried so far; the same change is not trained twice."""

    def __init__(self, case: Case, seeds: range, watch: Watch):
        self.case, self.seeds, self.watch = case, seeds, watch
        self.done: dict[Overrides, Tried] = {}
        self.cost: dict[Overrides, float] = {}  # the median of the final costs

    def first_that_cures(self, changes: Sequence[Overrides]) -> Tried | None:
        """All of `changes` are tried, those that share a stack at once; the first that cures."""
        fresh = {change: case for change in changes if change not in self.done and (case := self._case(change))}
        for change, outcome in zip(
            fresh, outcomes(list(fresh.values()), self.seeds, watch=self.watch) if fresh else [], strict=True
        ):
            self.done[change] = Tried(change, int(outcome.reached.sum()), len(outcome.reached))
            self.cost[change] = float(np.nan_to_num(np.median(outcome.cost), nan=np.inf))
        return next((self.done[change] for change in changes if change in self.done and self.done[change].cures), None)

    def _case(self, change: Overrides) -> Case | None:
        case = self.case.changed(*change)
        return case if case is not None and work(case.recipe) <= LIMIT else None


def _joined(mends: Sequence[Overrides]) -> Overrides:
    found: Overrides = ()
    for mend in mends:
        found = merged(found, mend)
    return found


def _pairs(trials: _Trials, whole: Overrides, more: Sequence[Overrides]) -> list[Overrides]:
    """Two changes together, those first whose own trials came nearest."""

    def nearness(change: Overrides) -> tuple[int, float]:
        tried = merged(whole, change)
        return -trials.done[tried].reached if tried in trials.done else 0, trials.cost.get(tried, np.inf)

    best = sorted(more, key=nearness)
    pairs = [(one, other) for rank, one in enumerate(best) for other in best[:rank]]
    pairs.sort(key=lambda pair: best.index(pair[0]) + best.index(pair[1]))
    joined = [merged(merged(whole, other), one) for one, other in pairs]
    return list(dict.fromkeys(joined))[:PAIRS]


def _smaller(trials: _Trials, found: Tried) -> Tried:
    """The same cure without the parts that it does not need."""
    for override in found.overrides:
        less = tuple(other for other in found.overrides if other != override)
        if less and (smaller := trials.first_that_cures([less])) is not None:
            found = smaller
    return found
