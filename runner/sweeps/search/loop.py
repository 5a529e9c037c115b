"""A search: trials are asked of an Optuna sampler in batches, trained as stacks, and what they gave is told to it."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, Protocol

from runner.experiment.experiment import Experiment
from runner.experiment.samplers import SearchOptions
from runner.experiment.schema import ConfigError
from runner.runs import journal
from runner.runs.names import short_name
from runner.runs.result import Result
from runner.sweeps.search.halving import Halving, at_rungs, rung_steps
from runner.sweeps.search.ledger import Trial
from runner.sweeps.search.space import Interval, Space
from runner.training.train import Prune

UNDECISIVE = ("trials", "storage", "study", "timeout")

# Trains these trials; the results, by number, of those that were begun.
Train = Callable[[Sequence[Trial], Callable[[Experiment], Prune] | None], Mapping[int, Result]]


class Book(Protocol):
    """Where the trials of a search are kept, and drawn: a ledger of its own, or an Optuna study."""

    def claim(self) -> Sequence[Trial]:
        """The trials that this process is to train now; none where none are left."""

    def settle(self, trials: Sequence[Trial]) -> None:
        """Keep how these have ended."""

    def trials(self) -> list[Trial]:
        """All trials of the search, in their order."""


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
        limits = options.limits
        if limits.single and len(itself.objectives) > 1:
            problems.append(f"search={options.name} is for a single objective: search=tpe or nsga2 takes several.")
        if limits.listed:
            problems += [
                f"{one.key}: search={options.name} takes what is listed, and an interval has no end of numbers. Give "
                f"a list or range(), or take search=tpe."
                for one in space.ranges
                if isinstance(one, Interval)
            ]
        if problems:
            raise ConfigError(problems)
        return cls(space, options, itself)

    @property
    def wanted(self) -> int:
        """How many trials there are to be."""
        return int(min(self.options.trials, self.space.size)) if self.options.limits.listed else self.options.trials

    @property
    def id(self) -> str:
        """A digest of what decides which trials there are; how many of them and where they are kept does not."""
        how = {key: value for key, value in vars(self.options).items() if key not in UNDECISIVE}
        decisive = [self.probe.key(), self.space.ranges, how, version("optuna")]
        decisive += [self.space.conditions] if self.space.conditions else []
        return hashlib.sha256(json.dumps(decisive, sort_keys=True, default=str).encode()).hexdigest()[:10]

    def name(self, trial: Trial) -> str:
        """What a trial is called: what is searched over, and nothing that all of them share."""
        return short_name(self.space.chosen(trial.drawn))

    def found(self, trials: Sequence[Trial]) -> dict[str, Any]:
        """What a search has come to, as MLflow's parameters: the best trial's values, or the front."""
        found: dict[str, Any] = {"search": self.options.name, "trials": len(trials)}
        front = best(trials)
        if len(self.probe.objectives) > 1:
            return found | {"front": json.dumps([self.name(trial) for trial in front])}
        for text in self.space.chosen(front[0].drawn) if front else ():
            key, _, value = text.partition("=")
            found[f"best/{key.lstrip('+')}"] = value
        return found

    def run(self, book: Book, train: Train, told: Callable[[Sequence[Trial]], None] = lambda trials: None) -> bool:
        """Claim, train and settle until no trial is left, training was interrupted or the time is up: whether it is.

        `told` is given all trials, after each batch.
        """
        began, most = time.monotonic(), self.options.timeout or math.inf
        while batch := book.claim() if time.monotonic() - began < most else ():
            ended = self._trained(batch, book, train)
            book.settle(ended)
            told(book.trials())
            if len(ended) < len(batch):
                return False
        return time.monotonic() - began >= most

    def _trained(self, batch: Sequence[Trial], book: Book, train: Train) -> list[Trial]:
        """Those of a batch that have ended, and how."""
        results = train(batch, self._halving(book.trials()) if self.options.pruning else None)
        return [
            self._ended(trial, results[trial.number])
            for trial in batch
            if trial.number in results and results[trial.number].status not in (None, "interrupted")
        ]

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
