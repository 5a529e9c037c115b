"""A search in an Optuna study, which is the truth: several processes at once may resume it, and others read it.

What a process knows of the study is copied into memory before a batch is drawn. A batch is written when it is claimed,
and again when it has ended; nothing is written while it trains.
"""

import contextlib
import copy
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.experiment.schema import ConfigError
from runner.runs.provenance import command
from runner.sweeps.search.halving import rung_steps
from runner.sweeps.search.ledger import Trial
from runner.sweeps.search.loop import Search
from runner.sweeps.search.owners import NUMBERS, Owners
from runner.sweeps.search.sampling import Frozen, Sampling, tell

OWNER = "runner:owner"  # which process is at a trial; trials without it are not ours


class Shared:
    """The trials of a search in the study that is called `name`."""

    def __init__(self, search: Search, storage: Any, name: str, owners: Owners):
        import optuna

        self.search, self.storage, self.owners = search, storage, owners
        self.signs = [one.sign for one in search.probe.objectives]
        self.directions: list[Any] = ["minimize" if sign > 0 else "maximize" for sign in self.signs]
        self.owner = random.SystemRandom().randint(1, NUMBERS)
        self._written: dict[int, int] = {}  # the storage's own numbers of the trials claimed here
        owners.hold(self.owner)
        with owners.claiming():
            study = optuna.create_study(
                study_name=name, storage=storage, directions=self.directions, load_if_exists=True
            )
        self.study: int = study._study_id
        self._refuse_another(name, [direction.name.lower() for direction in study.directions])

    def trials(self) -> list[Trial]:
        """All trials of the search, in their order."""
        return [self._trial(one) for one in self._frozen() if OWNER in one.system_attrs]

    def claim(self) -> list[Trial]:
        """The trials that this process is to train now: those of a process that is gone, or new ones."""
        with self.owners.claiming():
            known = self._frozen()
            batch = self._orphans(known)[: self.search.options.batch] or self._new(known)
        self._written |= {one.number: one._trial_id for one in batch}
        return [self._trial(one) for one in batch]

    def settle(self, trials: Sequence[Trial]) -> None:
        """Write how these have ended."""
        with together(self.storage):
            for trial in trials:
                where = self._written[trial.number]
                self.storage.set_trial_user_attr(where, "status", trial.status)
                self.storage.set_trial_user_attr(where, "directory", str(trial.directory))
                values = [sign * value for sign, value in zip(self.signs, trial.objectives, strict=True)]
                rungs = {step: self.signs[0] * value for step, value in zip(self._rungs(), trial.rungs, strict=False)}
                tell(self.storage, where, str(trial.status), values, rungs)

    def _orphans(self, known: Sequence[Frozen]) -> list[Frozen]:
        """Trials that were claimed by processes that are no more."""
        running = [one for one in known if OWNER in one.system_attrs and not one.state.is_finished()]
        owners = {one.system_attrs[OWNER] for one in running} - {self.owner}
        gone = {owner for owner in owners if not self.owners.alive(owner)}
        taken = [one for one in running if one.system_attrs[OWNER] in gone]
        with together(self.storage):
            for one in taken[: self.search.options.batch]:
                self.storage.set_trial_system_attr(one._trial_id, OWNER, self.owner)
        return taken

    def _new(self, known: Sequence[Frozen]) -> list[Frozen]:
        """Draw the next trials and write them down; none where there are as many as wanted."""
        ours = sum(OWNER in one.system_attrs for one in known)
        size = min(self.search.options.batch, self.search.wanted - ours)
        if size <= 0:
            return []
        sampling = Sampling(self.search.space, self.search.options, self.directions, shown=True, before=len(known))
        before = self.storage.get_study_system_attrs(self.study)
        sampling.learn([_as_known(one) for one in known], _counts(before))
        asked, held = sampling.ask(size), sampling.study.trials
        drawn = [held[trial.number] for trial in asked]
        with together(self.storage):
            for one in drawn:
                one.system_attrs |= {OWNER: self.owner}
                again = self.search.space.overrides(sampling.drawn(one.params))
                one.user_attrs |= {"command": command(again)}
                one._trial_id = self.storage.create_new_trial(self.study, template_trial=one)
                one.number = self.storage.get_trial_number_from_id(one._trial_id)
            for key, value in _counts(sampling.attributes).items():
                if before.get(key) != value:
                    self.storage.set_study_system_attr(self.study, key, value)
        return drawn

    def _frozen(self) -> list[Frozen]:
        return sorted(self.storage.get_all_trials(self.study, deepcopy=False), key=lambda one: one.number)

    def _trial(self, one: Frozen) -> Trial:
        """A trial of the study as a search keeps it."""
        ranges = {each.key: each for each in self.search.space.ranges if each.key in one.params}
        drawn = {key: each.position(one.params[key]) for key, each in ranges.items()}
        if not one.state.is_finished():
            return Trial(one.number, 0, drawn)
        status = one.user_attrs.get("status", {"COMPLETE": "finished", "PRUNED": "pruned"}.get(one.state.name, "error"))
        values = one.values or [float("nan")] * len(self.signs)
        rungs = [self.signs[0] * one.intermediate_values[step] for step in sorted(one.intermediate_values)]
        directory = one.user_attrs.get("directory")
        objectives = tuple(sign * value for sign, value in zip(self.signs, values, strict=True))
        return Trial(one.number, 0, drawn, status, objectives, rungs, Path(directory) if directory else None)

    def _rungs(self) -> list[int]:
        options, plan = self.search.options, self.search.probe.recipe.plan
        return rung_steps(plan.iterations, options.pruning, options.rungs) if options.pruning else []

    def _refuse_another(self, name: str, directions: Sequence[str]) -> None:
        """A study of that name with other objectives or other lists is not this search's. Raises ConfigError."""
        from optuna.distributions import check_distribution_compatibility

        where = f"search.study={name}: there is a study of that name with other"
        if directions != self.directions:
            raise ConfigError([f"{where} objectives ({', '.join(directions)}). Choose another name."])
        asked = {one.key: one.shown() for one in self.search.space.ranges}
        for trial in self._frozen():
            for key, distribution in trial.distributions.items():
                try:
                    check_distribution_compatibility(asked.get(key, distribution), distribution)
                except ValueError:
                    raise ConfigError([f"{where} values for {key}. Choose another name."]) from None


def _as_known(one: Frozen) -> Frozen:
    """A trial for the sampler in memory; one that waits there for somebody is none of its own."""
    from optuna.trial import TrialState

    if one.state == TrialState.WAITING:
        one = copy.copy(one)
        one.state = TrialState.FAIL
    return one


def _counts(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What a sampler keeps of a study and means the same elsewhere: its place in a sequence, but no trials' ids."""
    return {key: value for key, value in attributes.items() if isinstance(value, int)}


@contextlib.contextmanager
def together(storage: Any) -> Iterator[None]:
    """One transaction of a database for all that is written inside; other storages are left as they are."""
    engine = getattr(storage, "engine", None)
    if engine is None:
        yield
        return
    from sqlalchemy.orm import scoped_session, sessionmaker

    each = storage.scoped_session
    with engine.begin() as connection:
        storage.scoped_session = scoped_session(sessionmaker(bind=connection))
        try:
            yield
        finally:
            storage.scoped_session.remove()
            storage.scoped_session = each
