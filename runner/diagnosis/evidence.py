"""Everything that a cause's function may ask about a failed run, each answer computed once, when it is first asked."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from runner.diagnosis import probes
from runner.diagnosis.case import Case, Course, Overrides
from runner.diagnosis.gradient.check import check_recipe
from runner.diagnosis.gradient.measure import Check
from runner.diagnosis.trials import DEAR, Outcome, outcomes, sound, work
from runner.diagnosis.watch import Watch
from runner.nn.types import Array
from runner.training.kinds import kind_of
from runner.training.stack import Stack
from runner.training.trainable import Trainable

LOOKS = 48  # states of the run that are looked at
SHARP = 4  # every so manyth of them by its curvature
FRESH = 1001  # the first of the seeds that trials add to the run's own
HELPS = 0.7  # times the final cost: a change that gets below it helps, though the target is missed
LIMIT = 4e11  # multiplications of a trial that is not worth its time


class Evidence:
    """A failed run (`case`, `course`), with instruments and trials at hand."""

    def __init__(self, case: Case, course: Course, watch: Watch | None = None):
        self.case, self.course, self.watch = case, course, watch or Watch()
        self._tried: dict[tuple[Overrides, tuple[int, ...]], Outcome | None] = {}

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """The run's own seed, and fresh ones."""
        return (self.case.recipe.seed, FRESH, FRESH + 1)

    @cached_property
    def blown_up(self) -> bool:
        """Non-finite, risen, or thrown back on the way: the symptoms of a step that is too long."""
        if self.course.status == "diverged" or self.course.nonfinite:
            return True
        cost = self.course.cost
        lowest = np.minimum.accumulate(cost)
        thrown = cost[1:] > 1.3 * lowest[:-1] + 1e-9
        return not sound(cost) or bool(self.case.full_batch and thrown.mean() > 0.05)

    @cached_property
    def check(self) -> Check:
        """The gradient check of the run's own backward pass and update, on a scratch copy."""
        return check_recipe(probes.narrowed(self.case.recipe))

    @cached_property
    def rho(self) -> Array:
        """The slope of the cost along the claimed gradient over its size, by layer: 1 is right."""
        return np.array([layer.rho for layer in self.check.layers])

    @cached_property
    def factor(self) -> float:
        """A constant that the whole gradient is too large by: the learning rate under another name. 1 where none is."""
        if not self.case.known:
            return 1.0
        mistake = self.check.mistake
        same = float(np.ptp(self.rho)) < 0.03 * abs(float(np.median(self.rho)))
        return float(mistake.evidence["c"]) if mistake and mistake.kind == "factor" and same else 1.0

    @cached_property
    def gradient_right(self) -> bool:
        return self.check.ok or (self.factor > 0 and self.factor != 1.0)

    @cached_property
    def head_ratios(self) -> probes.Ratios:
        return probes.head_ratios(self.case.recipe)

    @cached_property
    def activation_error(self) -> tuple[float, float]:
        return probes.activation_error(self.case.recipe)

    @cached_property
    def theta0(self) -> Array:
        recipe = self.case.recipe
        return recipe.initial_parameters() if self.case.known else kind_of(recipe).start([recipe]).parameters(0)

    @cached_property
    def last(self) -> tuple[int, Array]:
        """The last state of the run in which all weights are numbers: (step, θ (P,)), by replaying it where need be."""
        if np.isfinite(self.course.theta).all() and not self.course.nonfinite:
            return int(self.course.steps[-1]), self.course.theta
        return self.replay.step, self.replay.parameters(0)

    @cached_property
    def states(self) -> list[Array]:
        """θ at LOOKS steps of the run, to the last before it left the numbers, as the replaying stack keeps it."""
        bad = self.course.nonfinite
        until = max(0, bad.step - 1) if bad else int(self.course.steps[-1])
        found = []
        with np.errstate(all="ignore"):
            for step in sorted(set(np.linspace(0, until, LOOKS).astype(int).tolist())):
                while self._stack.step < step:
                    self._stack.advance(self._stack.gradient())
                found.append(self._stack.theta[0].copy())
        return found

    @cached_property
    def replay(self) -> Trainable:
        """The run made again, to its last state in which everything is a number."""
        assert self.states
        return self._stack

    @cached_property
    def _stack(self) -> Trainable:
        recipe = self.case.recipe
        return Stack.start([recipe]) if self.case.known else kind_of(recipe).start([recipe])

    @cached_property
    def signal0(self) -> probes.Signal:
        return probes.signal(self.case.recipe, self.theta0)

    @cached_property
    def signal(self) -> probes.Signal:
        return probes.signal(self.case.recipe, self.last[1])

    @cached_property
    def gains(self) -> Array:
        return probes.gains(self.case.recipe, self.theta0)

    @cached_property
    def sharpness(self) -> tuple[float, float]:
        """The largest Hessian eigenvalue: (at the start, the largest along the run)."""
        recipe, stack = probes.whole(self.case.recipe), self.replay
        every = SHARP if work(recipe) < DEAR else 4 * SHARP
        states = [*self.states[:-1:every], self.states[-1]]
        values = [probes.sharpness(stack, recipe, theta) for theta in states]
        return values[0], float(np.nanmax([*values, 0.0]))

    @cached_property
    def line(self) -> Array:
        """J(θ - k lr g) - J(θ) for k = 1, .1, .01, at the last finite state."""
        return probes.line(self.replay, probes.whole(self.case.recipe), self.states[-1])

    def update_ratio(self) -> float:
        """The median over rows and layers of |ΔW| / |W|; NaN where there is none."""
        columns = [column for key, column in self.course.values.items() if key.startswith("update_ratio/")]
        values = np.concatenate([column[np.isfinite(column)] for column in columns]) if columns else np.empty(0)
        return float(np.median(values)) if len(values) else float("nan")

    def tried(self, changes: Sequence[Overrides], seeds: Sequence[int]) -> list[Outcome | None]:
        """How each change to the case goes on `seeds`; None where it does not go with it, or would take too long."""
        cases: dict[tuple[Overrides, tuple[int, ...]], Case] = {}
        for change in changes:
            key = change, tuple(seeds)
            if key not in self._tried and key not in cases:
                case = self.case.changed(*change)
                if case is None or work(case.recipe) > LIMIT:
                    self._tried[key] = None
                else:
                    cases[key] = case
        for key, outcome in zip(
            cases, outcomes(list(cases.values()), seeds, watch=self.watch) if cases else [], strict=True
        ):
            self._tried[key] = outcome
        return [self._tried[change, tuple(seeds)] for change in changes]

    def trial(self, change: Overrides) -> Outcome | None:
        """How a change to the case goes on all of its seeds: the run's own first."""
        first, rest = self.tried([change], self.seeds[:1])[0], self.tried([change], self.seeds[1:])[0]
        return first.beside(rest) if first and rest else None

    def mended(self, outcome: Outcome | None) -> bool:
        """Whether the trial is free of this run's failure: the target reached, or at least the blow-up gone."""
        if outcome is None:
            return False
        return outcome.cures or (self.blown_up and outcome.calms)

    def first_that_mends(self, changes: Sequence[Overrides]) -> tuple[Overrides, Outcome] | None:
        """The first of `changes` that reaches the target on all seeds, else on most, else at least ends a blow-up.

        All are tried with the run's own seed, and those that fix it, one after another, on fresh ones.
        """
        own = list(zip(changes, self.tried(changes, self.seeds[:1]), strict=True))
        most: tuple[Overrides, Outcome] | None = None
        calm: tuple[Overrides, Outcome] | None = None
        for change, first in own:
            if not self.mended(first) or ((most or calm) and first and not first.cures):
                continue
            outcome = self.trial(change)
            if outcome and outcome.reached.all():
                return change, outcome
            if outcome and outcome.cures:
                most = most or (change, outcome)
            elif outcome and self.mended(outcome):
                calm = calm or (change, outcome)
        return most or calm

    def best_of(self, changes: Sequence[Overrides]) -> tuple[Overrides, float] | None:
        """The change with the least final cost, where that is much less than the run's: (change, cost)."""
        tried = zip(changes, self.tried(changes, self.seeds[:1]), strict=True)
        costs = {
            change: float(outcome.cost[0]) for change, outcome in tried if outcome and np.isfinite(outcome.cost[0])
        }
        if not costs:
            return None
        best = min(costs, key=lambda change: costs[change])
        end = self.course.cost[-1]
        return (best, costs[best]) if not np.isfinite(end) or costs[best] < HELPS * end else None

    def reach(self, changes: Sequence[Overrides], seeds: int) -> tuple[int, int]:
        """(how many trainings reach the target, of how many), each change on fresh seeds; it stops at the first."""
        reached = of = 0
        for change in changes:
            case = self.case.changed(*change)
            if case is None or work(case.recipe) > LIMIT:
                continue
            for start in range(0, seeds, 3):
                fresh = range(FRESH + start, FRESH + min(start + 3, seeds))
                outcome = outcomes([case], fresh, ever=True, watch=self.watch)[0]
                reached, of = reached + int(outcome.reached.sum()), of + len(outcome.reached)
                if reached:
                    return reached, of
        return reached, of
