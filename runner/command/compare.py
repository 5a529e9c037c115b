"""`python -m runner.compare SWEEP --by KEY`: which setting is better, and what proves it.

    python -m runner.compare multirun/2026-11-22/04-05-06-fc3b0672 --by optimizer.name --metric val/cost

Runs are paired over the other keys and the seeds. For each setting: how likely the best is better than it, by how much,
with intervals that hold together, and which settings cannot be told from the best. Runs that diverged rank worst. Of
all keys that were swept it is said which mattered. --power says how many more seeds would tell. SWEEP is a sweep's
directory, or any folder above runs.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from runner.screen import compare as screen
from runner.sweeps.compare.matched import matched, mattered
from runner.sweeps.compare.verdict import standings
from runner.sweeps.table import Runs, directories


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 compared, 2 there are no such runs, or nothing in which they differ."""
    parser = argparse.ArgumentParser(
        prog="python -m runner.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sweep", metavar="SWEEP", type=Path, help="a sweep's directory")
    parser.add_argument("--by", metavar="KEY", help="the key whose values are compared; by default all that was swept")
    parser.add_argument("--metric", metavar="M", help="of the end of each run; by default what they were ranked by")
    parser.add_argument("--power", action="store_true", help="how many more seeds would tell the best two apart")
    given = parser.parse_args(arguments)
    runs = Runs.read(found.absolute() for found in directories(given.sweep))
    side_by_side = matched(runs, given.by, given.metric)
    found = standings(side_by_side)
    screen.compared(side_by_side, found)
    if told := mattered(runs, given.metric):
        print(told)
    if given.power:
        screen.power(side_by_side, found)
    return 0
