"""From Python: `run` trains a run and `sweep` many, `load` reads them back, `plot` draws one."""

import re
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from hydra._internal.callbacks import Callbacks

from datasets import DataError
from datasets.given import hand_over
from runner import Refusal
from runner.command import multirun, search, session
from runner.command.checked import Single, check_directory, ordered
from runner.command.conclude import conclude
from runner.command.main import run_task
from runner.command.session import Session
from runner.command.words import Words, words
from runner.experiment.experiment import Experiment
from runner.experiment.overrides import as_override
from runner.experiment.schema import ConfigError, suggest
from runner.experiment.sources import Sources
from runner.runs import journal, model, trace
from runner.runs.names import run_name
from runner.runs.trace import Trace
from runner.screen import live
from runner.screen import run as screen
from runner.sweeps import jobs as sweeps
from runner.sweeps import table
from runner.sweeps.search import storage
from runner.sweeps.search.loop import Search
from runner.sweeps.table import Runs
from runner.tracking.state import STATE, default_store

if TYPE_CHECKING:
    from runner.plots import Pictures

RESUME = "resume="
P = ParamSpec("P")
R = TypeVar("R")


def in_words(function: Callable[P, R]) -> Callable[P, R]:
    """What is refused is raised once and by itself: not with the errors of Hydra and OmegaConf that it came of."""

    @wraps(function)
    def called(*given: P.args, **named: P.kwargs) -> R:
        try:
            return function(*given, **named)
        except Refusal as refusal:
            raise refusal.with_traceback(None) from None
        except SystemExit as end:  # a command would end here, a program of the user's must not
            raise Refusal(str(end.code)) from None

    return called


@in_words
def run(
    overrides: str | Sequence[str] = (),
    directory: str | Path | None = None,
    *,
    data: Any = None,
    target: str | None = None,
    tracking: bool | None = None,
) -> Trace:
    """Train what `python -m runner OVERRIDES` would, and give its rows and weights as arrays.

    Arguments:
        overrides: a list of words, or a text that is parted as a shell would; names need no second pair of quotes.
        directory: where to record the run; None writes nothing, unless it is tracked.
        data: what to learn from instead of a `dataset`: (X, y), arrays or lists, or a table with named columns (pandas,
            Polars) of which `target` is the one to learn. `dataset.scaling` and the like go with it. The record has
            its digest, not the data: a replay elsewhere says what it would need.
        tracking: True does all that the command does: the run is recorded, in the `outputs` folder where no
            `directory` is given, brought into MLflow, diagnosed and drawn. None does so where the overrides speak of
            tracking (`tracking=mlflow`, `tracking.experiment=...`).

    `resume=DIR` resumes a run that was recorded: `run("resume=outputs/first training.iterations=2000")`.

    An interrupt ends the run, not the program: the rows until then are in the trace, its status is `interrupted`. A
    second one is an ordinary KeyboardInterrupt.

    Raises `runner.experiment.schema.ConfigError` with every mistake in the overrides, and
    `runner.runs.journal.JournalError` where the directory holds a run already.

    >>> trace = run("dataset=xor training.iterations=100")
    >>> trace.status, trace.steps[-1], trace.weights[0][0].shape
    ('finished', 100, (2, 8))
    """
    asked = words(overrides)
    if any(text.startswith(RESUME) for text in asked.overrides):
        return _resumed(asked, directory is None and data is None and target is None, tracking)
    asked = _with_data(asked, data, target)
    here = Session(Sources(asked.config_dir), asked.overrides)
    _refuse_sweeps(here, asked)
    where, rest = _placed(asked.overrides, "hydra.run.dir", directory)
    experiment = here.checked.experiment(rest)
    tracked = _tracked(asked.overrides, tracking)
    if tracked:
        return _as_the_command(here, experiment, where)
    if where is not None:
        return _recorded(experiment, where)
    stop = sweeps.Stop()
    with live.training(1, experiment.recipe.plan.iterations, experiment.progress) as progress, stop.listening():
        return _told(trace.traced(experiment, progress, stop))


