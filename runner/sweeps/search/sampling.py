"""Optuna's study of a search, in memory: what it is told, and what it draws then.

Optuna's own storages write several transactions a trial, so sampling never touches them: a batch is drawn here, and
then written at once by whoever keeps the trials.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from runner.experiment.samplers import SearchOptions
from runner.sweeps.search.space import Space

# A trial of Optuna's while it runs, and a copy of it as it was.
Running = Any
Frozen = Any


class Sampling:
    """A sampler and what it knows.

    `shown`: its values are those that people read in a study, else positions (see `Listed`); `before`: how many trials
    it has not drawn itself.
    """

    def __init__(self, space: Space, options: SearchOptions, directions: Sequence[Any], shown: bool, before: int = 0):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space, self.shown = space, shown
        self.storage = optuna.storages.InMemoryStorage()
        sampler = options.make(before)
        self.study = optuna.create_study(sampler=sampler, storage=self.storage, directions=directions)
        self.distributions = {one.key: one.shown() if shown else one.distribution() for one in space.ranges}
        self._always = {key: one for key, one in self.distributions.items() if key not in space.conditions}

    def drawn(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What a trial keeps of Optuna's parameters."""
        ranges = {one.key: one for one in self.space.ranges if one.key in params}
        return {key: one.position(params[key]) if self.shown else params[key] for key, one in ranges.items()}

    def ask(self, count: int) -> list[Running]:
        """The next trials, drawn while nothing is known of each other's end."""
        return [self._ask() for _ in range(count)]

    def _ask(self) -> Running:
        trial = self.study.ask(self._always)
        for key, rule in self.space.conditions.items():
            if rule.holds(self.drawn(trial.params)):
                _suggest(trial, key, self.distributions[key])
        return trial

    def learn(self, trials: Sequence[Frozen], study_attributes: Mapping[str, Any]) -> None:
        """What another storage has, from the first trial on."""
        for trial in trials:
            self.storage.create_new_trial(self.study._study_id, template_trial=trial)
        for key, value in study_attributes.items():
            self.storage.set_study_system_attr(self.study._study_id, key, value)

    @property
    def attributes(self) -> dict[str, Any]:
        """What the sampler keeps of the study as a whole."""
        return dict(self.storage.get_study_system_attrs(self.study._study_id))


def tell(storage: Any, trial: int, status: str, objectives: Sequence[float], rungs: Mapping[int, float]) -> None:
    """End a trial in a storage of Optuna's: what it came to, and what it was at each rung.

    The sampler's own hook for the end of a trial is left out: all that samplers without constraints do there is to stop
    an optimization that does not run.
    """
    from optuna.trial import TrialState

    for step, value in rungs.items():
        storage.set_trial_intermediate_value(trial, step, value)
    if status == "error":
        storage.set_trial_state_values(trial, TrialState.FAIL)
    elif status == "pruned":
        storage.set_trial_state_values(trial, TrialState.PRUNED, list(rungs.values())[-1:] or None)
    else:
        storage.set_trial_state_values(trial, TrialState.COMPLETE, list(objectives))


def _suggest(trial: Running, key: str, distribution: Any) -> None:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        trial.suggest_categorical(key, distribution.choices)
        return
    suggest = trial.suggest_int if isinstance(distribution, IntDistribution) else trial.suggest_float
    suggest(key, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
