"""How every command ends, in one order: the result, the models, the diagnosis, the pictures, the sweep's own run."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runner.command import pictures
from runner.command.session import Session, Whole
from runner.diagnosis.watch import Watch
from runner.runs import findings, model
from runner.runs.files import relative
from runner.runs.record import Result
from runner.screen import live, terminal
from runner.screen import run as screen
from runner.screen import sweep as sweep_screen
from runner.sweeps import leaderboard, summary
from runner.sweeps.jobs import Stop


def conclude(here: Session, results: Sequence[Result], kept: Sequence[Result]) -> None:
    """The end of a single run: of `kept`, models and pictures. The links come last, from `Session.finish`."""
    screen.result(results[0])
    _after(here, results, kept)


def conclude_sweep(
    here: Session,
    whole: Whole,
    results: Sequence[Result],
    told: Callable[[], None] = lambda: None,
    params: Mapping[str, Any] | None = None,
) -> None:
    """The end of a sweep or a search: `told` says what only a search has to say, `params` go to the sweep's own run."""
    if not results:
        return
    sweep_screen.standing(results)
    told()
    _after(here, results, leaderboard.kept(results))
    best = leaderboard.ranked(results)[0]
    own = summary.record(whole.id, whole.directory, results, here.words, params or {}, here.home)
    _report(here, whole, best)
    here.follow(own)


def _after(here: Session, results: Sequence[Result], kept: Sequence[Result]) -> None:
    for directory in model.hand_on(kept, leaderboard.ranked(results)[0]):
        here.follow(directory)
    _diagnose(here, results)
    _draw(here, kept)


def _diagnose(here: Session, results: Sequence[Result]) -> None:
    """Say why those that failed did, and put it into their records."""
    if here.stop.asked:
        return
    for result in results:
        here.look(result.experiment)  # of those that another process has trained, or that were done before
    stop, progress = Stop(), results[0].experiment.progress
    with stop.listening():  # Ctrl-C leaves out the rest of the search, and keeps what was found
        with live.looking("looking for the cause", progress) as told:
            watch = Watch(findings.budget(results), told, stop)
            found = findings.diagnose(results, here.checked.composer, here.gradients, here.follow, watch)
        screen.findings(found, results)
        with live.looking("looking for a cure", progress) as told:
            pairs = findings.cured(found, here.checked.composer, here.make, Watch(told=told, stopped=stop))
    for failed, cure in pairs:
        here.follow(failed.directory)
        screen.cure(failed, cure)


def _draw(here: Session, kept: Sequence[Result]) -> None:
    """Draw these runs, which have ended and are told of, and have the pictures brought into MLflow."""
    for result in [] if here.stop.asked else kept:
        try:
            if pictures.hand_on(result):
                here.follow(result.directory)
        except Exception as error:  # a picture is no reason for a run to fail
            terminal.say(f"no pictures of {result.name}: {error}")


def _report(here: Session, whole: Whole, best: Result) -> None:
    """Make the report of the sweep, which has ended, with `best` its best run."""
    if here.stop.asked or not best.experiment.plots:
        return
    try:
        page = pictures.report(whole.directory, best)
        terminal.say(f"report: {relative(page)}")
    except Exception as error:  # as with a picture
        terminal.say(f"no report: {error}")