@in_words
def sweep(
    overrides: str | Sequence[str],
    directory: str | Path | None = None,
    *,
    data: Any = None,
    target: str | None = None,
    tracking: bool | None = None,
) -> Runs:
    """Train what `python -m runner -m OVERRIDES` would, as stacks, and give the runs as a table.

    Jobs that were done before are not done again and stand in the table too. An interrupt ends all jobs; the rows until
    then are recorded.

    Arguments:
        overrides: as of `run`; several values of a key, `range(5)` or `search=tpe` make several runs.
        directory: where the runs are recorded; by default in the `multirun` folder.
        data, target: as of `run`, the same for all jobs.
        tracking: as of `run`. Where it is not tracked, `python -m runner.sync DIRECTORY` brings it into MLflow later.

    Raises ConfigError with the mistakes of all jobs, before the first is begun.
    """
    asked = _with_data(words(overrides), data, target)
    where, rest = _placed(asked.overrides, "hydra.sweep.dir", directory)
    here = session.begin(Sources(asked.config_dir), ["-m", *asked.overrides])
    if not _tracked(rest, tracking):
        rest = [*(text for text in rest if not text.startswith("tracking=")), "tracking=offline"]
    if where is not None:
        check_directory([f"hydra.sweep.dir={where}"], "hydra.sweep.dir")
    here.order = ordered(here.checked, rest, True)
    placed = [] if where is None else [f"hydra.sweep.dir={as_override(str(where.absolute()))}"]
    master = here.checked.composer.whole([*rest, *placed])
    if isinstance(here.order, Search):
        storage.check(here.order.options)
        search.search(master)
    else:
        assert not isinstance(here.order, Single)
        here.connect(here.order.experiments[0])
        multirun.launch(master, here.order.jobs, 0, Callbacks(master), run_task)
        if not here.order.experiments[0].sweep.dry_run:
            multirun.conclude(here, here.order)
    here.finish()
    return Runs.read(dict.fromkeys(result.directory for result in here.results))


def _resumed(asked: Words, alone: bool, tracking: bool | None) -> Trace:
    """Resume a recorded run, in its own directory; in MLflow too where it is there already, or where asked for."""
    named = [text.removeprefix(RESUME).strip("'\"") for text in asked.overrides if text.startswith(RESUME)]
    rest = [text for text in asked.overrides if not text.startswith(RESUME)]
    if not alone:
        problem = f"{RESUME}{named[-1]} resumes a run as it was recorded: directory= and data= are for new runs."
        raise ConfigError([problem])
    place, here = Path(named[-1]), Session(Sources(asked.config_dir), asked.overrides)
    tracked = (place / STATE).exists() if tracking is None else tracking
    result = here.resume(place, rest, tracked)
    if tracked:
        conclude(here, [result], [result])
        here.finish()
    else:
        model.hand_on([result], result)
    return _told(trace.load(place))


def _with_data(asked: Words, data: Any, target: str | None) -> Words:
    """The words with the data in them that was handed over, by its digest."""
    if data is None and target is not None:
        raise ConfigError([f"target={target!r} names a column of data=, and there is no data."])
    if data is None:
        return asked
    if others := [text for text in asked.overrides if text.startswith("dataset=")]:
        raise ConfigError(f"{text} and data= are two data sets. Leave one of them out." for text in others)
    try:
        digest = hand_over(data, target)
    except DataError as error:
        raise ConfigError([f"data: {error}"]) from error
    named = [] if target is None else [f"dataset.target={as_override(target)}"]
    return asked._replace(overrides=["dataset=given", f"dataset.sha256={digest}", *named, *asked.overrides])


def _as_the_command(here: Session, experiment: Experiment, directory: Path | None) -> Trace:
    """All that `python -m runner` does, in the directory that Hydra would make for it."""
    composed = experiment.composed
    assert composed is not None
    where = (directory or Path(str(composed.hydra.run.dir))).absolute()
    screen.introduce(experiment)
    results = here.run([sweeps.Job(experiment, where, run_name(experiment))])
    conclude(here, results, results)
    here.finish()
    return _told(trace.load(where))


def _recorded(experiment: Experiment, directory: Path) -> Trace:
    """A run that leaves its directory, and is neither tracked nor diagnosed."""
    with live.training(1, experiment.recipe.plan.iterations, experiment.progress) as progress:
        job = sweeps.Job(experiment, directory.absolute(), run_name(experiment))
        results = sweeps.run([job], progress=progress)
    model.hand_on(results, results[0])
    return _told(trace.load(directory))


def _told(run: Trace) -> Trace:
    """Say that a run was interrupted: what it returns looks like any other."""
    if run.status == "interrupted":
        print(f"interrupted at step {run.steps[-1]}: the trace has the rows until then", file=sys.stderr)
    return run


