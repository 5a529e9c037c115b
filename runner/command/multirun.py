"""Between Hydra's multirun and `runner.sweeps`: what its sweeper and launcher are given, and what they give back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from runner.command import session
from runner.command.checked import Sweep
from runner.command.conclude import conclude_sweep
from runner.command.hydra_files import prepare, save_master
from runner.command.session import Session, Whole
from runner.experiment.experiment import Experiment
from runner.runs.names import what_differs, with_fault
from runner.runs.record import SUMMARY, Result
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
    """A sweep before it begins: `keys` says which jobs are the same, `done` where those done before lie, `todo` the
    position of the first job with each key that is left.
    """

    experiments: Sequence[Experiment]
    names: Sequence[str]
    keys: Sequence[str]
    done: Mapping[str, Path]
    todo: Mapping[str, int]
    how: Plan | None
    whole: Whole


def launch(master: DictConfig, job_overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """Plan the sweep, train what is not done, and conclude. Jobs that are the same are run once."""
    here = session.current()
    planned = _planned(here, job_overrides, Path(str(master.hydra.sweep.dir)).absolute())
    for note in dict.fromkeys(note for experiment in planned.experiments for note in experiment.notes):
        terminal.console().print(note, markup=False)
    if planned.experiments[0].sweep.dry_run:
        _rehearse(planned)
        return []
    here.whole = planned.whole
    screen.announce(
        len(planned.keys), len(planned.todo), len(set(planned.keys) & set(planned.done)), planned.whole.directory
    )
    here.results = _trained(here, planned, master, first)
    conclude_sweep(here, planned.whole, here.results)
    return [job_return(result) for result in here.results]


def _planned(here: Session, job_overrides: Sequence[Sequence[str]], sweep_dir: Path) -> Planned:
    experiments = here.checked.experiments(job_overrides)
    keys = [experiment.key() for experiment in experiments]
    names = what_differs([experiment.overrides for experiment in experiments])
    names = [with_fault(name, experiment) for name, experiment in zip(names, experiments, strict=True)]
    done = here.index.ended(set(keys)) if experiments[0].sweep.skip_done else {}
    todo = {key: number for number, key in reversed(list(enumerate(keys))) if key not in done}
    todo = dict(sorted(todo.items(), key=lambda item: item[1]))
    how = here.plan([experiments[number] for number in todo.values()]) if todo else None
    return Planned(experiments, names, keys, done, todo, how, Whole(sweep_id(keys), sweep_dir))


def _rehearse(planned: Planned) -> None:
    numbers = planned.todo.values()
    skipped = [planned.names[number] for number, key in enumerate(planned.keys) if key in planned.done]
    names = [planned.names[number] for number in numbers]
    screen.rehearse(planned.how, names, [planned.experiments[number] for number in numbers], skipped)


def _trained(here: Session, planned: Planned, master: DictConfig, first: int) -> list[Result]:
    """A result for each job asked for that has one, in their order."""
    if planned.how:
        terminal.console().print(str(planned.how), highlight=False)
    save_master(master, planned.whole.directory)
    jobs = {
        key: Job(
            planned.experiments[number],
            prepare(planned.experiments[number], master, planned.whole.directory, first + number),
            planned.names[number],
            membership.tags(planned.whole.id),
        )
        for key, number in planned.todo.items()
    }
    here.start_tracking(planned.experiments[0])
    for directory in planned.done.values():
        membership.join(directory, planned.whole.id)
        here.follow(directory)  # if it has not reached this store yet, it does now
    made = dict(zip(jobs, here.run(list(jobs.values()), planned.how), strict=False)) if jobs else {}
    results = []
    for experiment, key, name in zip(planned.experiments, planned.keys, planned.names, strict=True):
        if key in made:
            results.append(made[key])
        elif key in planned.done:
            results.append(Result.read(experiment, planned.done[key], name))
    return results


def judge(returned: Sequence[JobReturn]) -> None:
    """Note which jobs failed, where another launcher than ours has run them (in processes of its own)."""
    here = session.current()
    if here.results:
        return
    for job in returned:
        hydra_cfg: Any = job.hydra_cfg
        summary = Path(hydra_cfg.hydra.runtime.output_dir) / SUMMARY if hydra_cfg else Path()
        ended = json.loads(summary.read_text())["status"] if summary.is_file() else "error"
        here.failed_elsewhere += ended in ("diverged", "error")


def job_return(result: Result) -> JobReturn:
    """A result as Hydra wants it of its launcher."""
    composed: Any = result.experiment.composed
    returned = JobReturn(overrides=list(result.experiment.overrides), cfg=composed.config, hydra_cfg=composed.hydra)
    returned.return_value = result.objective
    returned.status = JobStatus.COMPLETED
    return returned
