"""`python -m runner.report SWEEP [SWEEP ...]`: make the reports of sweeps again, and print what they say in sum."""

import argparse
import json
import sys

from runner import Refusal, report
from runner.screen.door import door


def main() -> int:
    """Exit codes: 0 made, 2 one of the directories holds no sweep."""
    parser = argparse.ArgumentParser(prog="python -m runner.report", description=str(__doc__).split("`: ")[1])
    parser.add_argument("directories", nargs="+", metavar="SWEEP", help="a sweep's directory")
    code = 0
    for directory in parser.parse_args().directories:
        try:
            page = report.write(directory)
            print(page, *json.loads((page.parent / report.PHASES).read_text())["sentences"], sep="\n  ")
        except (Refusal, OSError) as error:
            print(error, file=sys.stderr)
            code = 2
    return code


if __name__ == "__main__":
    door(main)
