"""`python -m runner.plots DIR [DIR ...]`: draw the pictures of recorded runs again, and print their paths."""

import argparse
import sys
from pathlib import Path

from runner import Refusal, plots
from runner.runs import trace
from runner.runs.files import relative
from runner.runs.journal import JournalError
from runner.screen.door import door


def main() -> None:
    """Exit codes: 0 drawn, 2 one of the directories holds no run that has ended; then nothing is drawn."""
    parser = argparse.ArgumentParser(prog="python -m runner.plots", description=str(__doc__).split("`: ")[1])
    parser.add_argument("directories", nargs="+", metavar="DIR", type=Path, help="a run's directory")
    runs, refused = [], []
    for directory in parser.parse_args().directories:
        try:
            runs.append((directory, trace.load(directory)))
        except JournalError as error:
            refused.append(str(error))
    if refused:
        raise Refusal("\n".join(refused))
    for directory, run in runs:
        drawn = plots.draw_run(run, *plots.dataset_of(run))
        for path in drawn.paths:
            print(relative(path))
        if not drawn.paths:
            print(f"{directory}: nothing to draw, the run ended before its first row.", file=sys.stderr)
        elif drawn.note:
            print(f"{directory}: no pictures of the data and the answers. {drawn.note}", file=sys.stderr)


if __name__ == "__main__":
    door(main)
