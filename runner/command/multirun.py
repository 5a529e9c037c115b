"""Between Hydra's multirun and `runner.sweeps.jobs`: directories, names and returns of the jobs of a sweep."""

import copy
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from runner.command import session
from runner.experiment.compose import Composed, hydra_node
from runner.experiment.experiment import Experiment
from runner.runs import files
from runner.runs.files import SUMMARY, write_config
from runner.runs.journal import Journal
from runner.runs.names import what_differs, with_fault
from runner.runs.provenance import command
from runner.runs.result import Result
from runner.screen import run as screen
from runner.sweeps import leaderboard, membership
from runner.sweeps.jobs import Job, estimate
from runner.sweeps.search.ledger import Ledger, Trial
from runner.sweeps.search.loop import Search, storage
from runner.sweeps.workers.driver import Plan
from runner.training.train import Prune


def expand(arguments: Sequence[str]) -> list[list[str]]:
    """The overrides of each job of a sweep, as the door has expanded and checked them."""
    here = session.current()
    return here.jobs or here.composer.expand(arguments)


def launch(master: DictConfig, job_overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """Check every job, skip what is done, train the rest, and say how it went.

    Jobs that are the same are run once and shown as often as they were asked for.
    """
    here = session.current()
    experiments = here.check(job_overrides)
    keys = [experiment.key() for experiment in experiments]
    names = what_differs([experiment.overrides for experiment in experiments])
    names = [with_fault(name, experiment) for name, experiment in zip(names, experiments, strict=True)]
    options = experiments[0].sweep
    done = here.index.ended(set(keys)) if options.skip_done else {}
    todo = {key: number for number, key in reversed(list(enumerate(keys))) if key not in done}
    sweep_dir = Path(str(master.hydra.sweep.dir)).absolute()
    for note in dict.fromkeys(note for experiment in experiments for note in experiment.notes):
        screen.console().print(note, markup=False)
    numbers = sorted(todo.values())
    how = here.plan([experiments[number] for number in numbers]) if numbers else None
    if options.dry_run:
        rehearse(
            how,
            [names[n] for n in numbers],
            [experiments[n] for n in numbers],
            [names[n] for n, k in enumerate(keys) if k in done],
        )
        return []
    here.sweep, here.sweep_dir = sweep_id(keys), sweep_dir
    screen.console().print(announce(len(keys), len(todo), len(set(keys) & set(done)), sweep_dir), highlight=False)
    if how:
        screen.console().print(str(how), highlight=False)
    _save_master(master, sweep_dir)
    jobs = {
        key: Job(
            experiments[number],
            _prepare(experiments[number], master, sweep_dir, first + number),
            names[number],
            membership.tags(here.sweep),
        )
        for key, number in sorted(todo.items(), key=lambda item: item[1])
    }
    here.start_tracking(experiments[0])
    for directory in done.values():
        membership.join(directory, here.sweep)
        here.follow(directory)  # if it has not reached this store yet, it does now
    made = dict(zip(jobs, here.run(list(jobs.values()), how), strict=False)) if jobs else {}
    results = _shown(experiments, keys, names, made, done)
    here.results = results
    if results:
        screen.leaderboard(results)
        here.diagnose(results)
        here.hand_on(leaderboard.kept(results), leaderboard.ranked(results)[0])
        here.draw(leaderboard.kept(results))
        _record_summary(here, results)
    return [_job_return(result) for result in results]


def searching() -> bool:
    """Whether the door has prepared a search."""
    return session.current().search is not None


def search(master: DictConfig) -> list[JobReturn]:
    """Go through with the search that the door has checked: its trials are the jobs of a sweep."""
    here = session.current()
    hunt = here.search
    assert hunt is not None
    sweep_dir = Path(str(master.hydra.sweep.dir)).absolute()
    out, options = screen.console(), hunt.options
    for note in hunt.probe.notes:
        out.print(note, markup=False)
    if hunt.probe.sweep.dry_run:
        drawn = [hunt.space.overrides(values) for values in hunt.first_batch()]
        experiments = here.check(drawn)
        rehearse(here.plan(experiments), what_differs(drawn), experiments, [])
        return []
    here.sweep, here.sweep_dir = hunt.id, sweep_dir
    ledger = Ledger(storage(options), hunt.id)
    with ledger.alone():
        before = ledger.trials()
        results = {trial.number: found for trial in before if (found := _earlier(here, hunt, trial))}
        out.print(screen.search_begins(hunt, len([trial for trial in before if trial.status]), sweep_dir))
        _save_master(master, sweep_dir)
        here.start_tracking(hunt.probe)
        for result in results.values():
            here.follow(result.directory)
        train = partial(_train_trials, here, hunt, master, sweep_dir, results)
        hunt.run(ledger, train, lambda trials: out.print(screen.search_so_far(hunt, trials)))
        trials = ledger.trials()
    # Trials that are the same are one run.
    here.results = list({results[number].directory: results[number] for number in sorted(results)}.values())
    if here.results:
        screen.leaderboard(here.results)
        screen.search_ends(hunt, trials)
        here.hand_on(leaderboard.kept(here.results), leaderboard.ranked(here.results)[0])
        here.draw(leaderboard.kept(here.results))
        _record_summary(here, here.results, hunt.found(trials))
    return [_job_return(result) for result in here.results]


def _earlier(here: session.Session, hunt: Search, trial: Trial) -> Result | None:
    """The result of a trial that an earlier command has made, where its directory is still there."""
    if trial.status is None or trial.directory is None or not (trial.directory / SUMMARY).exists():
        return None
    (experiment,) = here.check([hunt.space.overrides(trial.drawn)])
    return Result.read(experiment, trial.directory, hunt.name(trial))


def _train_trials(
    here: session.Session,
    hunt: Search,
    master: DictConfig,
    sweep_dir: Path,
    results: dict[int, Result],
    trials: Sequence[Trial],
    prune: Callable[[Experiment], Prune] | None,
) -> Mapping[int, Result]:
    """Train a batch; what was done before is not done again, and trials that are the same are run once."""
    experiments = here.check([hunt.space.overrides(trial.drawn) for trial in trials])
    keys = [experiment.key() for experiment in experiments]
    done = here.index.ended(set(keys)) if hunt.probe.sweep.skip_done else {}
    jobs: dict[str, Job] = {}
    for trial, experiment, key in zip(trials, experiments, keys, strict=True):
        if key not in done and key not in jobs:
            directory = _prepare(experiment, master, sweep_dir, trial.number)
            tags = {**membership.tags(hunt.id), "search": hunt.options.name, "trial": str(trial.number)}
            jobs[key] = Job(experiment, directory, hunt.name(trial), tags)
    made = {result.directory: result for result in _trained(here, jobs, prune)} if jobs else {}
    for trial, experiment, key in zip(trials, experiments, keys, strict=True):
        if key in done:
            results[trial.number] = Result.read(experiment, done[key], hunt.name(trial))
            membership.join(done[key], hunt.id)
            here.follow(done[key])
        elif jobs[key].directory in made:
            results[trial.number] = made[jobs[key].directory]
    return {trial.number: results[trial.number] for trial in trials if trial.number in results}


def _trained(
    here: session.Session, jobs: Mapping[str, Job], prune: Callable[[Experiment], Prune] | None
) -> list[Result]:
    how = None if prune else here.plan([job.experiment for job in jobs.values()])
    return here.run(list(jobs.values()), how, prune)


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


def sweep_id(keys: Sequence[str]) -> str:
    """The same jobs are the same sweep: what a killed sweep had made and what its repetition makes stand together."""
    return hashlib.sha256("".join(sorted(set(keys))).encode()).hexdigest()[:10]


def announce(asked: int, to_run: int, done: int, sweep_dir: Path) -> str:
    """How many runs there are to make, and why not all."""
    more = f", {done} of {asked} done before and skipped (sweep.skip_done=false runs them again)" if done else ""
    same = asked - to_run - done
    more += f", {same} asked for twice" if same > 0 else ""
    return f"{to_run} runs in {files.relative(sweep_dir)}{more}"


def rehearse(how: Plan | None, names: Sequence[str], experiments: Sequence[Experiment], skipped: Sequence[str]) -> None:
    """What a sweep would do (sweep.dry_run=true): its stacks with their jobs, what it would skip, the time."""
    out = screen.console()
    total = 0.0
    for numbers in how.stacks if how else []:
        seconds = estimate([experiments[number] for number in numbers])
        total += seconds
        out.print(
            f"a stack of {len(numbers)}, about {seconds:.2g} s: ", ", ".join(names[n] for n in numbers), markup=False
        )
    for name in skipped:
        out.print(f"skipped, done before: {name}", markup=False)
    if how:
        out.print(str(how))
    out.print(f"{len(experiments)} runs, about {total:.2g} s of training. Nothing was run (sweep.dry_run=true).")


def _shown(
    experiments: Sequence[Experiment],
    keys: Sequence[str],
    names: Sequence[str],
    made: Mapping[str, Result],
    done: Mapping[str, Path],
) -> list[Result]:
    """A result for each job asked for that has one, in their order."""
    results = []
    for experiment, key, name in zip(experiments, keys, names, strict=True):
        if key in made:
            results.append(made[key])
        elif key in done:
            results.append(Result.read(experiment, done[key], name))
    return results


def _save_master(master: DictConfig, sweep_dir: Path) -> None:
    sweep_dir.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(master, sweep_dir / "multirun.yaml")


def _record_summary(here: session.Session, results: Sequence[Result], params: Mapping[str, Any] | None = None) -> None:
    """A run for the sweep as a whole, in a journal of its own: the leaderboard, how many ended how, the report."""
    best, directory = leaderboard.ranked(results)[0], here.sweep_dir / leaderboard.SUMMARY_DIR
    files = leaderboard.write(results, here.sweep_dir)
    with Journal.create(
        directory,
        name=f"sweep {here.sweep}",
        experiment=best.experiment.tracking.experiment,
        params={"runs": len(results), "best": best.name, **(params or {})},
        tags={"sweep_summary": str(here.sweep), "best": best.name},
        command=command(here.words),
    ) as journal:
        for file in files:
            file.replace(journal.directory / file.name)
            journal.artifact(file.name)
        statuses = ("finished", "pruned", "diverged", "error")
        counts = {status: sum(result.status == status for result in results) for status in statuses}
        metrics = {f"runs/{status}": float(count) for status, count in counts.items()}
        metrics["runs/target_reached"] = float(sum(result.target_reached for result in results))
        if not math.isnan(best.objective):
            metrics[f"best/{best.experiment.recipe.plan.objective}"] = best.objective
        journal.end("finished", metrics)
    here.report(best)
    here.follow(directory)


def _prepare(experiment: Experiment, master: DictConfig, sweep_dir: Path, number: int) -> Path:
    """The job's directory, with Hydra's own record of its configuration in it."""
    composed = experiment.composed
    assert composed is not None
    directory = sweep_dir / _subdir(composed, master, number)
    if master.hydra.output_subdir is not None:
        folder = directory / str(master.hydra.output_subdir)
        folder.mkdir(parents=True, exist_ok=True)
        write_config(folder / "config.yaml", OmegaConf.to_container(composed.config, resolve=False))
        write_config(folder / "hydra.yaml", {"hydra": hydra_node(composed, master, number)})
        write_config(folder / "overrides.yaml", list(experiment.overrides))
    return directory


def _subdir(composed: Composed, master: DictConfig, number: int) -> str:
    """`hydra.sweep.subdir` of job `number`: it may speak of anything in the job's configuration."""
    plain = OmegaConf.to_container(master.hydra.sweep, resolve=False)
    assert isinstance(plain, dict)
    if plain["subdir"] == "${hydra.job.num}":
        return str(number)
    config = copy.deepcopy(composed.config)
    with read_write(config), open_dict(config):
        config.hydra = hydra_node(composed, master, number)
    OmegaConf.copy_cache(from_config=master, to_config=config)
    return str(config.hydra.sweep.subdir)


def _job_return(result: Result) -> JobReturn:
    composed: Any = result.experiment.composed
    returned = JobReturn(overrides=list(result.experiment.overrides), cfg=composed.config, hydra_cfg=composed.hydra)
    returned.return_value = result.objective
    returned.status = JobStatus.COMPLETED
    return returned
