"""A folder of scripts: each explained in a process of its own; one table, explain.csv, one page."""

import csv
import html
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from runner.diagnosis.script.explain import as_json, explain
from runner.training.script.process import Ended, Limits, holds, run_all
from runner.training.script.understand import Told

SHARE = 900.0  # seconds of two cores that a folder takes in all, where none are named
COLUMNS = ("file", "runs", "right", "line", "sentence", "cost", "accuracy", "cure")


def explain_folder(folder: Path, told: Told, seconds: float, wants_json: bool) -> int:
    """Explain every script of a folder; returns the exit code: 1 where something is wrong in any."""
    files = sorted(each for each in folder.rglob("*") if each.suffix in (".py", ".ipynb") and _is_theirs(each, folder))
    if not files:
        print(f"{folder}: there is no script in it (.py or .ipynb).")
        return 2
    out = Console(soft_wrap=True, highlight=False, stderr=wants_json)
    share = max(4.0, min(seconds, SHARE / len(files)))
    out.print(f"{len(files)} scripts, at most {share:.0f} s each; held to: {', '.join(holds())}")
    place = Path(tempfile.mkdtemp(prefix="explain-folder-")).resolve()
    rows: list[dict[str, Any]] = [{} for _ in files]
    try:
        jobs = [
            (_work(file, told, share, place / f"{number}.json"), _limits(share)) for number, file in enumerate(files)
        ]
        for number, ended in run_all(jobs, os.cpu_count() or 2):
            rows[number] = _row(files[number].relative_to(folder), place / f"{number}.json", ended)
            if not wants_json:
                _line(out, rows[number])
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if wants_json:
        print(json.dumps([row["json"] for row in rows], indent=2))
    now = datetime.now()
    record = (
        Path("outputs")
        / now.strftime("%Y-%m-%d")
        / f"{now.strftime('%H-%M-%S-%f')[:-3]}_explain_{folder.resolve().name}"
    )
    record.mkdir(parents=True)
    _write(record, folder, rows)
    out.print(f"recorded in {record}: explain.csv, explain.html")
    return 0 if all(row["json"].get("ok") for row in rows) else 1


def _is_theirs(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return not any(part.startswith((".", "__")) or part in ("outputs", "venv", "node_modules") for part in parts)


def _limits(share: float) -> Limits:
    return Limits(seconds=1.5 * share + 10, memory=3 << 30, processes=48)


def _work(file: Path, told: Told, share: float, answer: Path) -> Callable[[], None]:
    def work() -> None:
        os.environ["TMPDIR"] = str(answer.parent)  # what an ended process leaves goes with the folder's own
        tempfile.tempdir = None
        report = explain(file, told, share, at_once=1)
        part = answer.with_suffix(".part")
        made = as_json(report)
        run = report.run
        made["reached"] = {
            "cost": run.last if run else None,
            "score": run.score if run else None,
            "status": run.status if run else "",
        }
        part.write_text(json.dumps(made))
        part.rename(answer)

    return work


def _row(file: Path, answer: Path, ended: Ended) -> dict[str, Any]:
    """What the table says of a script."""
    if answer.exists():
        made = json.loads(answer.read_text())
    else:
        why = {"time": "it took more time than it may", "memory": "it took more memory than it may"}
        reason = why.get(
            ended.why, "it started more processes than it may" if ended.why else "it ended the process that looked"
        )
        made = {"ok": False, "problem": f"{file}: {reason}, and was ended.", "arrays": [], "mistakes": []}
    made["file"] = str(file)
    mistakes, findings = made.get("mistakes", []), made.get("findings", [])
    reached = made.pop("reached", {})
    cure = next((each["cure"] for each in findings if each["cure"]), None)
    first = mistakes[0] if mistakes else findings[0] if findings else {}
    bad = made.get("first_nonfinite")
    sentence = (
        made.get("problem")
        or first.get("sentence")
        or (f"first bad value at step {bad['step']}: {bad['name']}" if bad else "")
    )
    score = reached.get("score")
    return {
        "file": str(file),
        "runs": "no"
        if made.get("problem") or reached.get("status") in ("raised", "memory", "processes", "gone")
        else "yes",
        "right": "?" if made.get("problem") else "yes" if made["ok"] else "no",
        "line": first.get("line") or (bad["line"] if bad else ""),
        "sentence": sentence,
        "cost": "" if reached.get("cost") is None else f"{reached['cost']:.6g}",
        "accuracy": "" if not score else f"{score['kind']} {score['value']:.3f}",
        "cure": "" if cure is None else f"{cure['reached']} of {cure['of']}",
        "diff": cure["diff"] if cure else "",
        "json": made,
    }


def _line(out: Console, row: dict[str, Any]) -> None:
    colour = {"yes": "green", "no": "red", "?": "yellow"}[row["right"]]
    where = f":{row['line']}" if row["line"] else ""
    out.print(f"[{colour}]{row['right']:3}[/] {escape(row['file'])}{where}  {escape(row['sentence'][:160])}")


def _write(record: Path, folder: Path, rows: list[dict[str, Any]]) -> None:
    with (record / "explain.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    (record / "explain.html").write_text(_page(folder, rows))


def _page(folder: Path, rows: list[dict[str, Any]]) -> str:
    """One page, without anything from elsewhere."""
    cells = []
    for row in rows:
        diff = (
            f"<details><summary>{html.escape(row['cure'])}</summary><pre>{html.escape(row['diff'])}</pre></details>"
            if row["diff"]
            else ""
        )
        values = [html.escape(str(row[name])) for name in COLUMNS[:-1]]
        cells.append(
            f"<tr class={'y' if row['right'] == 'yes' else 'n'}><td>" + "</td><td>".join([*values, diff]) + "</td></tr>"
        )
    right = sum(row["right"] == "yes" for row in rows)
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    style = (
        "body{font:15px system-ui,sans-serif;margin:2em}td,th{padding:.3em .7em;text-align:left;vertical-align:top;"
        "border-bottom:1px solid #ccc}.y td:nth-child(3){color:#2a7a2a}.n td:nth-child(3){color:#b00020}"
        "pre{font-size:13px}"
    )
    when = time.strftime("%Y-%m-%d %H:%M")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(folder.name)}</title>"
        f"<style>{style}</style>"
        f"<h1>{html.escape(folder.name)}</h1><p>{len(rows)} scripts, {right} right. {when}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(cells)}</tbody></table></html>\n"
    )
