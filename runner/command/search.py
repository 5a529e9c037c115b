"""A search between Hydra's sweeper and `runner.sweeps.search`: its trials are the jobs of a sweep."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from hydra.core.utils import JobReturn
from omegaconf import DictConfig

from runner.command import session
from runner.command.conclude import conclude_sweep
from runner.command.hydra_files import directories, prepare, save_master
from runner.command.multirun import job_return
from runner.command.session import Session, Whole
from runner.experiment.experiment import Experiment
from runner.runs.names import what_differs
from runner.runs.record import SUMMARY, Result
from runner.screen import sweep as screen
from runner.screen import terminal
from runner.sweeps import membership
from runner.sweeps.jobs import Job
from runner.sweeps.search import storage
from runner.sweeps.search.ledger import Trial
from runner.sweeps.search.loop import Search
from runner.sweeps.search.owned import first_batch
from runner.training.train import Prune


def searching() -> bool:
    """Whether the command is a search."""
    return isinstance(session.current().order, Search)


def search(master: DictConfig) -> list[JobReturn]:
    """Run the search that the command line asks for, and conclude."""
    here = session.current()
    hunt = here.order
    assert isinstance(hunt, Search)
    for note in hunt.probe.notes:
        terminal.say(note)
    if hunt.probe.sweep.dry_run:
        drawn = [hunt.space.overrides(values) for values in first_batch(hunt)]
        experiments = here.checked.experiments(drawn)
        screen.rehearse(here.plan(experiments), what_differs(drawn), experiments, [])
        return []
    here.whole = Whole(hunt.id, Path(str(master.hydra.sweep.dir)).absolute())
    trials, results = _trained(here, hunt, master, here.whole)
    # Trials that are the same are one run.
    here.results = list({results[number].directory: results[number] for number in sorted(results)}.values())
    conclude_sweep(here, here.whole, here.results, lambda: screen.search_ends(hunt, trials), hunt.found(trials))
    return [job_return(result) for result in here.results]


def _trained(
    here: Session, hunt: Search, master: DictConfig, whole: Whole
) -> tuple[Sequence[Trial], Mapping[int, Result]]:
    """All trials of the search, and the results of those that have one, by number."""
    with storage.opened(hunt) as book:
        before = book.trials()
        results = {trial.number: found for trial in before if (found := _earlier(here, hunt, trial))}
        terminal.say(screen.search_begins(hunt, len([trial for trial in before if trial.status]), whole.directory))
        save_master(master, whole.directory)
        here.start_tracking(hunt.probe)
        for result in results.values():
            here.follow(result.directory)
        train = partial(_train_trials, here, hunt, master, whole.directory, results)
        late = hunt.run(book, train, lambda trials: terminal.say(screen.search_so_far(hunt, trials)))
        trials = book.trials()
    if late:
        terminal.say(screen.search_is_late(hunt, trials))
    # Other processes may have made some since.
    made = [trial for trial in trials if trial.number not in results]
    results |= {trial.number: found for trial in made if (found := _earlier(here, hunt, trial))}
    return trials, results


def _earlier(here: Session, hunt: Search, trial: Trial) -> Result | None:
    """The result of a trial that an earlier command has made, where its directory is still there."""
    if trial.status is None or trial.directory is None or not (trial.directory / SUMMARY).exists():
        return None
    experiment = here.checked.experiment(hunt.space.overrides(trial.drawn))
    return Result.read(experiment, trial.directory, hunt.name(trial))


def _train_trials(
    here: Session,
    hunt: Search,
    master: DictConfig,
    sweep_dir: Path,
    results: dict[int, Result],
    trials: Sequence[Trial],
    prune: Callable[[Experiment], Prune] | None,
) -> Mapping[int, Result]:
    """Train a batch; what was done before is not done again, and trials that are the same are run once."""
    experiments = here.checked.experiments([hunt.space.overrides(trial.drawn) for trial in trials])
    keys = [experiment.key() for experiment in experiments]
    done = here.index.ended(set(keys)) if hunt.probe.sweep.skip_done else {}
    jobs: dict[str, Job] = {}
    for trial, experiment, key in zip(trials, experiments, keys, strict=True):
        if key not in done and key not in jobs:
            (place,) = directories([experiment], master, sweep_dir, [trial.number])
            directory = prepare(experiment, master, place, trial.number)
            tags = {**membership.tags(hunt.id), "search": hunt.options.name, "trial": str(trial.number)}
            jobs[key] = Job(experiment, directory, hunt.name(trial), tags)
    made = {result.directory: result for result in _run(here, jobs, prune)} if jobs else {}
    for trial, experiment, key in zip(trials, experiments, keys, strict=True):
        if key in done:
            results[trial.number] = Result.read(experiment, done[key], hunt.name(trial))
            membership.join(done[key], hunt.id)
            here.follow(done[key])
        elif jobs[key].directory in made:
            results[trial.number] = made[jobs[key].directory]
    return {trial.number: results[trial.number] for trial in trials if trial.number in results}


def _run(here: Session, jobs: Mapping[str, Job], prune: Callable[[Experiment], Prune] | None) -> list[Result]:
    how = None if prune else here.plan([job.experiment for job in jobs.values()])
    return here.run(list(jobs.values()), how, prune)
