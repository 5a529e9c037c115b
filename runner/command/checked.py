"""What a command line asks for, composed and checked: nothing is written before all of it is right."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.experiment import grids
from runner.experiment.build import compose_with
from runner.experiment.compose import Composer
from runner.experiment.experiment import Experiment
from runner.experiment.overrides import as_override
from runner.experiment.schema import ConfigError
from runner.experiment.sources import BUILT_IN, Sources
from runner.experiment.tracking import refuse_run_id
from runner.runs import journal
from runner.runs.files import hide
from runner.runs.names import what_differs, with_fault
from runner.runs.passwords import withheld
from runner.sweeps.search.loop import Search
from runner.sweeps.search.space import space_of


class Checked:
    """The experiments of a command, each composed and checked once."""

    def __init__(self, sources: Sources = BUILT_IN):
        self.composer = Composer(sources)
        self._known: dict[tuple[str, ...], Experiment] = {}

    def experiment(self, overrides: Sequence[str]) -> Experiment:
        """The checked experiment of these overrides; what was checked before is not made again."""
        key = tuple(overrides)
        if key not in self._known:
            experiment = compose_with(self.composer, overrides)
            # Hydra hands it back with the overrides that undo a preset's leftovers among the others.
            self._known[key] = self._known[experiment.overrides] = experiment
        return self._known[key]

    def experiments(self, jobs: Sequence[Sequence[str]]) -> list[Experiment]:
        """Every job's experiment. Raises ConfigError with the mistakes of all of them, each with the jobs it is in."""
        experiments: list[Experiment] = []
        found: dict[str, list[Sequence[str]]] = {}
        for overrides in jobs:
            try:
                experiments.append(self.experiment(overrides))
            except ConfigError as error:
                for problem in error.problems:
                    found.setdefault(problem, []).append(overrides)
        if not found:
            return experiments
        raise ConfigError(_in_jobs(problem, where, len(jobs)) for problem, where in found.items())

    def search(self, overrides: Sequence[str]) -> Search:
        """The search of these overrides. Raises ConfigError with all that is wrong with it and with its trials."""
        try:
            space = space_of(self.composer, overrides)
        except ConfigError as error:
            raise ConfigError([*error.problems, *self._problems([error.good])]) from error
        trials = self._problems(space.probes())
        own = self._problems([space.itself()])
        own = [problem for problem in own if not any(other.startswith(problem) for other in trials)]
        if own or trials:
            raise ConfigError([*own, *trials])
        return Search.checked(space, self.experiment(space.itself()), self.experiments(space.probes()))

    def guarded(self, overrides: Sequence[str]) -> list[str]:
        """The overrides, with one that keeps a password of the user's yaml files out of the record that Hydra makes."""
        written = str(self.composer.written(overrides, "tracking.uri"))
        typed = any(text.lstrip("+").startswith("tracking.uri=") for text in overrides)
        if typed or hide(written) == written:
            return list(overrides)
        return [*overrides, f"tracking.uri={as_override(withheld(written))}"]

    def _problems(self, jobs: Sequence[Sequence[str]]) -> list[str]:
        try:
            self.experiments(jobs)
        except ConfigError as error:
            return error.problems
        return []


@dataclass(frozen=True)
class Single:
    """One run."""

    experiment: Experiment


@dataclass(frozen=True)
class Sweep:
    """The jobs of a sweep, as expanded and checked. Jobs with the same key are the same, and run once."""

    jobs: Sequence[Sequence[str]]
    experiments: Sequence[Experiment]
    keys: Sequence[str]
    names: Sequence[str]


Order = Single | Sweep | Search


def ordered(checked: Checked, overrides: Sequence[str], multirun: bool) -> Order:
    """What these overrides ask for. Raises ConfigError with every mistake in them."""
    overrides = _spelled_out(overrides)
    tasks = [text for text in overrides if not text.lstrip("+~").startswith(("hydra.", "hydra/"))]
    searching = checked.composer.searching(overrides)
    swept = checked.composer.sweeping(overrides, multirun or searching)
    if swept is None:
        _refuse(tasks, "it is for a sweep. Add -m.")
        return Single(checked.experiment(tasks))
    refuse_run_id()
    own = [text for text in swept if text in tasks or text not in overrides]
    if searching:
        _refuse(tasks, "it is for a sweep; a search takes ranges.")
        if others := [text for text in overrides if text.startswith(("hydra/launcher=", "hydra/sweeper="))]:
            raise ConfigError([f"{text}: a search trains its trials as stacks itself." for text in others])
        return checked.search(own)
    if any(text.startswith("hydra/sweeper=") for text in overrides):
        _refuse(tasks, "only the runner's own sweeper knows it. Leave hydra/sweeper out.")
    jobs = checked.composer.expand(own)
    return sweep_of(jobs, checked.experiments(jobs))


def _spelled_out(overrides: Sequence[str]) -> list[str]:
    """The overrides with a list where they have geomspace or linspace. Raises ConfigError with all that are none."""
    found, problems = [], []
    for text in overrides:
        try:
            found.append(grids.spelled_out(text))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return found


def _refuse(words: Sequence[str], why: str) -> None:
    if problems := grids.refused(words, why):
        raise ConfigError(problems)


def sweep_of(jobs: Sequence[Sequence[str]], experiments: Sequence[Experiment]) -> Sweep:
    """The jobs with their keys, and with names that say in what they differ."""
    names = what_differs([experiment.overrides for experiment in experiments])
    names = [with_fault(name, experiment) for name, experiment in zip(names, experiments, strict=True)]
    return Sweep(jobs, experiments, [experiment.key() for experiment in experiments], names)


def words_for_hydra(checked: Checked, order: Order, overrides: Sequence[str]) -> list[str]:
    """The overrides that Hydra is to be called with."""
    own = checked.composer.words()
    if isinstance(order, Single):
        assert order.experiment.composed is not None
        return [*overrides, *order.experiment.composed.extra, *own]
    theirs = isinstance(order, Sweep) and any(text.startswith("hydra/sweeper=") for text in overrides)
    words = overrides if theirs else checked.composer.for_hydra(overrides)
    return [*words, *own]


def check_directory(overrides: Sequence[str], key: str) -> None:
    """A directory that was asked for can be made, and holds no run yet."""
    for text in overrides:
        name, _, value = text.partition("=")
        if name != key or "$" in value:
            continue
        if (Path(value) / journal.FILE).exists():
            raise ConfigError([f"{text} holds a run already. Choose another directory."])
        try:
            Path(value).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError([f"{text}: it cannot be made ({error.strerror})."]) from error


def _in_jobs(problem: str, where: list[Sequence[str]], jobs: int) -> str:
    if jobs == 1 or len(where) == jobs:
        return problem
    first = " ".join(where[0])
    return f"{problem} (in {len(where)} of {jobs} jobs, the first: {first})"
