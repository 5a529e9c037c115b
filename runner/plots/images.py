"""The pictures of a network that looks at pictures: where it is most wrong, and what its first layer weighs."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from datasets import Dataset
from runner.nn.losses import PROBABILITIES
from runner.nn.types import Array
from runner.plots.answers import Answers, answers, second_class
from runner.plots.style import GREY, data_limits, named, page, percent
from runner.runs.trace import Trace

WRONG, WRONG_IN_ROW = 12, 6
UNITS, UNITS_IN_ROW = 24, 8
WIDTH, GAP = 9.72, 0.08  # inches of all pictures side by side; between two of them, as a share of one
CAPTION = 0.32, 0.2  # below a picture, as a share of it


def images(run: Trace, dataset: Dataset) -> Figure | None:
    """The most wrong test pictures with their probabilities, and the first layer's weights. None without pictures."""
    if dataset.image_shape is None or run.network["classes"] is None:
        return None
    part = next(name for name in ("test", "validation", "train") if name in dataset.parts)
    found = answers(run, dataset, part)
    order = np.argsort(speaks_for(run, found.A, found.y), kind="stable")
    chosen = order[found.wrong[order]][:WRONG]
    right = not len(chosen)
    chosen = order[:WRONG] if right else chosen
    W = first_layer(run, dataset.n_features)
    units = np.arange(0 if W is None else W.shape[1])
    if W is not None and len(units) > UNITS:
        units = np.sort(np.argsort(-np.linalg.norm(W, axis=0), kind="stable")[:UNITS])
    rows = -(-len(chosen) // WRONG_IN_ROW), -(-len(units) // UNITS_IN_ROW)
    ratio = min(dataset.image_shape[0] / dataset.image_shape[1], 3.0)
    heights = tuple(
        0.36 * (row > 0) + row * ratio * (1 + text) * WIDTH / (columns * (1 + GAP))
        for row, columns, text in zip(rows, (WRONG_IN_ROW, UNITS_IN_ROW), CAPTION, strict=True)
    )
    total = 0.72 + sum(heights)
    figure = page(run, 10, total)
    top = figure.add_axes((0.014, heights[1] / total, WIDTH / 10, (heights[0] - 0.36) / total))
    wrong = int(found.wrong.sum())
    what = "answered wrong" if not right else "least sure, all are right"
    some = f", the {len(chosen)} worst of them" if wrong > len(chosen) else ""
    counted = f"{wrong} of {len(found.y)} {part} pictures {what}{some}" if wrong else f"{part} pictures: {what}"
    top.set_title(counted)
    scale = 255.0 if found.X.max() > 1 else 1.0
    pictures = np.clip(found.X[chosen] / scale, 0, 1).reshape(-1, *dataset.image_shape)
    captions = [caption(run, found, row) for row in chosen]
    _mosaic(top, [shown(picture) for picture in pictures], captions, WRONG_IN_ROW, CAPTION[0])
    if W is not None:
        below = figure.add_axes((0.014, 0, WIDTH / 10, (heights[1] - 0.36) / total))
        _weights(below, W, units, dataset.image_shape)
    return figure


def first_layer(run: Trace, inputs: int) -> Array | None:
    """The weights of the units that look at the picture, (inputs, units); None where the user's own network has none
    that are plainly those.
    """
    if run.known:
        return run.weights[0][0]
    tables = [array for array in run.own.values() if array.ndim == 2 and inputs in array.shape]
    return None if not tables else tables[0] if len(tables[0]) == inputs else tables[0].T


def _weights(axes: Axes, W: Array, units: np.ndarray, shape: tuple[int, int, int]) -> None:
    """What these units of the first layer weigh, as pictures."""
    some = "" if len(units) == W.shape[1] else f", the {len(units)} largest of {W.shape[1]:,} units"
    axes.set_title(f"first-layer weights as pictures, grey is 0, full colour the number below{some}")
    weights = [weight_picture(W[:, unit], shape) for unit in units]
    captions = [f"unit {unit + 1}: ±{np.abs(W[:, unit]).max():.2g}" for unit in units]
    _mosaic(axes, weights, captions, UNITS_IN_ROW, CAPTION[1])


def speaks_for(run: Trace, A: Array, classes: np.ndarray) -> Array:
    """How much outputs A (n, outputs) speak for the `classes` (n,): their probability where there is one."""
    if A.shape[1] > 1:
        return A[np.arange(len(A)), classes]
    if len(run.network["classes"]) == 2 and run.network["labels"]:
        second = second_class(run, A)
        return np.where(classes == 1, second, 1 - second)
    labels = run.network["labels"] or range(len(run.network["classes"]))
    return -np.abs(A[:, 0] - np.asarray(labels)[classes])


def caption(run: Trace, found: Answers, row: int) -> str:
    """What it is, and what the network says, with its probability."""
    classes, A, said = run.network["classes"], found.A[row : row + 1], found.said[row : row + 1]
    probable = run.network["output"] in PROBABILITIES and (A.shape[1] > 1 or len(classes) == 2)
    how = percent(float(speaks_for(run, A, said)[0])) if probable else f"output {A[0].max():.3g}"
    return f"is {named(classes[int(found.y[row])], 12)}\nanswered {named(classes[int(said[0])], 12)}, {how}"


def shown(picture: Array) -> Array:
    """A picture (h, w, channels) in 0..1 as (h, w, 3)."""
    return picture if picture.shape[2] == 3 else np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)


def weight_picture(w: Array, shape: tuple[int, int, int]) -> Array:
    """The weights of one unit as a picture: 0 is grey, the largest is full colour."""
    largest = np.abs(w).max() or 1.0
    return shown(0.5 + w.reshape(shape) / (2 * largest))


def _mosaic(axes: Axes, pictures: list[Array], captions: list[str], columns: int, text: float) -> None:
    """Pictures side by side, in rows of so many, each with its caption below in `text` of its height."""
    axes.axis("off")
    height, width = pictures[0].shape[:2]
    tall, wide = 1 + text, 1 + GAP
    for number, (picture, words) in enumerate(zip(pictures, captions, strict=True)):
        row, column = divmod(number, columns)
        left, top = column * wide * width, row * tall * height
        axes.imshow(picture, extent=(left, left + width, top + height, top), interpolation="nearest")
        axes.text(left, top + 1.03 * height, words, va="top", fontsize=7.5 if columns > 6 else 8.5, color=GREY)
    rows = -(-len(pictures) // columns)
    axes.set_aspect("equal", anchor="NW")
    data_limits(axes, (0, rows * tall * height, columns * wide * width, 0))
