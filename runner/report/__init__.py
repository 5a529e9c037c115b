"""The report of a sweep: one static HTML file, made from the sweep's directory alone.

Leaderboard, curves, heat map over any two keys, boxes over the seeds, what went wrong, the command of every row. It
asks nothing of any network: charts and pictures are in it. `python -m runner.report SWEEP` makes it again. Bokeh is
slow to import: import this package where it is used.
"""

from pathlib import Path

from runner.report.page import html
from runner.report.runs import NoSweep, read
from runner.tracking import replace_file

FILE = "report.html"


def write(directory: str | Path) -> Path:
    """Make the report of the sweep in `directory`, and put it there. Raises `NoSweep` where there is none."""
    directory = Path(directory)
    path = directory / FILE
    replace_file(path, html(read(directory)))
    return path


__all__ = ["FILE", "NoSweep", "write"]
