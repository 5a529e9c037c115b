"""What the pictures share: colours, type, numbers in words, and the sentence that stands above each of them.

The colours are those of Okabe & Ito (Color Universal Design, 2008), which people of any colour vision tell apart. Each
means one thing: blue, purple and vermilion are the train, validation and test rows; sky blue, orange ... the classes;
from dark to orange the layers, first to last. Whatever has a colour has a shape, a dash or a label beside it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import Bbox, ScaledTranslation

from runner.runs.trace import Trace

DPI = 120
INK, GREY = "#1a1a1a", "#666666"
SETS = {"train": "#0072B2", "val": "#CC79A7", "test": "#D55E00"}
DASHES: dict[str, Any] = {"train": "-", "val": (0, (8, 1.5, 1.5, 1.5)), "test": (0, (4, 1.5))}
CLASSES = ("#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2", "#4D4D4D")
HEAD = 0.72  # inches above the axes: the headline and the line below it
TITLE, BELOW, LINE = 0.32, 0.56, 0.19  # inches: of a panel's title, of what stands under its x axis, of a legend's line
LETTER = 0.075  # inches: of a number at a tick
GAP = 0.19  # inches from an axis to its label, where the numbers between them have no letters
STYLE = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 9,
    "axes.titley": 1.0,  # where it stands anyway; else matplotlib would measure all ticks to find out
    "axes.labelsize": 9.5,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.7,
    "legend.frameon": False,
    "legend.fontsize": 9,
}


@contextmanager
def styled() -> Iterator[None]:
    """matplotlib's defaults and the style above, whatever the user's matplotlibrc says; as before afterwards."""
    with matplotlib.style.context(["default", STYLE]):
        yield


def said(run: Trace) -> Mapping[str, Any]:
    """What summary.json says of a recorded run."""
    assert run.summary is not None
    return run.summary


def page(run: Trace, width: float, height: float) -> Figure:
    """A figure in inches with the run's headline, and below it, small, what was trained.

    The axes stand where `panels` or the caller puts them: to have matplotlib find room for them takes it longer than
    to draw them, as it has to lay out every text three times.
    """
    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    put(figure, headline(run), 0.30, fontsize=14, fontweight="bold", gid="headline")
    put(figure, described(run, int(width / 0.071)), 0.54, fontsize=9, color=GREY, gid="description")
    return figure


def panels(figure: Figure, names: Sequence[Sequence[str]], lines: int = 0) -> dict[str, Axes]:
    """Axes by their names, in equal rows and columns below the headline; a name of "" is left free. Below them there
    is room for a legend of so many lines.
    """
    width, height = figure.get_size_inches()
    rows, columns, left, right = len(names), len(names[0]), 1.0, 0.2
    foot = LINE * lines + 0.1 * bool(lines)
    across = (width - right) / columns - left
    tall = (height - HEAD - foot) / rows - TITLE - BELOW
    found = {}
    for row, line in enumerate(names):
        for column, name in enumerate(line):
            x = left + column * (across + left)
            y = foot + BELOW + (rows - 1 - row) * (tall + TITLE + BELOW)
            if name:
                found[name] = figure.add_axes((x / width, y / height, across / width, tall / height), label=name)
    return found


def beside(axes: Axes) -> None:
    """Put the axis labels beside the numbers at the ticks, by how many letters those have; call it last."""
    axis = axes.yaxis
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_majorticklocs() if low <= tick <= high]
    letters = max((len(text) for text in axis.get_major_formatter().format_ticks(ticks)), default=0)
    scale = axes.get_figure(root=True).dpi_scale_trans  # type: ignore[union-attr]
    left = ScaledTranslation(-GAP - LETTER * letters, 0, scale)
    axis.set_label_coords(0, 0.5, axes.transAxes + left)
    axes.xaxis.set_label_coords(0.5, 0, axes.transAxes + ScaledTranslation(0, -0.25, scale))


def put(figure: Figure, text: str, inches: float, **how: Any) -> None:
    """A line of text so many inches below the top edge, in smaller type where it would be cut off."""
    width, height = figure.get_size_inches()
    line = figure.text(0.14 / width, 1 - inches / height, text, va="baseline", **how)
    size = float(how["fontsize"])
    while line.get_window_extent().x1 > (width - 0.14) * figure.dpi and size > 6:
        size -= 0.25  # step by step: letters stand on whole pixels, so that their width is no multiple of their size
        line.set_fontsize(size)


def headline(run: Trace) -> str:
    """The result in a sentence: `flower: 89 % right after 2,000 iterations`."""
    name, steps = plain(said(run)["dataset"]["name"]), said(run)["steps"]
    after = f"after {steps:,} iteration{'' if steps == 1 else 's'}"
    right = outcome(run)
    if run.status == "diverged":
        return f"{name}: diverged - {divergence(run)}"
    if run.status == "error":
        return f"{name}: stopped by an error {after}"
    if run.status == "finished":
        return f"{name}: {right} {after}"
    return f"{name}: {run.status} {after}" + f", {right}" * bool(right)


def outcome(run: Trace) -> str:
    """The last accuracies in words, the test rows' first."""
    last = {part: last_of(run, f"{part}/{run.scored}") for part in SETS}
    told = {part: value for part, value in last.items() if value is not None}
    if run.network["classes"] is None:
        words = {part: f"R² {value:.3g}" for part, value in told.items()}
    else:
        words = {part: f"{percent(value)} right" for part, value in told.items()}
    if "test" in words:
        return f"{words['test']} on test rows ({words['train'].removesuffix(' right')} in training)"
    if "val" in words:
        return f"{words['val']} on held-out rows ({words['train'].removesuffix(' right')} in training)"
    return words.get("train", "")


