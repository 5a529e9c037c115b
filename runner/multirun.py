"""Between Hydra's multirun and `runner.sweep`: directories, names and returns of the jobs of a sweep."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from runner import screen, session
from runner.configuration import with_hydra
from runner.experiment import Experiment
from runner.record import Record, short_name
from runner.sweep import Job


def expand(arguments: Sequence[str]) -> list[list[str]]:
    """The overrides of each job of a sweep."""
    return session.current().composer.expand(arguments)


def launch(master: DictConfig, job_overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """Check every job, make the directories, train them all, and say how it went."""
    here = session.current()
    experiments = here.check(job_overrides)
    sweep_dir = Path(str(master.hydra.sweep.dir)).absolute()
    here.sweep = f"{sweep_dir.parent.name}_{sweep_dir.name}"
    sweep_dir.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(master, sweep_dir / "multirun.yaml")
    names = what_differs([experiment.overrides for experiment in experiments])
    jobs = [
        Job(experiment, _prepare(experiment, master, sweep_dir, number), name, {"sweep": here.sweep})
        for number, (experiment, name) in enumerate(zip(experiments, names, strict=True), first)
    ]
    screen.console().print(f"[bold]{len(jobs)} runs[/] in {screen.relative(sweep_dir)}")
    for note in dict.fromkeys(note for experiment in experiments for note in experiment.notes):
        screen.console().print(note, markup=False)
    records = here.run(jobs)
    if records:
        screen.leaderboard(records)
    return [_job_return(record) for record in records]


def what_differs(overrides: Sequence[Sequence[str]]) -> list[str]:
    """A name for each job: the overrides that are not the same in all of them.

    >>> what_differs([["dataset=xor", "seed=0"], ["dataset=xor", "seed=1"]])
    ['seed=0', 'seed=1']
    """
    same = set.intersection(*(set(job) for job in overrides))
    return [short_name(item for item in job if item not in same) or short_name(job) or "run" for job in overrides]


def _prepare(experiment: Experiment, master: DictConfig, sweep_dir: Path, number: int) -> Path:
    """The job's directory, with Hydra's own record of its configuration in it."""
    assert experiment.composed is not None
    config = with_hydra(experiment.composed, master, number)
    directory = sweep_dir / str(config.hydra.sweep.subdir)
    subdir = config.hydra.output_subdir
    if subdir is not None:
        (directory / subdir).mkdir(parents=True, exist_ok=True)
        OmegaConf.save(experiment.composed.config, directory / subdir / "config.yaml")
        OmegaConf.save(OmegaConf.masked_copy(config, ["hydra"]), directory / subdir / "hydra.yaml")
        OmegaConf.save(OmegaConf.create(list(experiment.overrides)), directory / subdir / "overrides.yaml")
    return directory


def objective(record: Record) -> float:
    """What Hydra's own sweepers optimise: the last value of the objective."""
    return record.last.get(record.experiment.recipe.plan.objective, float("nan"))


def _job_return(record: Record) -> JobReturn:
    composed: Any = record.experiment.composed
    returned = JobReturn(overrides=list(record.experiment.overrides), cfg=composed.config, hydra_cfg=composed.hydra)
    returned.return_value = objective(record)
    returned.status = JobStatus.COMPLETED
    return returned