def _refuse_sweeps(here: Session, asked: Words) -> None:
    """What asks for many runs is not for `run`."""
    several = [text for text in asked.overrides if _several(here, text)]
    problems = [_one_or_many(text) for text in several]
    if not problems and (asked.multirun or here.checked.composer.searching(asked.overrides)):
        problems = ["These overrides ask for many runs, and run makes one: runner.sweep makes them all."]
    if not problems and here.checked.composer.sweeping(asked.overrides, False) is not None:
        problems = ["The preset is a sweep, and run makes one run: runner.sweep makes them all."]
    if problems:
        raise ConfigError(problems)


def _one_or_many(text: str) -> str:
    key, _, value = text.partition("=")
    named = f" A name with a comma needs quotes: {key}={value!r}." if key.startswith(("dataset.", "tracking.")) else ""
    return f"{text}: several values are a sweep. runner.sweep runs one job for each.{named}"


def _several(here: Session, text: str) -> bool:
    try:
        return bool(here.checked.composer.parsed(text).is_sweep_override())
    except ConfigError:
        return False  # what is wrong with it is said with all the rest


def _placed(overrides: Sequence[str], key: str, directory: str | Path | None) -> tuple[Path | None, list[str]]:
    """The directory that is asked for, as an argument or by Hydra's key, and the overrides without that key."""
    named = [text.partition("=")[2].strip("'\"") for text in overrides if text.partition("=")[0] == key]
    rest = [text for text in overrides if text.partition("=")[0] != key]
    if others := [text for text in rest if text.lstrip("+~").startswith(("hydra.", "hydra/"))]:
        raise ConfigError(f"{text}: from Python, Hydra's own keys but {key} are not used." for text in others)
    if directory is not None and named:
        raise ConfigError([f"{key}={named[-1]} and directory={str(directory)!r} are two directories for one run."])
    if directory is not None or named:
        return Path(directory if directory is not None else named[-1]), rest
    return None, rest


def _tracked(overrides: Sequence[str], tracking: bool | None) -> bool:
    """Whether the run is recorded and tracked as the command would."""
    spoken = [text for text in overrides if text.lstrip("+").partition("=")[0].split(".")[0] == "tracking"]
    none = [text for text in spoken if text.startswith("tracking=")][-1:] == ["tracking=none"]
    if tracking and none:
        raise ConfigError(["tracking=none in the overrides and tracking=True contradict each other."])
    return bool(spoken) and not none if tracking is None else tracking


@in_words
def load(run: str | Path) -> Trace | Runs:
    """A recorded run, by its directory or its id in MLflow; or the table of the runs of a sweep, or below a folder.

    Raises `runner.runs.journal.NoRun` where there is no such run, JournalError where its record is damaged.
    """
    place = Path(run)
    if place.is_dir() and not (place / journal.FILE).exists():
        return Runs.read(table.directories(place))
    return recorded_run(run)


def recorded_run(run: str | Path) -> Trace:
    """A recorded run: its directory, or the id of its run in MLflow (of the store in MLFLOW_TRACKING_URI, else here).

    Raises `runner.runs.journal.NoRun` where there is no such run, JournalError where its record is damaged.
    """
    directory = Path(run)
    if not (directory / journal.FILE).exists() and not directory.exists() and re.fullmatch("[0-9a-f]{32}", str(run)):
        from runner.tracking.fetch import fetch

        directory = fetch(str(run), default_store())
    return trace.load(directory)


@in_words
def plot(run: Trace | str | Path, *names: str) -> "Pictures":
    """The pictures of a run, all that there are or those that are named: cost, layers, boundary, images, table.

    A notebook shows them; `plot(trace).save(FOLDER)` writes files, and `.figures` has matplotlib's figures. Pictures
    of the data are missing where the data is gone, those of the answers where the weights are not finite.

    Raises ConfigError for a name that is none, and where the run has no such picture.
    """
    from runner import plots

    run = run if isinstance(run, Trace) else recorded_run(run)
    unknown = [name for name in names if name not in plots.NAMES]
    if unknown:
        there = ", ".join(plots.NAMES)
        raise ConfigError(f"{name!r} is no picture: there are {there}.{suggest(name, plots.NAMES)}" for name in unknown)
    dataset, note = plots.dataset_of(run)
    drawn = plots.figures(run, dataset)
    if missing := [name for name in names if name not in drawn]:
        raise ConfigError(f"This run has no picture {name!r}. {note}".strip() for name in missing)
    return plots.Pictures({name: figure for name, figure in drawn.items() if not names or name in names})
