"""The report of a sweep: one static HTML file, made from the sweep's directory alone.

Leaderboard, curves, heat map and phase map over any two keys, boxes over the seeds, what went wrong, the command of
every row. It asks nothing of any network: charts and pictures are in it. `python -m runner.report SWEEP` makes it
again. Bokeh is slow to import: import this package where it is used.
"""

import json
from pathlib import Path

from runner.report import phasemap
from runner.report.page import html
from runner.report.runs import NoSweep, points, read
from runner.runs.files import replace_file

FILE, PHASES = "report.html", "phasemap.json"


def write(directory: str | Path) -> Path:
    """Make the report of the sweep in `directory`, and put it there, with its phase map as data beside it.

    Raises `NoSweep` where there is none.
    """
    directory = Path(directory)
    sweep = read(directory)
    replace_file(directory / PHASES, json.dumps(phasemap.table(points(sweep)), indent=1) + "\n")
    replace_file(directory / FILE, html(sweep))
    return directory / FILE


__all__ = ["FILE", "PHASES", "NoSweep", "write"]
