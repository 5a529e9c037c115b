"""One script from its text to what is wrong with it: understood, checked line by line, run to its end, fixed."""

import shutil
import time
from pathlib import Path
from typing import Any

from runner.diagnosis.script.cures import cure, prepared
from runner.diagnosis.script.edge import edge
from runner.diagnosis.script.lines import check
from runner.diagnosis.script.mend import mend
from runner.diagnosis.script.report import Report
from runner.diagnosis.script.sentences import findings_of, mistake_of
from runner.training.script.copies import scratch
from runner.training.script.execute import run_scripts
from runner.training.script.process import Limits
from runner.training.script.source import ScriptProblem, read
from runner.training.script.tracing import first_bad, traced, tracing
from runner.training.script.understand import Told, understand


def explain(path: Path, told: Told, seconds: float, at_once: int = 2, cures: bool = True) -> Report:
    """Look at a script for at most `seconds`: the line first, then what it reaches, then causes and cures."""
    began = time.monotonic()
    report = Report(path)
    until = began + seconds
    place = scratch()
    try:
        report.source = read(path)
        report.understood = understand(report.source, told, place, max(2.0, 0.35 * seconds))
        report.checked = check(report.understood, told.argv, place, max(2.0, 0.15 * seconds))
        _run(report, told, place, until)
        if cures:
            _cures(report, told, place, until, at_once)
        report.findings = findings_of(report)
    except ScriptProblem as problem:
        report.problem = str(problem)
    finally:
        shutil.rmtree(place, ignore_errors=True)
        report.seconds = time.monotonic() - began
    return report


def _run(report: Report, told: Told, place: Path, until: float) -> None:
    understood = report.understood
    assert understood is not None
    limits = Limits(seconds=max(2.0, 0.5 * (until - time.monotonic())))
    report.run = traced(run_scripts([tracing(understood.source, understood, told.argv, 0, limits)], place)[0])
    if report.run.nonfinite is not None:
        again = Limits(seconds=max(2.0, 0.5 * (until - time.monotonic())))
        report.bad = first_bad(understood, report.run, told.argv, 0, place, again)


def _cures(report: Report, told: Told, place: Path, until: float, at_once: int) -> None:
    understood = report.understood
    assert understood is not None
    if report.checked.ok is False:
        if time.monotonic() < until:
            share = time.monotonic() + 0.3 * (until - time.monotonic())
            report.mended = mend(understood, report.checked, told.argv, place, share, at_once)
        else:
            report.not_tried.append("a corrected line")
    if (report.wrong and report.run is not None and report.run.reached is not None) or report.bad is not None:
        if until - time.monotonic() > 3:
            edits = report.mended.edits if report.mended is not None else []
            search = prepared(understood, edits, told.argv, place, until, at_once)
            assert report.run is not None
            search.iterations = report.run.iterations
            if report.checked.ok and not search.late:
                report.edge = edge(search, report.run.iterations)
            report.cure = cure(search, report.not_tried)
        else:
            report.not_tried.append("cures")


def as_json(report: Report) -> dict[str, Any]:
    """The one object of `--json`."""
    understood, checked = report.understood, report.checked
    made: dict[str, Any] = {
        "file": report.path.name,
        "ok": not report.problem and not report.wrong,
        "arrays": [],
        "mistakes": [],
    }
    if report.problem:
        return {**made, "problem": report.problem}
    assert understood is not None
    assert report.run is not None
    made["arrays"] = checked.seen.get("arrays", [])
    mistake = mistake_of(report)
    made["mistakes"] = [mistake] if mistake is not None else []
    cost = understood.cost
    made["script"] = {
        "loop": understood.loop.line,
        "parameters": [each.name for each in understood.parameters],
        "cost": None if cost is None else {"name": cost.name, "line": cost.line},
        "iterations": report.run.iterations,
    }
    bad = report.bad
    made["first_nonfinite"] = None if bad is None else {"step": bad.step, "line": bad.site.line, "name": bad.site.name}
    made["findings"] = [each.as_json() for each in report.findings]
    if report.not_tried:
        made["not_tried"] = report.not_tried
    return made
