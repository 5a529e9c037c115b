"""The pictures of a run, and the report of a sweep, by themselves: after the result is printed, and into MLflow.

matplotlib and, for the report, Bokeh take longer to import than many a run to train: they are imported where they are
needed.
"""

import shutil
from pathlib import Path

from runner.runs import findings, journal, trace
from runner.runs.files import FOLDER
from runner.runs.journal import Journal
from runner.runs.result import Result
from runner.sweeps.leaderboard import SUMMARY_DIR


def hand_on(result: Result) -> bool:
    """Draw a run that has ended, unless that was done, and have its journal say so; whether there is anything new.

    Its note, which is what its page in MLflow shows, gets the pictures, the result in a sentence and its command.
    Raises `runner.runs.journal.JournalError` where another command is adding to the run, or it may not be written here.
    """
    if not result.experiment.plots or are_drawn(result.directory):
        return False
    from runner import plots
    from runner.plots.style import headline

    with Journal.supplement(result.directory) as run:
        loaded, dataset = trace.load(result.directory), result.experiment.dataset
        paths = plots.draw_run(loaded, None if dataset.stream else dataset).paths
        if paths:
            run.artifact(FOLDER, FOLDER)
            run.tags({findings.NOTE: note(headline(loaded), result, paths)})
    return bool(paths)


def report(sweep_dir: Path, best: Result) -> Path:
    """Make the report of a sweep that has ended, and have the sweep's own run name it; its path in `sweep_dir`."""
    from runner import report

    page, summary = report.write(sweep_dir), sweep_dir / SUMMARY_DIR
    with Journal.supplement(summary) as run:
        for name in (page.name, report.PHASES):
            shutil.copyfile(sweep_dir / name, summary / name)  # a run's artifacts lie in its own directory
            run.artifact(name)
        told = f"**Best: {best.name}**", f"All runs: `{page.name}` among the artifacts."
        run.tags({findings.NOTE: "\n\n".join([*told, f"`{journal.first(summary)['command']}`"])})
    return page


def are_drawn(directory: Path) -> bool:
    """Whether a run has its pictures, and was not resumed since."""
    drawn = False
    for record, _ in journal.read(directory):
        named = record["kind"] == "artifact" and record["path"] == FOLDER
        drawn = record["kind"] != "end" and (named or drawn)
    return drawn and (directory / FOLDER).is_dir()


def note(headline: str, result: Result, paths: list[Path]) -> str:
    """The run in Markdown: the result, why it failed, the pictures by their place in its directory, the command."""
    command = journal.first(result.directory)["command"]
    told = findings.note(result.findings) if result.findings else ""
    pictures = "\n\n".join(f"![{path.stem}]({FOLDER}/{path.name})" for path in paths)
    return "\n\n".join(filter(None, [f"**{headline}**", told, pictures, f"`{command}`"]))
