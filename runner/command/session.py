"""One command while it runs: the tracking process beside it, the runs it has made, and Ctrl-C.

`runner.command.main` begins a session and Hydra calls back into it: `multirun.launch` for a sweep, `run_task` for a
run.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from runner.command.checked import Checked, Order
from runner.experiment.experiment import Experiment
from runner.experiment.sources import BUILT_IN, Sources, of_job
from runner.runs.files import hide, relative
from runner.runs.gradients import GradientChecks
from runner.runs.index import Index
from runner.runs.journal import JournalError
from runner.runs.passwords import address
from runner.runs.record import Record
from runner.runs.result import Result
from runner.runs.resume import reopened
from runner.screen import gradient, live, terminal
from runner.screen import run as screen
from runner.screen.door import INTERRUPTED
from runner.screen.typed import typed
from runner.sweeps import jobs as sweep
from runner.sweeps import planning
from runner.sweeps.jobs import Job, Stop
from runner.sweeps.leaderboard import ranked
from runner.sweeps.planning import Plan
from runner.sweeps.workers import cluster, driver
from runner.sweeps.workers.processes import Processes
from runner.sweeps.workers.worker import Crew, CrewError
from runner.tracking.links import links, ui_command, write_comparison
from runner.tracking.tracker import Tracker, warning
from runner.training.train import Prune

log = logging.getLogger(__name__)


class Whole(NamedTuple):
    """A sweep as a whole: its id, and its directory."""

    id: str
    directory: Path


class Session:
    """`order` is what the command line asks for, checked; `results` are of the runs begun so far; `tracker` is started
    with the first of them that is to be in MLflow.
    """

    def __init__(self, sources: Sources = BUILT_IN, words: Sequence[str] = ()):
        self.checked, self.words, self.home = Checked(sources), list(words), Path.cwd()
        self.order: Order | None = None
        self.whole: Whole | None = None
        self.results: list[Result] = []
        self.tracker: Tracker | None = None
        self.crew: Crew | None = None  # workers of a cluster, where one was found
        self.stop, self.index = Stop(), Index()
        self.made: dict[str, Result] = {}  # the jobs of a sweep that were trained, by key
        self.done: dict[str, Path] = {}  # where the others lie, made before or by another launcher
        self.gradients = GradientChecks()  # of the networks that diagnosis.check_gradients asks for

    def run(
        self, jobs: Sequence[Job], how: Plan | None = None, prune: Callable[[Experiment], Prune] | None = None
    ) -> list[Result]:
        """Train and record the jobs, with the tracking process beside and a progress line above.

        Others train them where the plan says so; members are pruned in this process only, where they are seen.
        """
        first = jobs[0].experiment
        self.start_tracking(first)
        for job in jobs:
            self.look(job.experiment)
        fail_fast = first.sweep.fail_fast
        log.debug("training %d runs: %s", len(jobs), how or "in this process")
        with live.training(len(jobs), first.recipe.plan.iterations, first.progress) as progress, _recording():
            if how is None or how.backend == "serial" or prune is not None:
                results = sweep.run(jobs, self._began, progress, self.stop, fail_fast, prune)
            else:
                crew = self._hired(how)
                results = driver.run(jobs, how.stacks, crew, self._began, progress, self.stop, fail_fast)
        self.results += results
        return results

    def look(self, experiment: Experiment) -> None:
        """Check the gradient of an experiment's network, where that is asked for and was not done; say how it is."""
        if (found := self.gradients.look(experiment)) is not None:
            gradient.checked(found)

    def make(self, experiment: Experiment, directory: Path, tags: dict[str, str]) -> Result:
        """A run beside the results of the command, of a cure: it has no part in the exit code."""
        with _recording():
            (result,) = sweep.run([Job(experiment, directory, f"cure of {directory.parent.name}", tags)], self._began)
        return result

    def resume(self, directory: Path, overrides: Sequence[str], tracked: bool = True) -> Result:
        """Resume the run in `directory`, in its journal and, where it is `tracked`, in its run of the store."""
        experiment, record, checkpoint = reopened(directory, overrides)
        if tracked:
            self.start_tracking(experiment)
        self.results.append(record.result)
        self.follow(record.directory)
        step = checkpoint.state.step if checkpoint else 0
        screen.introduce(experiment)
        terminal.say(f"resumed at step {step}")
        with live.training(1, experiment.recipe.plan.iterations, experiment.progress) as progress, _recording():
            sweep.resume(record, checkpoint, progress, self.stop)
        return record.result

    def found(self, key: str, experiment: Experiment, name: str = "") -> Result | None:
        """The result of the job of a sweep with this key, where it has one."""
        if key in self.made or key not in self.done:
            return self.made.get(key)
        return Result.read(experiment, self.done[key], name)

    def plan(self, experiments: Sequence[Experiment]) -> Plan:
        """How the sweep will be run."""
        return planning.plan(experiments, planning.cores(), self.crew)

    def connect(self, experiment: Experiment) -> None:
        """Find the cluster that the sweep is to run on, if any. Raises ConfigError where there is none."""
        options = experiment.sweep
        if options.backend == "ray":
            cluster.check(options.address)
            if options.address is not None:
                self.crew = cluster.connect(options.address, options.workers)

    def start_tracking(self, experiment: Experiment) -> None:
        """Start the tracking process, once a session, where the configuration wants one."""
        tracking = experiment.tracking
        if tracking.name == "mlflow" and self.tracker is None:
            with chdir(self.home):  # hydra.job.chdir=true: the store stays where the command was typed
                self.tracker = Tracker.start(
                    address(tracking.uri), None if tracking.experiment_id else tracking.experiment
                )
                log.debug("tracking process started, for %s", hide(tracking.uri))

    def follow(self, directory: Path) -> None:
        """Have a run's journal brought into MLflow, where the session tracks."""
        if self.tracker is not None:
            self.tracker.follow(directory)

    def finish(self) -> int:
        """Wait for the tracking process, print the links last, and return the exit code."""
        if self.tracker is not None and self.results:
            tracking = self.results[0].experiment.tracking
            if tracking.wait:
                self._wait(self.tracker, tracking.uri)
            else:
                self.tracker.close()
                terminal.say("the tracking process goes on alone (tracking.wait=false)")
        if self.stop.asked:
            return INTERRUPTED
        return int(self.gradients.wrong > 0 or any(result.failed for result in self.results))

    def _wait(self, tracker: Tracker, uri: str) -> None:
        with live.waiting() as progress:
            tracked = tracker.wait(progress)
        if problem := warning(tracked, uri, typed):
            terminal.say(problem)
        brought = [run for run in tracked if run.ok and run.experiment_id]
        if not brought:
            return
        experiment_id, run_id = brought[0].experiment_id, brought[0].run_id
        assert experiment_id is not None
        plan = self.results[0].experiment.recipe.plan
        if self.whole:
            link = links(uri, experiment_id, None, self.whole.id, plan.objective, plan.mode)
        else:
            link = links(uri, experiment_id, run_id)
        ids = {run.directory: run.run_id for run in brought if run.run_id}
        best_first = [ids[run.directory] for run in ranked(self.results) if run.directory in ids]
        if self.whole and len(best_first) > 1:
            page = write_comparison(self.whole.directory, uri, experiment_id, best_first)
            terminal.say(f"parallel coordinates of them: {relative(page)}")
        command = ui_command(uri)
        terminal.say(f"{typed(command)}   then open {link}" if command else f"MLflow: {link}")

    def _began(self, record: Record) -> None:
        log.debug("began %s in %s", record.result.name, record.directory)
        self.index.add(record.experiment.key(), record.directory)
        self.follow(record.directory)

    def _hired(self, plan: Plan) -> Crew:
        if plan.backend == "ray":
            return self.crew or cluster.start(plan.workers)
        return Processes(plan.workers)


_session: ContextVar[Session] = ContextVar("session")


def begin(sources: Sources, words: Sequence[str]) -> Session:
    """The session of this command; Hydra's callbacks find it by `current`."""
    _session.set(Session(sources, words))
    return _session.get()


def current(about: Any = None) -> Session:
    """The session of this process. A worker that a Hydra launcher has started gets one of its own, over the yaml files
    that its job was composed from: `about` is Hydra's node of it.
    """
    if _session.get(None) is None:
        _session.set(Session(BUILT_IN if about is None else of_job(about)))
    return _session.get()


@contextmanager
def _recording() -> Iterator[None]:
    """A record that cannot be written, as on a full disk, is said without a traceback: no code is at fault."""
    try:
        yield
    except CrewError as error:
        raise CrewError(
            f"{error}\nWhat was written before is whole; sweep.backend=serial starts no workers."
        ) from error
    except (JournalError, OSError) as error:
        if isinstance(error, OSError) or isinstance(error.__cause__, OSError):
            whole = f"What was written before is whole: {typed('python -m runner.sync')}"
            sys.exit(f"The run cannot be recorded: {error}\n{whole}")
        raise
