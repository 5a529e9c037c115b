"""Between Hydra's multirun and `runner.sweeps`: what its sweeper and launcher are given, and what they give back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import TaskFunction
from omegaconf import DictConfig

from runner.command import session
from runner.command.checked import Sweep, sweep_of
from runner.command.conclude import conclude_sweep
from runner.command.hydra_files import directories, job_config, prepare, save_master
from runner.command.session import Session, Whole
from runner.runs import journal
from runner.runs.result import Result
from runner.screen import sweep as screen
from runner.screen import terminal
from runner.sweeps import membership
from runner.sweeps.jobs import Job
from runner.sweeps.planning import Plan
from runner.sweeps.summary import sweep_id


def expand(arguments: Sequence[str]) -> Sequence[Sequence[str]]:
    """The overrides of each job of a sweep, as the door has expanded and checked them."""
    here = session.current()
    return here.order.jobs if isinstance(here.order, Sweep) else here.checked.composer.expand(arguments)


@dataclass(frozen=True)
class Planned:
    """What a launcher is given, before it begins: the `jobs`, `done` where those done before lie, by key, and `todo`:
    the position of the first job with each key that is left, and its directory.
    """

    jobs: Sweep
    done: Mapping[str, Path]
    todo: Mapping[int, Path]
    how: Plan | None


def launch(
    master: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first: int,
    callbacks: Callbacks,
    task: TaskFunction,
) -> list[JobReturn]:
    """Train what is not done of these jobs: all of a sweep, or the next ones that a sweeper of Hydra's asks for.

    The leaderboard and what follows come when all of them are over: `conclude`.
    """
    here = session.current()
    planned = _planned(here, master, job_overrides, first)
    experiments, keys = planned.jobs.experiments, planned.jobs.keys
    for note in dict.fromkeys(note for experiment in experiments for note in experiment.notes):
        terminal.say(note)
    if experiments[0].sweep.dry_run:
        _rehearse(planned)
        return []
    whole = here.whole
    assert whole is not None
    screen.announce(len(keys), len(planned.todo), len(set(keys) & set(planned.done)), whole.directory)
    if planned.how:
        terminal.say(str(planned.how))
    save_master(master, whole.directory)
    configs = {}
    if callbacks.callbacks:  # each wants the configuration of its job, Hydra's node and all
        configs = {number: job_config(experiments[number], master, first + number) for number in planned.todo}
    for config in configs.values():
        callbacks.on_job_start(config=config, task_function=task)
    returned = [job_return(result) for result in _trained(here, planned, whole, master, first)]
    for number, config in configs.items():
        if number < len(returned):  # an interrupt leaves jobs that were not begun
            callbacks.on_job_end(config=config, job_return=returned[number])
    return returned


def _planned(here: Session, master: DictConfig, job_overrides: Sequence[Sequence[str]], first: int) -> Planned:
    jobs = sweep_of(job_overrides, here.checked.experiments(job_overrides))
    whole = here.order if isinstance(here.order, Sweep) else jobs
    sweep_dir = Path(str(master.hydra.sweep.dir)).absolute()
    here.whole = Whole(sweep_id(whole.keys), sweep_dir)
    done = here.index.ended(set(jobs.keys)) if jobs.experiments[0].sweep.skip_done else {}
    numbers = sorted({key: n for n, key in reversed(list(enumerate(jobs.keys))) if key not in done}.values())
    left = [jobs.experiments[number] for number in numbers]
    places = directories(left, master, sweep_dir, [first + number for number in numbers])
    return Planned(jobs, done, dict(zip(numbers, places, strict=True)), here.plan(left) if left else None)


def _rehearse(planned: Planned) -> None:
    jobs = planned.jobs
    skipped = [jobs.names[number] for number, key in enumerate(jobs.keys) if key in planned.done]
    names = [jobs.names[number] for number in planned.todo]
    screen.rehearse(planned.how, names, [jobs.experiments[number] for number in planned.todo], skipped)


def _trained(here: Session, planned: Planned, whole: Whole, master: DictConfig, first: int) -> list[Result]:
    """A result for each job asked for that has one, in their order."""
    every = here.order if isinstance(here.order, Sweep) else planned.jobs
    names = dict(zip(every.keys, every.names, strict=True))
    experiments, keys, tags = planned.jobs.experiments, planned.jobs.keys, membership.tags(whole.id)
    jobs = {
        keys[number]: Job(
            experiments[number],
            prepare(experiments[number], master, directory, first + number),
            names.get(keys[number], planned.jobs.names[number]),
            tags,
        )
        for number, directory in planned.todo.items()
    }
    here.start_tracking(experiments[0])
    for directory in planned.done.values():
        membership.join(directory, whole.id)
        here.follow(directory)  # if it has not reached this store yet, it does now
    made = dict(zip(jobs, here.run(list(jobs.values()), planned.how), strict=False)) if jobs else {}
    here.made.update(made)
    here.done.update(planned.done)
    return [found for key, experiment in zip(keys, experiments, strict=True) if (found := here.found(key, experiment))]


def conclude(here: Session, order: Sweep) -> None:
    """The end of a sweep, whoever trained it: Hydra's own launchers, too, here or in other processes."""
    elsewhere = {} if here.whole else here.index.ended(set(order.keys), journal.STATUSES)
    if elsewhere:
        directory = next(iter(elsewhere.values())).parent
        here.whole = Whole(sweep_id(order.keys), directory)
        here.start_tracking(order.experiments[0])
        for found in elsewhere.values():
            membership.join(found, here.whole.id)
            here.follow(found)
        here.done.update(elsewhere)
    jobs = zip(order.keys, order.experiments, order.names, strict=True)
    here.results = [result for key, experiment, name in jobs if (result := here.found(key, experiment, name))]
    called = dict(zip(order.keys, order.names, strict=True))
    for result in here.results if elsewhere else ():  # made by this command, but by who knew of one job only
        result.name, result.skipped = called[result.experiment.key()], False
    if here.whole:
        conclude_sweep(here, here.whole, here.results)


def job_return(result: Result) -> JobReturn:
    """A result as Hydra wants it of its launcher."""
    composed: Any = result.experiment.composed
    returned = JobReturn(overrides=list(result.experiment.overrides), cfg=composed.config, hydra_cfg=composed.hydra)
    returned.return_value = result.objective
    returned.status = JobStatus.COMPLETED
    return returned
