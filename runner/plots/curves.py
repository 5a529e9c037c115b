"""The pictures of what was logged as training went: costs and accuracies, and every layer's norms."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from datasets import Dataset
from runner.experiment.schema import options
from runner.nn import activations
from runner.nn.scores import is_score
from runner.nn.types import Array
from runner.plots.style import (
    DASHES,
    GREY,
    INK,
    SETS,
    beside,
    divergence,
    iterations,
    layer_colours,
    page,
    panels,
    percent,
    said,
)
from runner.runs.trace import Trace

UNITS = {
    "mean_squared_error": "mean squared error",
    "half_squared_error": "half squared error",
    "its own cost": "of the network's own",
}
MEANING = {"mean_squared_error": "the labels' variance", "half_squared_error": "half the labels' variance"}
SATURATING = ("tanh", "sigmoid")
SATURATED = 5.0  # tanh' and sigmoid' are below 0.0002 and 0.007 beyond
USUAL_RATIO = 1e-3
LARGEST = 1e250  # an axis has margins, which must be numbers too
CHUNK = 1 << 22  # numbers in a layer at a time


def cost(run: Trace) -> Figure | None:
    """Costs on a linear beside a log axis, accuracies below. None for a run without rows."""
    sets = [name for name in SETS if f"{name}/cost" in run.values]
    if not sets:
        return None
    figure = page(run, 10, 7.2)
    found = panels(figure, [["linear", "log"], ["accuracy", ""]])
    constant = float(said(run)["constant_predictor_cost"])  # "nan" where the cost is the user's own
    positive = constant > 0 or any((finite(run[f"{name}/cost"]) > 0).any() for name in sets)
    for scale in ("linear", "log"):
        axes = found[scale]
        if scale == "log" and positive:
            axes.set_yscale("log", nonpositive="mask")
        _costs(axes, run, sets)
        unit = UNITS.get(run.network["loss"], "nats")
        axes.set_ylabel(f"cost ({unit})")
        axes.set_title(f"cost, {scale}")
        if scale == "linear":
            axes.yaxis.set_major_locator(MaxNLocator(5))
        if scale == "log" and positive:
            log_ticks(axes)
        beside(axes)
    _accuracies(found["accuracy"], run, sets)
    beside(found["accuracy"])
    corner = found["log"].get_position().x0, found["accuracy"].get_position().y1
    spaces = {"borderaxespad": 0, "labelspacing": 0.75, "handlelength": 2.8}
    figure.legend(handles=_key(run, sets), loc="upper left", bbox_to_anchor=corner, **spaces)
    return figure


def _costs(axes: Axes, run: Trace, sets: list[str]) -> None:
    for name in sets:
        column = finite(run[f"{name}/cost"])
        marker = "o" if np.isfinite(column).sum() < 3 else ""
        axes.plot(run.steps, column, ls=DASHES[name], color=SETS[name], marker=marker, gid=f"{name}/cost")
    for gid, value, dash, colour in _lines(run):
        if value > 0 or axes.get_yscale() == "linear":
            axes.axhline(value, ls=dash, color=colour, lw=1.1, gid=gid, zorder=1.5)
    _mark_nonfinite(axes, run, [f"{name}/cost" for name in sets])
    iterations(axes, run)


def _lines(run: Trace) -> Iterator[tuple[str, float, str, str]]:
    """The horizontal lines that give costs a meaning: (name, value, dash, colour)."""
    constant = float(said(run)["constant_predictor_cost"])
    if np.isfinite(constant):
        yield "constant", constant, "--", GREY
    target = said(run)["target"]
    if target["metric"].endswith("/cost"):
        yield "target", target["value"], "-.", INK
    watched = _watched(run)
    best = said(run)["metrics"]["best"].get(watched)
    if best is not None:
        yield "best", best, ":", SETS[watched.split("/")[0]]


def _watched(run: Trace) -> str:
    return "val/cost" if "val/cost" in run.values else "train/cost"


def _mark_nonfinite(axes: Axes, run: Trace, metrics: list[str]) -> None:
    """A cross at the top for every row that is not finite, a line at the step where it began."""
    if run.nonfinite is not None:
        axes.axvline(run.nonfinite["step"], color=INK, lw=1.1, ls="-", alpha=0.6, gid="first-nonfinite", zorder=1.5)
    for row, metric in enumerate(metrics):
        bad = run.steps[np.isnan(finite(run[metric]))]
        if len(bad):
            height, colour = np.full(len(bad), 1 - 0.06 * row), SETS[metric.split("/")[0]]
            across = axes.get_xaxis_transform()
            cross: dict[str, Any] = {"ms": 7, "mew": 2, "color": colour, "transform": across, "clip_on": False}
            axes.plot(bad, height, "x", **cross, gid=f"{metric}/nonfinite")


def base_rate(run: Trace) -> float | None:
    """The share of the training rows that are of the most frequent class; None where there are no classes."""
    counts = said(run)["dataset"].get("balance")
    return max(counts.values()) / sum(counts.values()) if counts and f"train/{run.scored}" in run.values else None


def _accuracies(axes: Axes, run: Trace, sets: list[str]) -> None:
    classes = run.network["classes"] is not None
    scale = 100 if classes else 1
    lowest = 0.0
    for name in sets:
        if f"{name}/{run.scored}" not in run.values:
            continue  # a network of the user's own without predict(X)
        column = finite(run[f"{name}/{run.scored}"]) * scale
        marker = "o" if np.isfinite(column).sum() < 3 else ""
        axes.plot(run.steps, column, ls=DASHES[name], color=SETS[name], marker=marker, gid=f"{name}/{run.scored}")
        lowest = min([lowest, *column[np.isfinite(column)].tolist()])
    if (share := base_rate(run)) is not None:
        axes.axhline(share * scale, ls="--", color=GREY, lw=1.1, gid="base-rate")
    target = said(run)["target"]
    if is_score(target["metric"]):
        axes.axhline(target["value"] * scale, ls="-.", color=INK, lw=1.1, gid="target")
    if run.nonfinite is not None:
        axes.axvline(run.nonfinite["step"], color=INK, lw=1.1, alpha=0.6, gid="first-nonfinite", zorder=1.5)
    if classes:
        axes.set_ylim(-2, 102)
        axes.set_yticks([0, 25, 50, 75, 100])
        axes.set_ylabel("rows answered right (%)")
    else:
        axes.set_ylim(max(lowest, -1) - 0.02, 1.02)
        axes.set_ylabel("R²" + " (not shown below -1)" * (lowest < -1))
    axes.set_title("accuracy" if classes else "share of the variance explained, R²")
    iterations(axes, run)


def _key(run: Trace, sets: list[str]) -> list[Line2D]:
    """What every line is, with its last and best values."""
    names = {"train": "train", "val": "held out to choose (val)", "test": "test"}
    summary, handles = said(run), []
    last, best = summary["metrics"]["last"], summary["metrics"]["best"]
    for name in sets:
        text = f"{names[name]}: cost {number(last.get(f'{name}/cost'))}, best {number(best.get(f'{name}/cost'))}"
        shares = [last.get(f"{name}/{run.scored}"), best.get(f"{name}/{run.scored}")]
        if all(isinstance(share, float | int) for share in shares):
            first, second = (percent(s) if run.network["classes"] is not None else f"R² {s:.4g}" for s in shares)
            text += (
                f"\n{first} right, best {second}" if run.network["classes"] is not None else f"\n{first}, best {second}"
            )
        handles.append(Line2D([], [], color=SETS[name], ls=DASHES[name], label=text))
    entropy = run.network["loss"].startswith("cross_entropy")
    meaning = {
        "constant": MEANING.get(run.network["loss"], "the labels' entropy"),
        "target": f"target for {summary['target']['metric']}",
        "best": f"best {_watched(run)}",
    }
    unit = " nats" if entropy else ""
    for gid, value, dash, colour in _lines(run):
        text = f"{meaning[gid]}: {value:.4g}{unit}"
        if gid == "constant":
            text += "\nwhat the best constant answer costs"
        handles.append(Line2D([], [], color=colour, ls=dash, lw=1.1, label=text))
    if (share := base_rate(run)) is not None:
        handles.append(
            Line2D([], [], color=GREY, ls="--", lw=1.1, label=f"always the most frequent class: {percent(share)}")
        )
    target = summary["target"]
    if is_score(target["metric"]):
        goal = percent(target["value"]) if run.network["classes"] is not None else f"{target['value']:g}"
        handles.append(Line2D([], [], color=INK, ls="-.", lw=1.1, label=f"{meaning['target']}: {goal}"))
    if run.nonfinite is not None:
        handles.append(Line2D([], [], color=INK, lw=1.1, alpha=0.6, label=divergence(run)))
    costs = np.concatenate([run[f"{name}/cost"] for name in sets])
    if np.isnan(finite(costs)).any():
        beyond = f", or beyond {LARGEST:g}" if (np.isnan(finite(costs)) & np.isfinite(costs)).any() else ""
        label = f"a cost that is not finite{beyond}"
        handles.append(Line2D([], [], color=INK, ls="", marker="x", ms=7, mew=2, label=label))
    return handles


class Units(NamedTuple):
    """Of one hidden layer at the end: how many of its `width` units are dead, or saturated."""

    bad: int
    width: int


def units(run: Trace, dataset: Dataset) -> list[Units]:
    """Of each hidden layer, with the final weights on the training rows.

    A unit of ReLU's kin is dead where A <= 0 on all rows; one of tanh or sigmoid is saturated where |Z| > 5 on more
    than half of them.
    """
    name = run.network["activation"]
    value = options(activations, "Activation")[name]().value
    W1 = run.weights[0][0]
    found = [np.zeros(W.shape[1], dtype=int) for W, _ in run.weights[:-1]]
    rows = max(1, CHUNK // max(run.network["widths"]))
    for start in range(0, len(dataset.train.X), rows):
        A: Array = dataset.train.X[start : start + rows].astype(W1.dtype)
        for hits, (W, b) in zip(found, run.weights, strict=False):
            Z = A @ W + b
            A = value(Z)
            hits += ((np.abs(Z) > SATURATED) if name in SATURATING else (A <= 0)).sum(axis=0)
    n = len(dataset.train.X)
    return [Units(int((hits > n / 2 if name in SATURATING else hits == n).sum()), len(hits)) for hits in found]


class Group(NamedTuple):
    """What a line of layers.png is of: `name` ends its metrics' names, `label` says it in words."""

    name: str
    label: str


