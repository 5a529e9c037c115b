"""How a run shows itself where Python prints it, and in a notebook: a line, and a small table with a curve.

`run` is a `runner.runs.trace.Trace` in all of these; that module imports this one.
"""

import html as escaping
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

TOLD = tuple(f"{part}/{kind}" for part in ("train", "val", "test") for kind in ("cost", "accuracy", "r2"))
WIDTH, HEIGHT, POINTS = 320, 60, 160  # of the curve, in pixels; and the rows that it is drawn from at most


def words(run: Any) -> str:
    """A run in a line: `lr=0.1: finished at step 2000, train/cost 0.0009, train/accuracy 1`."""
    parts = [f"{name(run)}: {run.status} at step {run.steps[-1] if len(run.steps) else 0}"]
    parts += [f"{key} {run.values[key][-1]:.4g}" for key in TOLD if key in run.values and len(run.steps)]
    if run.nonfinite is not None:
        parts.append(f"first non-finite value {where(run)}")
    return ", ".join(parts) + (f"; {run.directory}" if run.directory else "")


def html(run: Any) -> str:
    """A run in a notebook: how it ended, its metrics at the first row and the last, the course of its cost."""
    title = f"<b>{escaping.escape(name(run))}</b>: {run.status} at step {run.steps[-1] if len(run.steps) else 0}"
    if run.nonfinite is not None:
        title += f"; first non-finite value: {escaping.escape(where(run))}"
    keys = [key for key in (*TOLD, "grad_norm") if key in run.values]
    cells = "".join(
        f"<tr><th style='text-align:left'>{key}</th><td>{run[key][0]:.4g}</td><td>{run[key][-1]:.4g}</td></tr>"
        for key in keys
    )
    head = f"<tr><th></th><th>first</th><th>step {run.steps[-1]}</th></tr>" if keys else ""
    place = f"<div><code>{escaping.escape(str(run.directory))}</code></div>" if run.directory else ""
    return f"<div>{title}</div>{curve(run)}<table>{head}{cells}</table>{place}"


def curve(run: Any) -> str:
    """The training cost over the steps as a drawing, logarithmic where all of it is above 0; what is not finite is
    left out.
    """
    cost = run.values.get("train/cost", np.empty(0))
    kept = np.isfinite(cost)
    steps, cost = run.steps[kept], cost[kept]
    if len(cost) < 2:
        return ""
    if len(cost) > POINTS:
        rows = np.linspace(0, len(cost) - 1, POINTS).round().astype(int)
        steps, cost = steps[rows], cost[rows]
    height = np.log(cost) if (cost > 0).all() else cost
    x = (steps - steps[0]) / (steps[-1] - steps[0]) * (WIDTH - 4) + 2
    y = HEIGHT - 2 - (height - height.min()) / ((height.max() - height.min()) or 1.0) * (HEIGHT - 4)
    points = " ".join(f"{left:.1f},{top:.1f}" for left, top in zip(x, y, strict=True))
    scale = "train/cost, logarithmic" if (cost > 0).all() else "train/cost"
    return (
        f"<svg width='{WIDTH}' height='{HEIGHT}' role='img' aria-label='{scale}'><title>{scale}</title>"
        f"<polyline points='{points}' fill='none' stroke='currentColor' stroke-width='1.5'/></svg>"
    )


def table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows of values under their titles, for a notebook."""
    head = "".join(f"<th>{escaping.escape(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(f'<td>{escaping.escape(number(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def name(run: Any) -> str:
    """What the run is called."""
    return str(run.summary["name"]) if run.summary else "run"


def where(run: Any) -> str:
    """The place of the first non-finite value: `cost of layer 2 at step 275`."""
    assert run.nonfinite is not None
    layer = f" of layer {run.nonfinite['layer']}" if run.nonfinite["layer"] else ""
    return f"{run.nonfinite['array']}{layer} at step {run.nonfinite['step']}"


def number(value: object) -> str:
    """A value in a cell: few digits, nothing where there is none."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return "" if value is None else str(value)
