"""Trials: trainings of a changed case on fresh seeds, as one stack, to see whether the change fixes the failure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from runner import Refusal
from runner.diagnosis.case import Case, Course
from runner.diagnosis.watch import OutOfTime, Watch
from runner.nn.types import Array
from runner.training import shrink
from runner.training.kinds import kind_of
from runner.training.recipe import Recipe
from runner.training.train import End, Rows, train

LOOKS = 50  # rows of a trial: enough to see a cost rise
DEAR = 3e10  # multiplications of one training, beyond which a trial has fewer seeds


class Outcome(NamedTuple):
    """How a changed case went, one number a seed: did it reach the target, was its course sound, its final cost.

    `sound`: numbers to the end, no rise by RISE above the lowest cost so far that it did not come back from.
    """

    reached: np.ndarray
    sound: np.ndarray
    cost: Array
    courses: tuple[Course, ...]

    @property
    def cures(self) -> bool:
        """Two of three seeds, or the like share of others."""
        return bool(3 * self.reached.sum() >= 2 * len(self.reached))

    @property
    def calms(self) -> bool:
        return bool(3 * self.sound.sum() >= 2 * len(self.sound))

    def beside(self, other: "Outcome") -> "Outcome":
        """The outcome on the seeds of both."""
        return Outcome(
            np.concatenate([self.reached, other.reached]),
            np.concatenate([self.sound, other.sound]),
            np.concatenate([self.cost, other.cost]),
            self.courses + other.courses,
        )

    def words(self) -> str:
        return f"{int(self.reached.sum())} of {len(self.reached)} seeds reach the target"


def work(recipe: Recipe) -> float:
    """The multiplications of one training, forward and backward."""
    weights = sum(a * b for a, b in pairwise(shrink.trained_widths(recipe)))
    return 3.0 * weights * recipe.plan.batch_size * recipe.plan.iterations


def sound(cost: Array) -> bool:
    """Whether a cost (T,) ends as a number, below where it began, without having blown up on the way."""
    if not np.isfinite(cost).all():
        return False
    lowest = np.minimum.accumulate(cost)
    return bool(cost[-1] <= cost[0] * 1.0001 and cost[-1] <= 1.3 * lowest[-1] + 1e-12)


def courses(
    recipes: Sequence[Recipe],
    enough: Callable[[Mapping[str, float]], bool] | None = None,
    watch: Watch | None = None,
) -> list[Course]:
    """Train recipes that may stand in one stack, and keep their traces; all stop where one's row is `enough`.

    Raises OutOfTime where the watch says so before the end.
    """
    watch = watch or Watch()
    stop: list[int] = []
    rows: list[list[tuple[int, dict[str, float]]]] = [[] for _ in recipes]
    ends: dict[int, End] = {}
    for event in train(recipes, lambda: bool(stop) or watch.now_and_then()):
        match event:
            case Rows(step, members, values):
                for position, member in enumerate(members.tolist()):
                    rows[member].append((step, {key: float(column[position]) for key, column in values.items()}))
                    if enough is not None and enough(rows[member][-1][1]):
                        stop.append(member)
            case End(member):
                ends[member] = event
    if not stop and watch.ended:
        raise OutOfTime
    found = []
    for member, lines in enumerate(rows):
        keys = dict.fromkeys(key for _, values in lines for key in values)
        columns = {key: np.array([values.get(key, np.nan) for _, values in lines]) for key in keys}
        end = ends[member]
        found.append(Course(np.array([step for step, _ in lines]), columns, end.status, end.nonfinite, end.theta))
    return found


def outcomes(
    cases: Sequence[Case], seeds: Sequence[int], ever: bool = False, watch: Watch | None = None
) -> list[Outcome]:
    """Each case on each of `seeds`; cases that are alike train as one stack. `ever`: one row that reaches is enough.

    Raises OutOfTime where the watch has no time left for them.
    """
    watch = watch or Watch()
    groups: dict[str, list[int]] = {}
    for number, case in enumerate(cases):
        groups.setdefault(case.alike, []).append(number)
    found: dict[int, Outcome] = {}
    for numbers in groups.values():
        recipes = [_quick(replace(cases[number].recipe, seed=seed)) for number in numbers for seed in seeds]
        enough = cases[numbers[0]].reached if ever else None
        if kind_of(recipes[0]).stacks:
            watch.experiment()
            ended = courses(recipes, enough, watch)
        else:
            ended = [_alone(recipe, enough, watch) for recipe in recipes]
        for place, number in enumerate(numbers):
            own = ended[place * len(seeds) : (place + 1) * len(seeds)]
            found[number] = _outcome(cases[number], own, ever)
    return [found[number] for number in range(len(cases))]


def _alone(recipe: Recipe, enough: Callable[[Mapping[str, float]], bool] | None, watch: Watch) -> Course:
    """The training of a network that cannot stand in a stack; where its code raises, it has ended there."""
    watch.experiment()
    try:
        (course,) = courses([recipe], enough, watch)
    except Refusal:
        return Course(np.zeros(1), {"train/cost": np.array([np.nan])}, "error", None, np.empty(0))
    return course


def _outcome(case: Case, ended: Sequence[Course], ever: bool) -> Outcome:
    def reached(course: Course) -> bool:
        if ever:
            best = np.nanmin if case.target.endswith("/cost") else np.nanmax
            value = float(best(course.values.get(case.target, np.array([np.nan]))))
            return case.reached({**course.final(), case.target: value})
        return course.status == "finished" and case.reached(course.final())

    return Outcome(
        reached=np.array([reached(course) for course in ended]),
        sound=np.array([course.status == "finished" and sound(course.cost) for course in ended]),
        cost=np.array([course.cost[-1] for course in ended]),
        courses=tuple(ended),
    )


def _quick(recipe: Recipe) -> Recipe:
    """The same training, looked at less often, without checkpoints and early stopping."""
    every = max(1, recipe.plan.iterations // LOOKS)
    return replace(recipe, plan=replace(recipe.plan, log_every=every, checkpoint_every=None, patience=None))
