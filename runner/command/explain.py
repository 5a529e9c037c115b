"""The command `python -m runner.explain`: one script or a folder of them, on the screen, as JSON, as a record."""

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path

from runner.command.explain_folder import explain_folder
from runner.diagnosis.script.explain import as_json, explain
from runner.diagnosis.script.report import Report
from runner.screen import explain as screen
from runner.training.script.process import adopt
from runner.training.script.understand import Told

USAGE = """python -m runner.explain SCRIPT_OR_FOLDER [--json] [--seconds N] [--apply]
    [--loop LINE] [--cost NAME] [--parameters W1,b1,...] [-- WORDS FOR THE SCRIPT]"""


def main() -> int:
    """Run the command line. Exit codes: 0 right, 1 something wrong, 2 it could not be looked at."""
    words, argv = _split(sys.argv[1:])
    options = _parser().parse_args(words)
    told = Told(options.loop, options.cost, tuple(filter(None, (options.parameters or "").split(","))), tuple(argv))
    if options.seconds <= 0:
        print(f"--seconds must be a number above 0. Got {options.seconds:g}.", file=sys.stderr)
        return 2
    adopt()
    path = Path(options.path)
    if path.is_dir():
        return explain_folder(path, told, options.seconds, options.json)
    return _tell(explain(path, told, options.seconds), options.json, options.apply)


def _tell(report: Report, wants_json: bool, apply: bool) -> int:
    if wants_json:
        print(json.dumps(as_json(report), indent=2))
    elif report.problem:
        print(report.problem, file=sys.stderr)
    else:
        screen.show(report)
    if report.problem:
        return 2
    record = _record(report)
    if apply:
        _apply(report, wants_json)
    if not wants_json:
        print(f"recorded in {record}")
    return report.code


def _apply(report: Report, quiet: bool) -> None:
    """Write the patched script beside the original."""
    text = report.patched
    if text is None:
        if not quiet:
            print("--apply: there is no patch to write.")
        return
    path = report.path.with_name(f"{report.path.stem}.fixed.py")
    path.write_text(text)
    if not quiet:
        print(f"written: {path}")


def _record(report: Report) -> Path:
    """Findings, patch and trace in a directory of their own below outputs/."""
    now = datetime.now()
    place = (
        Path("outputs") / now.strftime("%Y-%m-%d") / f"{now.strftime('%H-%M-%S-%f')[:-3]}_explain_{report.path.stem}"
    )
    place.mkdir(parents=True)
    (place / "explain.json").write_text(json.dumps(as_json(report), indent=2))
    if report.run is not None:
        rows = ["step,cost"] + [f"{step},{value!r}" for step, value in report.run.costs]
        (place / "costs.csv").write_text("\n".join(rows) + "\n")
        norms = [f"{name},{step},{value!r}" for name, found in report.run.norms.items() for step, value in found]
        (place / "norms.csv").write_text("\n".join(["array,step,norm", *norms]) + "\n")
    if report.diff:
        (place / "cure.patch").write_text(report.diff)
    return place


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Our words, and after `--` those of the script."""
    return (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("runner.explain", USAGE, __doc__)
    parser.add_argument("path", help="a script (.py), a notebook (.ipynb) or a folder of them")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long it may take (default 300)")
    parser.add_argument("--apply", action="store_true", help="write the patched script beside the original")
    parser.add_argument("--loop", type=int, help="the line of the loop that trains")
    parser.add_argument("--cost", help="what the cost is called")
    parser.add_argument("--parameters", help="what is trained, by commas")
    return parser