def divergence(run: Trace) -> str:
    """What first was not finite: `the cost is inf at step 275`."""
    if run.nonfinite is None:
        return "a value is not finite"
    step, layer, array = (run.nonfinite[key] for key in ("step", "layer", "array"))
    if array == "cost":
        there = run["train/cost"][run.steps == step]
        value = "not finite" if not len(there) or np.isfinite(there[0]) else f"{there[0]:g}".replace("nan", "NaN")
        return f"the cost is {value} at step {step:,}"
    return f"{array} of layer {layer} is not finite at step {step:,}"


def described(run: Trace, most: int) -> str:
    """The network, the target, and the run's name where it says more than that of the data: `most` letters."""
    summary, network = said(run), run.network
    widths, target = network["widths"], summary["target"]
    shape = "-".join(str(width) for width in widths)
    hidden = f" {network['activation']}," * (len(widths) > 2)
    relation = "≤" if target["metric"].endswith("/cost") else "≥"
    met = "reached" if target["reached"] else "missed"
    words = [f"{shape}{hidden} {network['output']}, {network['loss'].replace('_', ' ')}"]
    if not run.known:
        words = [f"{run.title} {shape}"]
    words.append(f"target {target['metric']} {relation} {target['value']:.4g} {met}")
    if summary["name"] != summary["dataset"]["name"]:
        words.append(f"run {summary['name']}")
    return plain(" · ".join(words), most)


def last_of(run: Trace, metric: str) -> float | None:
    """The last value of a metric, None where there is none."""
    column = run.values.get(metric)
    return None if column is None or not len(column) or math.isnan(column[-1]) else float(column[-1])


def percent(share: float) -> str:
    """A share in percent, never rounded up to all or down to none.

    >>> percent(0.885), percent(0.9996), percent(1.0)
    ('88 %', '99.9 %', '100 %')
    """
    value = 100 * share
    if 0 < share < 1 and not 0.5 <= value < 99.5:
        return f"{max(math.floor(value * 10) / 10, 0.1):.1f} %"
    return f"{value:.0f} %"


def plain(text: Any, most: int = 60) -> str:
    """Text of the user's, on one line, not longer than `most`, in which a dollar sign is only a dollar sign."""
    line = " ".join(str(text).split())
    line = line if len(line) <= most else line[: most - 1] + "…"
    return line.replace("$", r"\$")


def named(label: Any, most: int = 18) -> str:
    """A class as the data names it."""
    return f"{label:g}" if isinstance(label, int | float) else plain(label, most)


def class_colours(k: int) -> list[tuple[float, float, float]]:
    """One colour a class; more of them than there are names for are an ordered scale."""
    if k <= len(CLASSES):
        return [to_rgb(colour) for colour in CLASSES[:k]]
    return [to_rgb(colour) for colour in matplotlib.colormaps["viridis"](np.linspace(0, 1, k))]


def layer_colours(depth: int) -> list[tuple[float, float, float]]:
    """From dark, the first layer, to orange, the output layer: lightness alone tells their order."""
    return [to_rgb(colour) for colour in matplotlib.colormaps["plasma"](np.linspace(0, 0.63, max(depth, 2)))]


def lightened(colour: Sequence[float], share: float) -> tuple[float, ...]:
    """A colour mixed with white: `share` 0 is the colour, 1 is white."""
    return tuple(part + (1 - part) * share for part in colour)


def iterations(axes: Axes, run: Trace) -> None:
    """The x axis of everything that was logged as training went, the same in every panel."""
    first, last = int(run.steps[0]), int(run.steps[-1])
    margin = 0.04 * (last - first) or 0.5
    axes.set_xlim(first - margin, last + margin)
    axes.set_xlabel("iterations")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))


def data_limits(axes: Axes, box: tuple[float, float, float, float]) -> None:
    """Exactly this part of the plane: (left, bottom, right, top)."""
    limits = Bbox.from_extents(*box)
    axes.set_xlim(*limits.intervalx)
    axes.set_ylim(*limits.intervaly)