def groups(run: Trace) -> list[Group]:
    """The layers, or of a network of the user's own the arrays by its own names."""
    if not run.known:
        names = [key.partition("/")[2] for key in run.values if key.startswith("weight_norm/")]
        return [Group(name, f"array {name}" if name.isdigit() else name) for name in names]
    widths = run.network["widths"]
    found = [
        Group(f"layer_{i + 1}", f"layer {i + 1} ({widths[i]:,} → {widths[i + 1]:,})") for i in range(len(widths) - 1)
    ]
    return [*found[:-1], Group(found[-1].name, f"{found[-1].label[:-1]}, output)")]


def layers(run: Trace, dataset: Dataset | None) -> Figure | None:
    """Gradient norm, weight norm and update ratio of each layer, and its dead or saturated units at the end."""
    lines = groups(run)
    if not len(run.steps) or not lines or f"weight_norm/{lines[0].name}" not in run.values:
        return None
    handles = _layer_key(run, lines)
    rows = -(-len(handles) // 5)
    figure = page(run, 10, 7.2)
    found = panels(figure, [["grad_norm", "weight_norm"], ["update_ratio", "units"]], rows)
    entropy = run.network["loss"].startswith("cross_entropy")
    titles = {
        "grad_norm": ("gradient norm", "|∂J/∂(W, b)|" + " (nats per unit of weight)" * entropy),
        "weight_norm": ("weight norm", "|W|"),
        "update_ratio": ("update ratio: how far one update moves W", "|ΔW| / |W|"),
    }
    for kind, (title, label) in titles.items():
        axes = found[kind]
        _norms(axes, run, kind, lines)
        axes.set_title(title)
        axes.set_ylabel(label)
        beside(axes)
    _unit_bars(found["units"], run, dataset)
    beside(found["units"])
    figure.legend(handles=handles, loc="lower left", ncols=-(-len(handles) // rows), columnspacing=1.6)
    return figure


def _layer_key(run: Trace, lines: list[Group]) -> list[Line2D]:
    """What the lines are; of many layers ten, evenly spread."""
    depth, colours = len(lines), layer_colours(len(lines))
    shown = range(depth) if depth <= 10 else sorted({round(i) for i in np.linspace(0, depth - 1, 10)})
    handles = [Line2D([], [], color=colours[i], lw=2.4, label=lines[i].label) for i in shown]
    handles.append(Line2D([], [], color=GREY, ls=":", label=f"{USUAL_RATIO:g}, a usual update ratio"))
    if any((run[f"{kind}/{line.name}"] == 0).any() for kind in ("grad_norm", "weight_norm") for line in lines):
        handles.append(Line2D([], [], color=INK, ls="", marker="v", ms=6, label="exactly 0"))
    if run.nonfinite is not None:
        handles.append(Line2D([], [], color=INK, lw=1.1, alpha=0.6, label=divergence(run)))
    return handles


def _norms(axes: Axes, run: Trace, kind: str, lines: list[Group]) -> None:
    axes.set_yscale("log", nonpositive="mask")
    drawn, thick = False, 1.7 if len(lines) <= 4 else 1.2
    for place, (line, colour) in enumerate(zip(lines, layer_colours(len(lines)), strict=False)):
        key = f"{kind}/{line.name}"
        kept = finite(run.values.get(key, np.full(len(run.steps), np.nan)))
        marker = "o" if np.isfinite(kept).sum() < 3 else ""
        drawn |= bool((kept > 0).any())
        with_zeros_out = np.where(kept > 0, kept, np.nan)
        axes.plot(run.steps, with_zeros_out, color=colour, marker=marker, ms=4, lw=thick, gid=key)
        zero = run.steps[kept == 0]
        if len(zero):
            height = np.full(len(zero), 0.02 + 0.04 * place % 0.5)
            across = axes.get_xaxis_transform()
            axes.plot(zero, height, "v", ms=4, color=colour, transform=across, gid=f"{kind}/{place + 1}/zero")
    if kind == "update_ratio":
        axes.axhline(USUAL_RATIO, color=GREY, ls=":", lw=1.3, gid="usual")
        drawn = True
    if run.nonfinite is not None:
        axes.axvline(run.nonfinite["step"], color=INK, lw=1.1, alpha=0.6, gid="first-nonfinite", zorder=1.5)
    if drawn:
        log_ticks(axes)
    else:
        axes.yaxis.set_major_locator(NullLocator())
        axes.yaxis.set_minor_locator(NullLocator())
    iterations(axes, run)


def _unit_bars(axes: Axes, run: Trace, dataset: Dataset | None) -> None:
    name = run.network["activation"] if run.known else ""
    kind = "saturated" if name in SATURATING else "dead"
    absent = _why_no_units(run, dataset)
    axes.set_title(f"{kind} units at the end" if not absent else "hidden units at the end")
    if absent or dataset is None:
        axes.grid(False)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.5, 0.5, absent, ha="center", va="center", color=GREY, transform=axes.transAxes, gid="absent")
        return
    found = units(run, dataset)
    numbers = range(1, len(found) + 1)
    shares = [100 * unit.bad / unit.width for unit in found]
    bars = axes.bar(
        numbers, shares, color=layer_colours(len(found) + 1)[: len(found)], width=min(0.6, 0.2 * len(found))
    )
    if len(found) <= 10:
        axes.bar_label(bars, [f"{unit.bad} of {unit.width}" for unit in found], padding=3)
        axes.set_xticks(numbers)
    rule = f"|Z| > {SATURATED:g} on most training rows" if kind == "saturated" else "A ≤ 0 on every training row"
    axes.set_xlabel(f"hidden layer; {kind}: {rule}")
    axes.set_ylabel("units of the layer (%)")
    axes.set_xlim(0.4, len(found) + 0.6)
    axes.set_ylim(0, 112)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.grid(False, axis="x")


def _why_no_units(run: Trace, dataset: Dataset | None) -> str:
    if not run.known:
        return "what its units do is known to its own code only"
    if len(run.network["widths"]) <= 2:
        return "this network has none"
    if run.network["activation"] == "identity":
        return "identity units neither die nor saturate"
    if not run.weights:
        return "no final weights were kept"
    if not all(np.isfinite(part).all() for W_b in run.weights for part in W_b):
        return "the final weights are not finite"
    return "" if dataset is not None else "the data is not there any more"


def finite(column: Array) -> Array:
    """The values that can be drawn, NaN for the others: a curve has a gap there."""
    return np.where(np.abs(column) < LARGEST, column, np.nan)


def number(value: object) -> str:
    """A value of summary.json, where what is not finite is a word already."""
    if isinstance(value, int | float):
        return f"{value:.4g}"
    return "-" if value is None else str(value).replace("nan", "NaN")


def log_ticks(axes: Axes) -> None:
    """Labels that can be read whether the axis covers a tenth of a decade or twenty."""
    low, high = axes.dataLim.intervaly
    if low == high:  # matplotlib would warn of it
        axes.set_autoscaley_on(False)
    else:
        low, high = axes.get_ylim()
    if high / low < 1.1:  # a norm that hardly moves is a flat line, not a mountain range
        low, high = low / 1.05, high * 1.05
        axes.set_ylim(low, high)
    decades = np.log10(high / low)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.4g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_locator(NullLocator())  # a tick is five artists, and there would be a hundred
    if decades < 2.5:
        steps = (1, 2, 5) if decades > 0.9 else (1, 1.5, 2, 3, 4, 5, 7)
        axes.yaxis.set_major_locator(LogLocator(subs=steps) if decades > 0.35 else MaxNLocator(5))
