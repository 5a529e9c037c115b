"""The training loop: a stack in, a stream of events out. NumPy only; it knows no files, no configuration, no tracking.

    for event in train(recipes): ...      # Rows as training goes, Checkpoints, and one End a member

The hot loop looks for non-finite values only where it logs. On a hit the member is replayed from the row before, step
by step, and the first bad step, layer and array are named exactly.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from runner.nn.types import Array
from runner.training import threads
from runner.training.kinds import kind_of
from runner.training.nonfinite import NonFinite
from runner.training.recipe import Recipe
from runner.training.trainable import Snapshot, Trainable, select

Status = Literal["finished", "diverged", "error", "killed", "interrupted", "pruned"]


class Rows(NamedTuple):
    """One row of the trace of each of `members` (k,): `values` (k,) by metric, after `step` updates."""

    step: int
    members: np.ndarray
    values: dict[str, Array]


class Checkpoint(NamedTuple):
    """All that `train` needs to resume `state.members` (k,) bit for bit: always the state at a logged step.

    `best` and `best_step` (k,) are early stopping's memory; `nonfinite` what has been found so far, by member.
    """

    state: Snapshot
    best: Array
    best_step: np.ndarray
    nonfinite: dict[int, NonFinite]


class End(NamedTuple):
    """A member has stopped: its status, its last step, its final parameters (P,), its first non-finite value if any."""

    member: int
    status: Status
    step: int
    theta: Array
    nonfinite: NonFinite | None


Event = Rows | Checkpoint | End
# (step, objective (k,), the less the better) -> which of these members stop here (k,)
Prune = Callable[[int, Array], np.ndarray]


def train(
    recipes: Sequence[Recipe],
    should_stop: Callable[[], bool] = lambda: False,
    resume: Checkpoint | None = None,
    prune: Prune | None = None,
) -> Iterator[Event]:
    """Train K networks as one stack.

    `recipes`: one a member; what a stack shares (see runner.training.stack) must be equal. What trains them is a
    `runner.training.trainable.Trainable`; this loop knows nothing else of them. `should_stop` is asked at
    every step; when it says yes, the members still running leave a checkpoint and end as interrupted. `resume` is where
    to go on from, its members numbered 0 .. K - 1 as the recipes are: its own row and all that follow are those of a
    run that was never stopped. `prune` is asked at every row but the last two which members end there as pruned; the
    others do not notice.

    >>> from runner.experiment.build import compose
    >>> recipe = compose(["dataset=xor", "training.iterations=2"]).recipe
    >>> [type(event).__name__ for event in train([recipe])]
    ['Rows', 'Rows', 'Rows', 'End']
    """
    with threads.limited(recipes[0]), np.errstate(all="ignore"):  # overflow is a result, and first_nonfinite says where
        yield from _Loop(recipes, should_stop, resume, prune).run()


class _Loop:
    """`stack` holds the members still running; `last_row` is their state at the last logged step before this one."""

    def __init__(
        self,
        recipes: Sequence[Recipe],
        should_stop: Callable[[], bool],
        resume: Checkpoint | None,
        prune: Prune | None,
    ):
        state = select(resume.state, np.arange(len(recipes))) if resume else None
        self.stack: Trainable = kind_of(recipes[0]).start(recipes, state)
        self.recipes, self.should_stop, self.plan, self.running = recipes, should_stop, self.stack.plan, True
        self.prune = prune
        self.last_row = self.stack.snapshot()
        self.nonfinite: dict[int, NonFinite] = dict(resume.nonfinite) if resume else {}
        K = len(recipes)
        self.best = resume.best.copy() if resume else np.full(K, np.inf)
        self.best_step = resume.best_step.copy() if resume else np.zeros(K, dtype=int)

    def run(self) -> Iterator[Event]:
        plan = self.plan
        while self.running:
            stopped = self.quiet_steps() or self.should_stop()
            step = self.stack.step
            if stopped:
                yield from self.interrupt()
                return
            if plan.checkpoint_every and step and step % plan.checkpoint_every == 0:
                yield self.checkpoint()
            if step % plan.log_every == 0 or step >= plan.iterations - 1:
                yield from self.logged_step()
            else:
                self.stack.advance(self.stack.gradient())

    def interrupt(self) -> Iterator[Event]:
        """End all that are still running, so that they can be resumed."""
        values = self.stack.measure().values
        yield from self.look(values.get("train/cost", np.zeros(len(self.stack.members))))
        if self.running:
            yield self.checkpoint()
            yield from self.end(np.arange(len(self.stack.members)), "interrupted")

    def quiet_steps(self) -> bool:
        """The steps up to the next at which something is due; whether a stop was asked for before one of them."""
        last, step = self.plan.iterations - 1, self.stack.step
        cadences = [every for every in (self.plan.log_every, self.plan.checkpoint_every) if every]
        until = min([last, *(step + -step % every for every in cadences)])
        return self.stack.quietly(max(0, until - step), self.should_stop)

    def logged_step(self) -> Iterator[Event]:
        """Measure, look at what was measured, update, and only then yield the row: the update's size is part of it."""
        measured = self.stack.measure()
        if not measured.sound:
            K = len(self.stack.members)
            yield from self.look(measured.values["train/cost"])
            if not self.running:
                return
            if len(self.stack.members) < K:
                measured = self.stack.measure()
        step, members, values = self.stack.step, self.stack.members, measured.values
        if step >= self.plan.iterations:
            yield Rows(step, members, values)
            yield from self.end(np.arange(len(members)), "finished")
            return
        self.last_row = self.stack.snapshot()
        change = self.stack.advance(measured.g if self.stack.full_gradient else self.stack.gradient())
        yield Rows(step, members, values | self.stack.update_ratios(change, measured.weight_norms))
        if self.plan.patience is not None:
            yield from self.stop_the_patient(step, values, self.plan.patience)
        if self.prune is not None and self.running and self.stack.step < self.plan.iterations:
            value = self.objective(values)[np.isin(members, self.stack.members)]
            yield from self.leave(np.flatnonzero(self.prune(step, value)), "pruned")

    def look(self, cost: Array) -> Iterator[Event]:
        """Post-mortems where a cost (K,) or a weight is not finite; members whose weights are not end here."""
        dead = ~np.logical_and.reduce(np.isfinite(self.stack.theta), axis=1)
        sick = dead | ~np.isfinite(cost)
        if sick.any():
            yield from self.post_mortems(sick)
        if dead.any():
            self.keep(np.logical_not(dead))

    def post_mortems(self, sick: np.ndarray) -> Iterator[Event]:
        for member in self.stack.members[sick]:
            if member not in self.nonfinite or not np.isfinite(self.theta_of(member)).all():
                yield from self.post_mortem(int(member))

    def post_mortem(self, member: int) -> Iterator[Event]:
        """Replay one member from the last row: name its first bad value, log the steps around it, and its end."""
        position = np.flatnonzero(self.last_row.members == member)
        replay = self.stack.again([self.recipes[member]], select(self.last_row, position))
        start, until, before = replay.step, self.stack.step, None
        while True:
            dead = not np.isfinite(replay.theta).all()
            row = Rows(replay.step, np.array([member]), replay.measure().values)
            found = None if member in self.nonfinite else replay.first_nonfinite()
            if found:
                self.nonfinite[member] = found
                if before is not None and before.step > start:
                    yield before
            # The row of `until` itself is logged with those of the other members, unless this one dies there.
            if dead or (found and start < replay.step < until):
                yield row
            if dead:
                yield End(member, "diverged", replay.step, replay.parameters(0), self.nonfinite[member])
            if dead or replay.step == until:
                return
            before = row
            replay.advance(replay.gradient())

    def stop_the_patient(self, step: int, values: dict[str, Array], patience: int) -> Iterator[Event]:
        """Early stopping: a member whose objective has not improved for `patience` iterations has finished."""
        value, members = self.objective(values), self.stack.members
        better = value < self.best[members]
        self.best[members] = np.where(better, value, self.best[members])
        self.best_step[members] = np.where(better, step, self.best_step[members])
        yield from self.leave(np.flatnonzero(step - self.best_step[members] >= patience), "finished")

    def leave(self, positions: np.ndarray, status: Status) -> Iterator[Event]:
        """The members at `positions` stop before their last iteration, each with a row of its final weights."""
        if len(positions):
            # One that has just left the numbers goes on to the next row, where its post-mortem is held.
            cost = self.some(positions).measure().values["train/cost"]
            known = np.isin(self.stack.members[positions], list(self.nonfinite))
            well = np.isfinite(self.stack.theta[positions]).all(axis=1) & (np.isfinite(cost) | known)
            positions = positions[well]
        if len(positions):
            # The update after this row has been made: the final weights get their row too.
            final = self.some(positions)
            yield Rows(final.step, final.members, final.measure().values)
            yield from self.end(positions, status)

    def objective(self, values: dict[str, Array]) -> Array:
        """What is ranked by (k,), the less the better."""
        return values[self.plan.objective] * (1 if self.plan.mode == "min" else -1)

    def end(self, positions: np.ndarray, status: Status) -> Iterator[End]:
        """The members at `positions` stop here; one whose cost was ever non-finite has diverged."""
        for position in positions:
            member = int(self.stack.members[position])
            nonfinite = self.nonfinite.get(member)
            ended: Status = "diverged" if nonfinite and status == "finished" else status
            yield End(member, ended, self.stack.step, self.stack.parameters(position), nonfinite)
        stays = np.ones(len(self.stack.members), dtype=bool)
        stays[positions] = False
        self.keep(stays)

    def keep(self, stays: np.ndarray) -> None:
        """Continue with the members where `stays` (k,) is true. Stopped ones cost nothing more."""
        self.running = bool(stays.any())
        if self.running:
            self.stack = self.some(np.flatnonzero(stays))
            kept = np.flatnonzero(np.isin(self.last_row.members, self.stack.members))
            self.last_row = select(self.last_row, kept)

    def some(self, positions: np.ndarray) -> Trainable:
        """The members at `positions` (k,) as they are now, in arrays of their own."""
        recipes = [self.stack.recipes[position] for position in positions]
        return self.stack.again(recipes, select(self.stack.snapshot(), positions))

    def checkpoint(self) -> Checkpoint:
        """The state at the last logged step: a post-mortem after a resume then starts where it would have without."""
        members = self.last_row.members
        return Checkpoint(self.last_row, self.best[members], self.best_step[members], dict(self.nonfinite))

    def theta_of(self, member: int) -> Array:
        return self.stack.theta[np.flatnonzero(self.stack.members == member)[0]]
