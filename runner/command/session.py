"""One command from start to end: what it has checked, the tracking process, the records it has made.

The door (`runner.__main__`) opens a session and Hydra calls back into it: `multirun.launch` for a sweep, `task` for a
run.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from runner.command import pictures
from runner.experiment.compose import Composer
from runner.experiment.experiment import Experiment, compose_with
from runner.experiment.schema import ConfigError
from runner.runs import files, findings, model
from runner.runs.index import Index
from runner.runs.journal import JournalError
from runner.runs.record import Record
from runner.runs.result import Result
from runner.runs.resume import reopened
from runner.screen import live
from runner.screen import run as screen
from runner.sweeps import jobs as sweep
from runner.sweeps.jobs import Job, Stop
from runner.sweeps.leaderboard import ranked
from runner.sweeps.search.loop import Search
from runner.sweeps.search.space import space_of
from runner.sweeps.workers import cluster
from runner.sweeps.workers import driver as executor
from runner.sweeps.workers.driver import Crew, CrewError, Plan
from runner.sweeps.workers.processes import Processes
from runner.tracking.links import links, ui_command, write_comparison
from runner.tracking.tracker import Tracker, warning
from runner.training.train import Prune

INTERRUPTED = 130


class Session:
    """`results` are of the runs begun so far; `tracker` is started with the first of them that is to be in MLflow."""

    def __init__(self, config_dir: str | None = None):
        self.composer = Composer(config_dir)
        self.stop = Stop()
        self.results: list[Result] = []
        self.tracker: Tracker | None = None
        self.words: list[str] = []  # of the command line
        self.sweep: str | None = None  # its id
        self.sweep_dir = Path()
        self.failed_elsewhere = 0  # jobs that another Hydra launcher ran, in processes of its own
        self.wrong_gradients = 0  # of those that diagnosis.check_gradients asks for
        self.index = Index()
        self.jobs: list[list[str]] = []  # of a sweep, as the door has expanded them
        self.crew: Crew | None = None  # workers of a cluster, where the door has found one
        self.search: Search | None = None  # as the door has checked it
        self._checked: dict[tuple[str, ...], Experiment] = {}

    def experiment(self, overrides: Sequence[str]) -> Experiment:
        """The checked experiment of these overrides; what was checked before is not made again."""
        key = tuple(overrides)
        if key not in self._checked:
            experiment = compose_with(self.composer, overrides)
            # Hydra hands it back with the overrides that undo a preset's leftovers among the others.
            self._checked[key] = self._checked[experiment.overrides] = experiment
        return self._checked[key]

    def check(self, jobs: Sequence[Sequence[str]]) -> list[Experiment]:
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

    def prepare_search(self, overrides: Sequence[str]) -> Search:
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
        return Search.checked(space, self.experiment(space.itself()), self.check(space.probes()))

    def _problems(self, jobs: Sequence[Sequence[str]]) -> list[str]:
        try:
            self.check(jobs)
        except ConfigError as error:
            return error.problems
        return []

    def run(
        self, jobs: Sequence[Job], how: Plan | None = None, prune: Callable[[Experiment], Prune] | None = None
    ) -> list[Result]:
        """Train and record the jobs, with the tracking process beside and a progress line above.

        Others train them where the plan says so; members are pruned in this process only, where they are seen.
        """
        self.start_tracking(jobs[0].experiment)
        plan = jobs[0].experiment.recipe.plan
        wanted = jobs[0].experiment.progress
        with live.training(len(jobs), plan.iterations, wanted) as progress, _recording():
            fail_fast = jobs[0].experiment.sweep.fail_fast
            if how is None or how.backend == "serial" or prune is not None:
                results = sweep.run(jobs, self._began, progress, self.stop, fail_fast, prune)
            else:
                crew = self._hired(how)
                results = executor.run(jobs, how.stacks, crew, self._began, progress, self.stop, fail_fast)
        self.results += results
        return results

    def plan(self, experiments: Sequence[Experiment]) -> Plan:
        """How the sweep will be run."""
        return executor.plan(experiments, executor.cores(), self.crew)

    def connect(self, experiment: Experiment) -> None:
        """Find the cluster that the sweep is to run on, if any. Raises ConfigError where there is none."""
        options = experiment.sweep
        if options.backend == "ray":
            cluster.check(options.address)
            if options.address is not None:
                self.crew = cluster.connect(options.address, options.workers)

    def _hired(self, plan: Plan) -> Crew:
        if plan.backend == "ray":
            return self.crew or cluster.start(plan.workers)
        return Processes(plan.workers)

    def diagnose(self, results: Sequence[Result]) -> None:
        """Say why those that failed did, and put it into their records."""
        if self.stop.asked:
            return
        told = findings.diagnose(results, self.composer, self.follow)
        screen.findings(told, len(results))
        for result, check in findings.checked(results):
            self.follow(result.directory)
            self.wrong_gradients += not check.ok
            screen.gradient(result, check)
        for failed, cure in findings.cured(told, self.composer, self._made):
            self.follow(failed.directory)
            screen.cure(failed, cure)

    def _made(self, experiment: Experiment, directory: Path, tags: dict[str, str]) -> Result:
        """A run of a cure, beside the results of the command: it has no part in the exit code."""
        with _recording():
            (result,) = sweep.run([Job(experiment, directory, f"cure of {directory.parent.name}", tags)], self._began)
        return result

    def start_tracking(self, experiment: Experiment) -> None:
        """Start the tracking process, once a session, where the configuration wants one."""
        tracking = experiment.tracking
        if tracking.name == "mlflow" and self.tracker is None:
            self.tracker = Tracker.start(tracking.uri, tracking.experiment)

    def resume(self, directory: Path, overrides: Sequence[str]) -> Result:
        """Go on with the run in `directory`, in its journal and in its run of the store."""
        experiment, record, checkpoint = reopened(directory, overrides)
        self.start_tracking(experiment)
        self.results.append(record.result)
        self.follow(record.directory)
        step = checkpoint.state.step if checkpoint else 0
        screen.introduce(experiment)
        screen.console().print(f"resumed at step {step}")
        with live.training(1, experiment.recipe.plan.iterations, experiment.progress) as progress, _recording():
            sweep.resume(record, checkpoint, progress, self.stop)
        return record.result

    def _began(self, record: Record) -> None:
        self.index.add(record.experiment.key(), record.directory)
        self.follow(record.directory)

    def hand_on(self, results: Sequence[Result], best: Result) -> None:
        """Write the models of these runs, which have ended, and have them brought into MLflow."""
        for directory in model.hand_on(results, best):
            self.follow(directory)

    def draw(self, results: Sequence[Result]) -> None:
        """Draw these runs, which have ended and are told of, and have the pictures brought into MLflow."""
        for result in [] if self.stop.asked else results:
            try:
                if pictures.hand_on(result):
                    self.follow(result.directory)
            except Exception as error:  # a picture is no reason for a run to fail
                screen.console().print(f"no pictures of {result.name}: {error}", markup=False)

    def report(self, best: Result) -> None:
        """Make the report of the sweep, which has ended, with `best` its best run."""
        if self.stop.asked or not best.experiment.plots:
            return
        try:
            page = pictures.report(self.sweep_dir, best)
            screen.console().print(f"report: {files.relative(page)}", markup=False)
        except Exception as error:  # as with a picture
            screen.console().print(f"no report: {error}", markup=False)

    def follow(self, directory: Path) -> None:
        """Have a run's journal brought into MLflow, where the session tracks."""
        if self.tracker is not None:
            self.tracker.follow(directory)

    def finish(self) -> int:
        """Wait for the tracking process, print the links last, and return the exit code."""
        if self.tracker is not None and self.results:
            tracking = self.results[0].experiment.tracking
            if tracking.wait:
                self._wait(tracking.uri)
            else:
                self.tracker.close()
                screen.console().print("the tracking process goes on alone (tracking.wait=false)")
        if self.stop.asked:
            return INTERRUPTED
        return int(self.failed_elsewhere + self.wrong_gradients > 0 or any(result.failed for result in self.results))

    def _wait(self, uri: str) -> None:
        assert self.tracker is not None
        with live.waiting() as progress:
            tracked = self.tracker.wait(progress)
        problem = warning(tracked, uri)
        if problem:
            screen.console().print(problem)
        whole = [run for run in tracked if run.ok and run.experiment_id]
        if whole:
            experiment_id, run_id = whole[0].experiment_id, whole[0].run_id
            assert experiment_id is not None
            link = links(uri, experiment_id, None if self.sweep else run_id, self.sweep)
            command, out = ui_command(uri), screen.console()
            ids = {run.directory: run.run_id for run in whole if run.run_id}
            best_first = [ids[run.directory] for run in ranked(self.results) if run.directory in ids]
            if self.sweep and len(best_first) > 1:
                page = write_comparison(self.sweep_dir, uri, experiment_id, best_first)
                out.print(f"parallel coordinates of them: {files.relative(page)}")
            out.print(f"{command}   then open {link}" if command else f"MLflow: {link}")


def current() -> Session:
    """The session of this process; a worker that a Hydra launcher has started gets one of its own."""
    global _session
    if _session is None:
        _session = Session()
    return _session


def open_session(config_dir: str | None) -> Session:
    global _session
    _session = Session(config_dir)
    return _session


_session: Session | None = None


def holds_a_run(directory: Path) -> bool:
    return (directory / "journal.jsonl").exists()


@contextmanager
def _recording() -> Iterator[None]:
    """A record that cannot be written, as on a full disk, is said without a traceback: no code is at fault."""
    try:
        yield
    except CrewError as error:
        sys.exit(f"{error}\nWhat was written before is whole; sweep.backend=serial starts no workers.")
    except (JournalError, OSError) as error:
        if isinstance(error, OSError) or isinstance(error.__cause__, OSError):
            sys.exit(f"The run cannot be recorded: {error}\nWhat was written before is whole: python -m runner.sync")
        raise


def _in_jobs(problem: str, where: list[Sequence[str]], jobs: int) -> str:
    if jobs == 1 or len(where) == jobs:
        return problem
    first = " ".join(where[0])
    return f"{problem} (in {len(where)} of {jobs} jobs, the first: {first})"
