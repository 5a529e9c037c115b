"""Which sweeps a run belongs to: the one that made it, and those that found it done.

The tag `sweep` is the sweep that made a run; `sweeps` has the ids of all that it stands in, so that the charts of a
sweep show the runs that it did not have to repeat.
"""

from pathlib import Path

from runner.runs import journal
from runner.runs.journal import Journal, JournalError

SWEEP, SWEEPS = "sweep", "sweeps"


def tags(sweep: str) -> dict[str, str]:
    """The tags of a run that the sweep with this id makes."""
    return {SWEEP: sweep, SWEEPS: sweep}


def join(directory: Path, sweep: str) -> None:
    """Add the run in `directory`, which has ended, to a sweep; in one that it is in already nothing is written."""
    if journal.first(directory)["tags"].get(SWEEP) == sweep:
        return
    found = ""
    for record, _ in journal.read(directory):
        found = (record.get("tags") or {}).get(SWEEPS, found)
    if sweep in found.split():
        return
    try:
        with Journal.supplement(directory) as run:
            run.tags({SWEEPS: f"{found} {sweep}".strip()})
    except JournalError:
        pass  # another command is adding to it, or it may not be written here: it is only missing from the chart
