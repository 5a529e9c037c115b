"""A search: trials are asked of an Optuna sampler in batches, trained as stacks, and what they gave is told to it.

The sampler draws from its seed and from what it was told, in this order. So a search is gone on with by asking and
telling again what the ledger holds: the next batch is the one that a search never stopped would have asked for.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from runner.experiment.experiment import Experiment
from runner.experiment.samplers import SearchOptions
from runner.experiment.schema import ConfigError
from runner.runs import journal
from runner.runs.names import short_name
from runner.runs.result import Result
from runner.sweeps.search.halving import Halving, at_rungs, rung_steps
from runner.sweeps.search.ledger import Ledger, Trial
from runner.sweeps.search.space import Space
from runner.training.train import Prune

# Trains these trials; the results, by number, of those that were begun.
Train = Callable[[Sequence[Trial], Callable[[Experiment], Prune] | None], Mapping[int, Result]]


@dataclass(frozen=True)
class Search:
    """What is searched for, where, and how: checked, and nothing begun. `probe` is like one of its trials."""

    space: Space
    options: SearchOptions
    probe: Experiment

    @classmethod
    def checked(cls, space: Space, itself: Experiment, probes: Sequence[Experiment]) -> "Search":
        """The search of a space, as `itself` has its keys. Raises ConfigError where trials could not be compared."""
        options = itself.search
        assert options is not None
        watched = {tuple(one.metric for one in probe.objectives) for probe in probes}
        problems = []
        if len(watched) > 1:
            names = " and ".join(sorted(", ".join(metrics) for metrics in watched))
            problems.append(f"objective.metric is {names} in different trials: name one that all of them have.")
        if options.pruning and len(probes[0].objectives) > 1:
            problems.append("search.pruning compares one number at each rung: it is for a single objective.")
        if problems:
            raise ConfigError(problems)
        return cls(space, options, itself)

    @property
    def id(self) -> str:
        """A digest of what decides which trials there are; `trials` only says how many of them."""
        how = {key: value for key, value in vars(self.options).items() if key not in ("trials", "storage")}
        decisive = [self.probe.key(), self.space.ranges, how, version("optuna")]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True, default=str).encode()).hexdigest()[:10]

    def name(self, trial: Trial) -> str:
        """What a trial is called: what is searched over, and nothing that all of them share."""
        return short_name(one.override(trial.drawn[one.key]) for one in self.space.ranges)

    def found(self, trials: Sequence[Trial]) -> dict[str, Any]:
        """What a search has come to, as MLflow's parameters: the best trial's values, or the front."""
        found: dict[str, Any] = {"search": self.options.name, "trials": len(trials)}
        front = best(trials)
        if len(self.probe.objectives) > 1:
            return found | {"front": json.dumps([self.name(trial) for trial in front])}
        for one in self.space.ranges if front else ():
            key, _, value = one.override(front[0].drawn[one.key]).partition("=")
            found[f"best/{key.lstrip('+')}"] = value
        return found

    def run(self, ledger: Ledger, train: Train, told: Callable[[Sequence[Trial]], None] = lambda trials: None) -> None:
        """Ask, train and tell until there are as many trials as wanted, or training was interrupted.

        `told` is given all trials that have ended, after each batch.
        """
        sampler = _Sampler(self)
        trials = ledger.trials()
        for number in dict.fromkeys(trial.batch for trial in trials):
            asked = [trial for trial in trials if trial.batch == number]
            sampler.ask(len(asked))
            if any(trial.status is None for trial in asked):
                asked = self._finish(asked, ledger, train)
                trials = [*(trial for trial in trials if trial.batch != number), *asked]
                told(trials)
                if any(trial.status is None for trial in asked):
                    return
            sampler.tell(asked)
        while len(trials) < self.options.trials:
            number = 1 + (trials[-1].batch if trials else -1)
            first, size = len(trials), min(self.options.batch, self.options.trials - len(trials))
            drawn = sampler.ask(size)
            asked = [Trial(first + place, number, one) for place, one in enumerate(drawn)]
            ledger.write(asked)
            asked = self._finish(asked, ledger, train)
            trials += asked
            told(trials)
            if any(trial.status is None for trial in asked):
                return
            sampler.tell(asked)

    def first_batch(self) -> list[Mapping[str, Any]]:
        """What the sampler draws first, when nothing is known."""
        return _Sampler(self).ask(min(self.options.batch, self.options.trials))

    def _finish(self, batch: Sequence[Trial], ledger: Ledger, train: Train) -> list[Trial]:
        """Train those of a batch that have not ended, and note how they did."""
        open_ones = [trial for trial in batch if trial.status is None]
        results = train(open_ones, self._halving(ledger.trials()) if self.options.pruning else None)
        ended = {
            trial.number: self._ended(trial, results[trial.number])
            for trial in open_ones
            if trial.number in results and results[trial.number].status not in (None, "interrupted")
        }
        ledger.write(list(ended.values()))
        return [ended.get(trial.number, trial) for trial in batch]

    def _ended(self, trial: Trial, result: Result) -> Trial:
        objectives = [one.sign * result.last.get(one.metric, math.nan) for one in result.experiment.objectives]
        if result.failed or not all(math.isfinite(value) for value in objectives):
            objectives = [math.inf] * len(objectives)  # no number is worse
        return replace(
            trial,
            status=str(result.status),
            objectives=objectives,
            rungs=self._at_rungs(result) if self.options.pruning else (),
            directory=result.directory,
        )

    def _at_rungs(self, result: Result) -> list[float]:
        """The objective at each rung that a run has come to."""
        assert self.options.pruning is not None
        plan, sign = result.experiment.recipe.plan, result.experiment.objectives[0].sign
        rows = {
            line["step"]: sign * line["values"].get(plan.objective, math.inf)
            for line, _ in journal.read(result.directory)
            if line["kind"] == "row" and line["step"] % plan.log_every == 0 and line["step"] < plan.iterations - 1
        }
        steps = rung_steps(plan.iterations, self.options.pruning, self.options.rungs)
        return [value if math.isfinite(value) else math.inf for value in at_rungs(rows, steps)]

    def _halving(self, trials: Sequence[Trial]) -> Callable[[Experiment], Prune]:
        """What says for each stack which of its members stop, by what `trials` were at the rungs."""
        pools = [[trial.rungs[k] for trial in trials if len(trial.rungs) > k] for k in range(self.options.rungs)]
        reduction = self.options.pruning
        assert reduction is not None
        return lambda experiment: Halving(experiment.recipe.plan.iterations, reduction, pools)


class _Sampler:
    """Optuna's study of a search, in memory."""

    def __init__(self, search: Search):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        directions: list[Any] = ["minimize"] * len(search.probe.objectives)
        self.study = optuna.create_study(sampler=search.options.make(), directions=directions)
        self.distributions = search.space.distributions()
        self.asked: list[Any] = []

    def ask(self, count: int) -> list[Mapping[str, Any]]:
        """What is drawn for the next trials, by key."""
        self.asked = [self.study.ask(self.distributions) for _ in range(count)]
        return [trial.params for trial in self.asked]

    def tell(self, batch: Sequence[Trial]) -> None:
        """How the trials asked for last have done."""
        from optuna.trial import TrialState

        for trial, ended in zip(self.asked, batch, strict=True):
            if ended.status == "error":
                self.study.tell(trial, state=TrialState.FAIL)
            elif ended.status == "pruned":
                for rung, value in enumerate(ended.rungs):
                    trial.report(value, rung)
                self.study.tell(trial, state=TrialState.PRUNED)
            else:
                self.study.tell(trial, list(ended.objectives))


def best(trials: Sequence[Trial]) -> list[Trial]:
    """The best trial that ran to its end; of several objectives the Pareto front: those that no other is as good as

    in all of them and better in one. Ordered by the first objective.
    """
    ended = [trial for trial in trials if trial.status == "finished" and all(map(math.isfinite, trial.objectives))]
    front = [one for one in ended if not any(_dominates(other.objectives, one.objectives) for other in ended)]
    front.sort(key=lambda trial: (list(trial.objectives), trial.number))
    return front[:1] if front and len(front[0].objectives) == 1 else front


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and list(one) != list(other)


def storage(options: SearchOptions) -> Path:
    """The file of the ledger; where it cannot be made, that is a mistake in the configuration."""
    path = Path(options.storage).absolute()
    if not path.parent.is_dir():
        raise ConfigError([f"search.storage={options.storage}: there is no directory {path.parent}."])
    return path
