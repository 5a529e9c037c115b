"""The report's page: what `runner.report.runs` has read, as one HTML file that asks nothing of any network."""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from runner.nn.scores import is_score
from runner.report import charts, phasemap
from runner.report.runs import Run, Sweep, points, settings
from runner.runs import journal
from runner.runs.files import FOLDER
from runner.runs.names import REPEATS
from runner.screen.typed import typed
from runner.sweeps.importance import importance, sentence
from runner.training.nonfinite import NonFinite

HEAVIEST = 600_000  # bytes of a picture
MOST_CELLS = 400  # of the phase map, in its table
PICTURES = ("boundary", "images", "table", "cost")  # the first that a run has is shown


def html(sweep: Sweep) -> str:
    """The page as text."""
    jinja = Environment(
        loader=PackageLoader("runner.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters |= {"number": number, "value": value, "words": words, "place": place_of, "typed": typed}
    phases = points(sweep)
    return jinja.get_template("page.html").render(
        sweep=sweep,
        phases=phases_of(phases),
        sentences=phasemap.sentences(phases),
        mattered=mattered(sweep),
        runs=sweep.runs,
        settings=settings(sweep),
        keys=[key for key in sweep.keys if key not in REPEATS],
        metrics=[metric for metric in sweep.metrics if "/" in metric],
        counts=counts(sweep.runs),
        reached=sum(run.summary["target"]["reached"] for run in sweep.runs),
        reasons=reasons(sweep.runs),
        undiagnosed=len([run for run in sweep.runs if missed(run) and not run.summary["findings"]]),
        wrong=[(place, run) for place, run in enumerate(sweep.runs) if run.failed or run.summary["findings"]],
        pictures=pictures(sweep.runs),
        environment=environment(sweep.runs),
        style=jinja.get_template("page.css").render(),
        library=charts.library(),
        script=jinja.loader.get_source(jinja, "page.js")[0] if jinja.loader else "",
        data=_json(payload(sweep)),
        items=_json(charts.items()),
    )


def mattered(sweep: Sweep) -> str:
    """Which of the swept keys made the difference, in a sentence."""
    by = sweep.objective
    values = [math.inf if run.failed else by.sign * run.last.get(by.metric, math.nan) for run in sweep.runs]
    return sentence(importance({key: [run.values[key] for run in sweep.runs] for key in sweep.keys}, values), by.metric)


def payload(sweep: Sweep) -> dict[str, Any]:
    """What page.js draws: the runs, best first, with four significant digits of what was logged."""
    grids: dict[tuple[int, ...], int] = {}
    metrics = sweep.metrics
    runs = []
    for run, point in zip(sweep.runs, points(sweep), strict=True):
        grid = grids.setdefault(tuple(run.steps), len(grids))
        curves = [[_short(y) for y in run.curves[metric]] if metric in run.curves else None for metric in metrics]
        last = [_short(run.last.get(metric, math.nan)) for metric in metrics]
        values = [run.values[key] for key in sweep.keys]
        about = {"name": run.name, "status": run.status, "failed": run.failed, "values": values, "last": last}
        runs.append({**about, "grid": grid, "curves": curves, "outcome": point.outcome})
    return {
        "keys": list(sweep.keys),
        "repeats": REPEATS,
        "metrics": metrics,
        "better": [1 if _is_better_high(metric, sweep) else -1 for metric in metrics],
        "grids": [list(grid) for grid in grids],
        "runs": runs,
        "outcomes": charts.OUTCOMES,
        "palette": charts.PALETTE,
        "failed": charts.FAILED,
        "marked": charts.MARKED,
    }


def phases_of(given: Sequence[phasemap.Point]) -> dict[str, Any] | None:
    """The phase map over the first two of the swept numbers, as a table; None where no number was swept."""
    keys = phasemap.axes(given)[:2]
    if not keys:
        return None
    cells = phasemap.cells(given, *keys)
    names = [name for name in phasemap.OUTCOMES if any(name in cell.counts for cell in cells)]
    return {"keys": keys, "names": names, "cells": cells[:MOST_CELLS], "left_out": len(cells[MOST_CELLS:])}


def _is_better_high(metric: str, sweep: Sweep) -> bool:
    if metric == sweep.objective.metric:
        return sweep.objective.mode == "max"
    return is_score(metric)


def reasons(runs: Sequence[Run]) -> dict[str, int]:
    """Why runs failed, in words, and how many for each: errors first, the most frequent first."""
    found: dict[tuple[bool, str], int] = {}
    for run in runs:
        error, bad = run.status == "error", run.summary["first_nonfinite"]
        if run.failed:
            last = (str(run.summary["error"] or "").strip().splitlines() or ["no reason is recorded"])[-1]
            said = (
                f"failed: {last}"
                if error
                else f"diverged: {NonFinite(**bad).what if bad else 'a value'} was not finite"
            )
            found[not error, said] = found.get((not error, said), 0) + 1
    return {said: n for (_, said), n in sorted(found.items(), key=lambda item: (item[0][0], -item[1]))}


def missed(run: Run) -> bool:
    """Whether a run diverged, or ended and missed its target."""
    return run.status == "diverged" or (run.status == "finished" and not run.summary["target"]["reached"])


def place_of(bad: Mapping[str, Any]) -> str:
    """Where a value was first not finite."""
    return str(NonFinite(**bad))


def counts(runs: Sequence[Run]) -> dict[str, int]:
    """How many runs ended how."""
    found: dict[str, int] = {}
    for run in runs:
        found[run.status] = found.get(run.status, 0) + 1
    return found


def pictures(runs: Sequence[Run]) -> list[tuple[str, Run, str, str]]:
    """Of the best and the worst that have any: (which, run, what it shows, the PNG as an address)."""
    found = []
    for which, ordered in (("best", runs), ("worst", runs[::-1])):
        for run in ordered[:1]:
            paths = [(name, run.directory / FOLDER / f"{name}.png") for name in PICTURES]
            for name, path in paths:
                if path.exists() and path.stat().st_size <= HEAVIEST:
                    found.append((which, run, name, _inlined(path)))
                    break
    return found


def _inlined(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def environment(runs: Sequence[Run]) -> dict[str, str]:
    """What the runs were made by; several where they were made by several."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        start, summary = journal.first(run.directory), run.summary
        tags, versions = start["tags"], summary["versions"]
        commit = tags.get("git.commit", "")
        about = {
            "data": f"{summary['dataset']['name']}, SHA-256 {tags['data.sha256'][:16]}",
            "code": f"SHA-256 {tags['code.sha256'][:16]}",
            "git": commit[:12] + " with changes" * (tags.get("git.dirty") == "true") if commit else "",
            "machine": start["host"],
            "BLAS threads": str(summary["timings"]["blas_threads"]),
            **{name: str(version) for name, version in versions.items()},
        }
        for key, said in about.items():
            if said:
                found.setdefault(key, {})[said] = None
    return {key: ", ".join(values) for key, values in found.items()}


def number(given: Any) -> str:
    """Four significant digits; nothing where there is no number."""
    if not isinstance(given, int | float):
        return "" if given is None else str(given)
    return "" if math.isnan(given) else f"{given:.4g}"


def value(given: Any) -> str:
    """The value of a key, as one would type it."""
    if isinstance(given, bool) or given is None:
        return json.dumps(given)
    return f"{given:.6g}" if isinstance(given, float) else str(given)


def words(name: str) -> str:
    return name.replace("_", " ")


def _short(y: float) -> float | None:
    return float(f"{y:.4g}") if math.isfinite(y) else None


def _json(given: Any) -> str:
    """JSON that may stand in a script element."""
    text = json.dumps(given, separators=(",", ":"), default=str, allow_nan=False)
    return text.replace("<", "\\u003c")
