"""The pictures of what the network answers: over the plane of two inputs, and row by row where they are few."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from datasets import Dataset
from runner.nn.losses import PROBABILITIES
from runner.nn.types import Array
from runner.plots.style import (
    CLASSES,
    GREY,
    INK,
    beside,
    class_colours,
    data_limits,
    lightened,
    named,
    page,
    panels,
    plain,
)
from runner.runs.trace import Trace

PARTS = {"train": "training rows", "validation": "held out to choose", "test": "test rows"}
MARKERS = {"train": "o", "validation": "s", "test": "^"}
MOST_POINTS = 2_000  # of a part of the data
MOST_ROWS, MOST_COLUMNS = 32, 8  # of a table
FINEST, COARSEST, BUDGET = 400, 60, 4e8  # squares along a side of the plane; weights times squares in all
OWN_FINEST = 100  # of a network of the user's own, whose code may go row by row
BAR = 0.95  # inches: of the scale beside the plane
CHUNK = 1 << 22  # numbers in a layer at a time


class Answers(NamedTuple):
    """Rows in the units of the data file: inputs `X` (n, d), labels `y` (n,), outputs `A` (n, outputs), answers `said`.

    `said` (n,) and `y` are indices into the classes; both are numbers in a regression.
    """

    X: Array
    y: np.ndarray
    A: Array
    said: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        return self.said != self.y


def answers(run: Trace, dataset: Dataset, part: str, most: int | None = None) -> Answers:
    """What the network says to the rows of a part of the data, or to `most` of them, evenly spread."""
    rows = dataset.parts[part]
    n = len(rows.X)
    chosen = slice(None) if most is None or n <= most else np.linspace(0, n - 1, most).astype(int)
    X = in_units(rows.X[chosen], dataset)
    A = outputs(run, X)
    return Answers(X, rows.y[chosen], A, said_class(run, A))


def in_units(X: Array, dataset: Dataset) -> Array:
    """Rows as they were in the data file."""
    return X if dataset.scaling is None else X * dataset.scaling.scale + dataset.scaling.shift


def outputs(run: Trace, X: Array) -> Array:
    """`run.outputs`, a few rows at a time: a fine plane and a wide layer are much memory."""
    rows = max(1, CHUNK // max(run.network["widths"]))
    return np.concatenate([run.outputs(X[start : start + rows]) for start in range(0, len(X), rows)])


def said_class(run: Trace, A: Array) -> np.ndarray:
    """The class that outputs A (n, outputs) stand for: (n,) indices; in a regression the output itself."""
    if run.network["classes"] is None:
        return A[:, 0]
    if A.shape[1] > 1:
        return A.argmax(axis=1)
    if not run.network["labels"]:  # a network of the user's own, which answers with the number of the class
        return np.clip(np.nan_to_num(A[:, 0]), 0, len(run.network["classes"]) - 1).astype(int)
    labels = np.asarray(run.network["labels"], dtype=float)
    return np.searchsorted((labels[1:] + labels[:-1]) / 2, A[:, 0])


def second_class(run: Trace, A: Array) -> Array:
    """With two classes: where the output stands between the first (0) and the second (1); else NaN. (n,)"""
    if len(run.network["classes"] or ()) != 2:
        return np.full(len(A), np.nan)
    if A.shape[1] == 2:
        return A[:, 1]
    low, high = run.network["labels"] or (0, 1)
    return (A[:, 0] - low) / (high - low)


def second_class_words(run: Trace) -> str:
    """What `second_class` is: a probability, if the network was trained to give one."""
    second = named(run.network["classes"][1])
    if run.network["output"] in PROBABILITIES and run.network["loss"].startswith("cross_entropy"):
        return f"probability of class {second}"
    labels = run.network["labels"]
    if not labels or labels == [0, 1]:
        return f"output (1 is class {second})"
    return f"output, from class {named(run.network['classes'][0])} to {second}"


def boundary(run: Trace, dataset: Dataset) -> Figure | None:
    """What the network answers over the plane, with the data in it. None unless there are two inputs."""
    if dataset.n_features != 2:
        return None
    parts = {part: answers(run, dataset, part, MOST_POINTS) for part in dataset.parts}
    every = np.concatenate([part.X for part in parts.values()])
    low, high = every.min(axis=0), every.max(axis=0)
    margin = np.where(high > low, 0.06 if len(every) > 20 else 0.25, 1.0) * np.where(high > low, high - low, 1.0)
    low, high = low - margin, high + margin
    handles = _legend(run, dataset, parts)
    rows = -(-len(handles) // 4)
    figure = page(run, 7.5, 7.2)
    axes = panels(figure, [["plane"]], rows)["plane"]
    axes.grid(False)
    spread = (high - low).max() / (high - low).min()
    axes.set_aspect("equal" if spread < 2.5 else "auto")
    weights = sum(array.size for array in run.arrays.values())
    side = int(np.clip(np.sqrt(BUDGET / weights), COARSEST, FINEST if run.known else OWN_FINEST))
    x, y = np.linspace(low[0], high[0], side), np.linspace(low[1], high[1], side)
    A = outputs(run, np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))
    _shade(figure, axes, run, x, y, A, parts["train"].y)
    data_limits(axes, (low[0], low[1], high[0], high[1]))
    _points(axes, run, parts)
    names = dataset.inputs or ("first input", "second input")
    axes.set_xlabel(plain(names[0]))
    axes.set_ylabel(plain(names[1]))
    beside(axes)
    figure.legend(handles=handles, loc="lower center", ncols=4, handletextpad=0.4, columnspacing=1.4)
    return figure


def _shade(figure: Figure, axes: Axes, run: Trace, x: Array, y: Array, A: Array, targets: np.ndarray) -> None:
    """Two classes: how sure; more: which wins; a regression: how much."""
    side, classes = len(x), run.network["classes"]
    if classes is None:
        scale: dict[str, Any] = {"cmap": "cividis", "vmin": targets.min(), "vmax": targets.max()}
        shading = axes.pcolormesh(x, y, A.reshape(side, side), shading="nearest", gid="shading", **scale)
        _bar(figure, axes, shading, "output; the points' colour is their target")
        return
    edge: dict[str, Any] = {"colors": INK, "linewidths": 1.3}
    colours = class_colours(len(classes))
    if len(classes) == 2:
        field = np.clip(second_class(run, A).reshape(side, side), 0, 1)
        ramp = [lightened(colours[0], 0.4), (0.97, 0.97, 0.97), lightened(colours[1], 0.4)]
        steps = ListedColormap(LinearSegmentedColormap.from_list("two", ramp)(np.linspace(0, 1, 20)))
        shading = axes.pcolormesh(x, y, field, cmap=steps, vmin=0, vmax=1, shading="nearest", gid="shading")
        bar = _bar(figure, axes, shading, second_class_words(run), ticks=[0, 0.25, 0.5, 0.75, 1])
        bar.outline.set_visible(False)
        if (field < 0.5).any() and (field > 0.5).any():
            axes.contour(x, y, field, [0.5], **edge)
            bar.ax.axhline(0.5, color=INK, lw=1.3)
        return
    winner = said_class(run, A).reshape(side, side)
    pale = ListedColormap([lightened(colour, 0.55) for colour in colours])
    axes.pcolormesh(x, y, winner, cmap=pale, vmin=-0.5, vmax=len(classes) - 0.5, shading="nearest", gid="shading")
    for margin in _margins(run, A, len(classes)):
        if (margin < 0).any() and (margin > 0).any():
            axes.contour(x, y, margin.reshape(side, side), [0.0], **edge)


def _bar(figure: Figure, axes: Axes, shading: Any, label: str, **how: Any) -> Any:
    """The scale of the shading, to the right of the axes, which give up as much of their width."""
    width, place = figure.get_size_inches()[0], axes.get_position()
    axes.set_position((place.x0, place.y0, place.width - (BAR - 0.1) / width, place.height))
    low, high = place.y0 + 0.1 * place.height, 0.8 * place.height
    return figure.colorbar(shading, cax=figure.add_axes((1 - BAR / width, low, 0.18 / width, high)), label=label, **how)


def _margins(run: Trace, A: Array, k: int) -> list[Array]:
    """Functions of the plane that are 0 on the boundaries between k classes."""
    if A.shape[1] == 1:
        labels = np.asarray(run.network["labels"], dtype=float)
        return [A[:, 0] - cut for cut in (labels[1:] + labels[:-1]) / 2]
    if k > len(CLASSES):
        return []
    return [A[:, c] - np.delete(A, c, axis=1).max(axis=1) for c in range(k)]


MARK: dict[str, Any] = {"color": "white", "markeredgecolor": INK, "markeredgewidth": 0.7, "ls": "", "ms": 6}


def _legend(run: Trace, dataset: Dataset, parts: dict[str, Answers]) -> list[Line2D]:
    """What the points mean: their classes, their parts of the data, and which are answered wrong."""
    classes, handles = run.network["classes"], []
    colours = class_colours(len(classes)) if classes else []
    for index in range(len(colours)) if len(colours) <= len(CLASSES) else (0, len(colours) - 1):
        label = f"class {named(classes[index])}" + f", of {len(colours)}" * (len(colours) > len(CLASSES))
        handles.append(Line2D([], [], **{**MARK, "color": colours[index]}, marker="o", label=label))
    for name, part in parts.items():
        total = len(dataset.parts[name].X)
        shown = f"{total:,}" if len(part.X) == total else f"{len(part.X):,} of {total:,}"
        if len(parts) > 1 or len(part.X) < total:
            handles.append(Line2D([], [], **MARK, marker=MARKERS[name], label=f"{PARTS[name]} ({shown})"))
    wrong = sum(int(part.wrong.sum()) for part in parts.values()) if classes else 0
    if wrong:
        every = all(len(part.X) == len(dataset.parts[name].X) for name, part in parts.items())
        ring = {**MARK, "color": "none", "markeredgewidth": 1.1, "ms": 10}
        label = f"answered wrong ({wrong:,}{'' if every else ' of those shown'})"
        handles.append(Line2D([], [], **ring, marker="o", label=label))
    return handles


def _points(axes: Axes, run: Trace, parts: dict[str, Answers]) -> None:
    """The rows as points, a ring around those that are answered wrong."""
    n = sum(len(part.X) for part in parts.values())
    size, width = 90 if n <= 20 else 25 if n <= 800 else 13, 1.1 if n <= 800 else 0.8
    classes = run.network["classes"]
    colours = class_colours(len(classes)) if classes else []
    for name, part in parts.items():
        how: dict[str, Any] = {"marker": MARKERS[name], "edgecolors": INK, "linewidths": 0.5, "gid": name}
        if classes:
            axes.scatter(part.X[:, 0], part.X[:, 1], s=size, c=[colours[label] for label in part.y], **how)
        else:
            scale = {"cmap": "cividis", "vmin": parts["train"].y.min(), "vmax": parts["train"].y.max()}
            axes.scatter(part.X[:, 0], part.X[:, 1], s=size, c=part.y, **scale, **how)
    wrong = np.concatenate([part.X[part.wrong] for part in parts.values()]) if classes else np.empty((0, 2))
    if len(wrong):
        ring: dict[str, Any] = {"facecolors": "none", "edgecolors": INK, "linewidths": width, "gid": "wrong"}
        axes.scatter(wrong[:, 0], wrong[:, 1], s=size * 3.6, **ring)


def tabular(dataset: Dataset) -> bool:
    """Whether a table can hold all there is: few rows, and one input or a few that take two values."""
    if sum(len(rows.X) for rows in dataset.parts.values()) > MOST_ROWS or dataset.n_features > MOST_COLUMNS:
        return False
    X = np.concatenate([rows.X for rows in dataset.parts.values()])
    return dataset.n_features == 1 or all(len(np.unique(column)) <= 2 for column in X.T)


def table(run: Trace, dataset: Dataset) -> Figure | None:
    """Every row: inputs, label, output, right or wrong. None where there are too many, or the inputs are no table."""
    classes = run.network["classes"]
    if classes is None or not tabular(dataset):
        return None
    parts = {part: answers(run, dataset, part) for part in dataset.parts}
    n, inputs = sum(len(part.X) for part in parts.values()), dataset.inputs or tuple(f"x{i + 1}" for i in range(8))
    d = dataset.n_features
    heads = [*(plain(name, 10) for name in inputs[:d]), "label", "output", "", "answer", ""]
    wide = [*([0.75 if d > 1 else 1.0] * d), 1.0, 0.8, 2.2, 1.0, 1.0]
    if len(parts) > 1:
        heads, wide = ["rows", *heads], [1.1, *wide]
    figure = page(run, max(7.5, sum(wide) + 0.4), 1.35 + 0.3 * n)
    axes = figure.add_axes((0.02, 0.02, 0.96, 1 - 0.85 / figure.get_figheight()))
    axes.axis("off")
    data_limits(axes, (0, n + 0.15, sum(wide), -1.2))
    edges = np.concatenate([[0], np.cumsum(wide)])
    two = len(classes) == 2
    what = second_class_words(run) if two else "output" if parts["train"].A.shape[1] == 1 else "its probability"
    heads[-4] = what
    for left, head in zip(edges, heads, strict=False):
        axes.text(left + 0.08, -0.45, head, va="center", fontweight="bold")
    axes.axhline(0, color=INK, lw=1)
    row = 0
    for name, part in parts.items():
        for position in range(len(part.X)):
            if row:
                axes.axhline(row, color="#dddddd", lw=0.6)
            cells = [f"{value:.6g}" for value in part.X[position]] + [named(classes[part.y[position]])]
            _row(axes, run, row, edges, [name] * (len(parts) > 1) + cells, part, position)
            row += 1
    axes.axhline(n, color=INK, lw=1)
    return figure


def _row(axes: Axes, run: Trace, row: int, edges: Array, cells: list[str], part: Answers, position: int) -> None:
    classes, colours = run.network["classes"], class_colours(len(run.network["classes"]))
    wrong, A = bool(part.wrong[position]), part.A[position : position + 1]
    if wrong:
        stripe = Rectangle((0, row + 0.04), edges[-1], 0.92, facecolor="#fbe3d6", edgecolor="none", zorder=0.5)
        axes.add_patch(stripe).set_gid("wrong")
    middle = row + 0.52
    for left, cell in zip(edges, cells, strict=False):
        axes.text(left + 0.08, middle, cell, va="center")
    value = float(second_class(run, A)[0]) if len(classes) == 2 else float(A.max())
    number, bar, answer, verdict = edges[len(cells) : len(cells) + 4]
    axes.text(number + 0.08, middle, f"{value:.3f}", va="center")
    probability = run.network["output"] in PROBABILITIES and len(classes) == 2
    if probability:
        left, width = bar + 0.08, 2.0
        axes.add_patch(Rectangle((left, row + 0.3), width, 0.44, facecolor="white", edgecolor="#bbbbbb", lw=0.7))
        colour = colours[int(part.said[position])]
        axes.add_patch(Rectangle((left, row + 0.3), width * min(max(value, 0), 1), 0.44, facecolor=colour))
        axes.plot([left + width / 2] * 2, [row + 0.22, row + 0.82], color=GREY, lw=0.8)
    axes.text(answer + 0.08, middle, named(classes[int(part.said[position])]), va="center")
    weight = "bold" if wrong else "normal"
    axes.text(verdict + 0.08, middle, "✗ wrong" if wrong else "✓ right", va="center", fontweight=weight, gid="verdict")
