"""``python -m runner.sync [DIR ...]``: its command line, and what it says of each run."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from runner.runs import journal
from runner.runs.files import relative
from runner.tracking.bring import Journals, Outcome, bring, journals, sort
from runner.tracking.state import public

FOLDERS = ("outputs", "multirun")  # where runs are when nothing else is said

EPILOG = """\
Without --store, a run goes where it was tracked before (its tracking.json), else to the store of its configuration
(tracking.uri), else to MLFLOW_TRACKING_URI, else to sqlite:///mlflow.db.
Runs that are still being written are left to their tracking process, and named.
exit codes: 0 all is in the store; 1 something could not be stored; 2 a DIR that does not exist or holds no run"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    given = _parser().parse_args(arguments)
    warnings.simplefilter("ignore")  # mlflow and what it needs warn about each other
    os.environ["PYTHONWARNINGS"] = "ignore"
    folders = given.dir or [Path(folder) for folder in FOLDERS if Path(folder).is_dir()]
    if not folders:
        print(
            f"There is neither {' nor '.join(FOLDERS)} in {Path.cwd()}: name a folder that holds runs.", file=sys.stderr
        )
        return 2
    if problems := [problem for folder in folders if (problem := _problem(folder))]:
        print("\n".join(problems), file=sys.stderr)
        return 2
    found = sort(sorted({found for folder in folders for found in journals(folder)}), given.store)
    outcomes = []
    for uri, ended in found.ended.items():
        with _progress(len(ended), uri) as advance:
            outcomes.append((uri, bring(ended, uri, given.artifact_root, advance)))
        _tell(outcomes[-1][1])
    _tell_others(found)
    print(_summary(found, outcomes))
    return int(bool(found.damaged) or any(outcome.failed for _, outcome in outcomes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runner.sync",
        description="Bring the journals of runs into an MLflow store. Doing it again changes nothing.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = "a run's directory, a sweep's, or any folder above (default: outputs/ and multirun/)"
    parser.add_argument("dir", metavar="DIR", nargs="*", type=Path, help=what)
    parser.add_argument("--store", metavar="URI", help="such as sqlite:///mlflow.db or http://127.0.0.1:5000")
    root = "where experiments made in a new sqlite store keep artifacts (default: mlartifacts/ beside it)"
    parser.add_argument("--artifact-root", metavar="DIR", default="", help=root)
    return parser


def _problem(folder: Path) -> str | None:
    """What is wrong with a folder of the command line, in one sentence with the nearest name that would do."""
    if folder.name == journal.FILE and folder.is_file():
        return f"{folder} is a journal: name its folder, {folder.parent}."
    if not folder.is_dir():
        return f"{folder} does not exist.{_nearest(folder, lambda other: other.is_dir())}"
    if next(journals(folder), None) is None:
        nearest = _nearest(folder, lambda other: other != folder and next(journals(other), None) is not None)
        return f"{folder} holds no run: there is no {journal.FILE} in it or below.{nearest}"
    return None


def _nearest(folder: Path, wanted: Callable[[Path], bool]) -> str:
    """A question after the folder that was meant: one beside it with a similar name, else the nearest above."""
    parent = folder.parent
    while not parent.is_dir():
        folder, parent = parent, parent.parent
    beside = {other.name: other for other in parent.iterdir() if other.is_dir() and wanted(other)}
    if names := difflib.get_close_matches(folder.name, beside, n=1, cutoff=0.5):
        return f" Did you mean {beside[names[0]]}?"
    return f" Did you mean {next(iter(beside.values()))}?" if len(beside) == 1 else f" The nearest is {parent}."


@contextlib.contextmanager
def _progress(runs: int, uri: str) -> Iterator[Callable[[int], None]]:
    """A line on a terminal that says how many runs have been looked at."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"into {public(uri)}", total=runs)
        yield lambda done: bar.advance(task, done)


def _tell(outcome: Outcome) -> None:
    """A line for each run that is new, changed, deleted or failed."""
    for directory, state in outcome.runs.items():
        if state.deleted:
            print(f"deleted  {relative(directory)}  somebody deleted run {state.run_id} in the store: it stays so")
        elif state.change:
            status = journal.status(directory)
            print(f"{state.change:8} {relative(directory)}  {status}, run {state.run_id}")
        for note in state.notes:
            print(f"         {relative(directory)}  {note}")
    for run_id in outcome.buried:
        print(f"ended    run {run_id}  its process is gone: killed")
    for directory, reason in outcome.failed.items():
        print(f"failed   {relative(directory)}  {reason}", file=sys.stderr)


def _tell_others(found: Journals) -> None:
    """A line for each run that no store was asked about."""
    for directory in found.live:
        print(f"left     {relative(directory)}  is still being written: its tracking process stores it")
    for directory in found.empty:
        print(f"empty    {relative(directory)}  was killed before it began: nothing to store")
    for directory, reason in found.damaged.items():
        print(f"failed   {relative(directory)}  {reason}", file=sys.stderr)


def _summary(found: Journals, outcomes: Sequence[tuple[str, Outcome]]) -> str:
    """One line on all of them."""
    words = {"new": "new", "changed": "changed", "": "there already"}
    counts = {word: sum(outcome.count(change) for _, outcome in outcomes) for change, word in words.items()}
    counts["deleted in the store"] = sum(state.deleted for _, outcome in outcomes for state in outcome.runs.values())
    counts["still being written"], counts["empty"] = len(found.live), len(found.empty)
    counts["not stored"] = len(found.damaged) + sum(len(outcome.failed) for _, outcome in outcomes)
    runs = sum(counts.values())
    said = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
    stores = " and ".join(public(uri) for uri, _ in outcomes)
    return f"{runs} {'run' if runs == 1 else 'runs'}: {said}" + (f"; {stores}" if stores else "")
