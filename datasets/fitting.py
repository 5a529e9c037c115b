"""What is fitted on the training rows alone: what stands in for a missing value, and how targets are scaled."""

from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from datasets.encoding import UNSEEN, Encoding
from datasets.types import Array, DataError, Dataset, Missing, Rows, Scaling, Scalings, TargetScaling

TargetScalings = Literal["auto", "standardise", "log", "none"]

UNLIKE = 10.0  # a column, or a target, of a size above this or below 1 / this is scaled by `auto`
PIXELS = 64  # so many columns of whole numbers up to 255 are a picture


def encoded(dataset: Dataset) -> Dataset:
    """The dataset with its encoding fitted on the training rows, and X as the network sees it."""
    if dataset.encoding is None:
        return dataset
    fitted, notes = fit(dataset.encoding, dataset.train.X, dataset.missing)
    if not fitted.names:
        raise DataError(f"{dataset.source}: no column has a value in the training rows; expected numbers.")
    parts: dict[str, Rows | None] = {}
    for part in ("train", "validation", "test"):
        rows = getattr(dataset, part)
        parts[part] = None
        if rows is not None:
            raw = recoded(dataset.encoding, fitted, rows.X)
            notes += _told(fitted, raw, part, dataset.source) if part != "train" else []
            parts[part] = Rows(fitted.apply(raw), rows.y)
    train = parts["train"]
    assert train is not None
    return replace(
        dataset,
        train=train,
        validation=parts["validation"],
        test=parts["test"],
        encoding=fitted,
        inputs=fitted.names,
        notes=(*dataset.notes, *notes),
    )


def fit(encoding: Encoding, raw: Array, rule: Missing) -> tuple[Encoding, list[str]]:
    """What the training rows, raw (n, columns), say of an encoding, and what is to be told of it.

    A column that lacks values gets, by the rule,

        auto, indicator:  the median of those that are there, and a column of its own that marks the missing
        median, mean:     that, whether or not one is missing here, and no mark

    of yes/no the more frequent; a category has no label there, and a mark. The labels are those of these rows.
    """
    columns, notes = [], []
    for column, values in zip(encoding.columns, raw.T, strict=True):
        gone = np.isnan(values)
        there = values[~gone]
        if not len(there):
            columns.append(column._replace(empty=True))
            notes.append(f"column '{column.name}' has no value in the training rows: left out.")
            continue
        lacks = bool(gone.any())
        if column.kind == "category":
            seen = np.unique(there).astype(np.int64).tolist()
            marked = lacks or rule in ("median", "mean")
            columns.append(column._replace(labels=tuple(column.labels[place] for place in seen), indicator=marked))
            continue
        if rule in ("median", "mean") or lacks:
            middle = there.mean() if rule == "mean" else np.median(there)
            fill = float(np.round(middle)) if column.kind == "boolean" else float(middle)
            column = column._replace(fill=fill, indicator=lacks and rule not in ("median", "mean"))
        columns.append(column)
    return encoding._replace(columns=tuple(columns)), notes


def recoded(before: Encoding, fitted: Encoding, raw: Array) -> Array:
    """Raw rows by the labels that are left: those that no training row has become UNSEEN."""
    changed = [
        place
        for place, (old, new) in enumerate(zip(before.columns, fitted.columns, strict=True))
        if old.labels != new.labels
    ]
    if not changed:
        return raw
    raw = raw.copy()
    for place in changed:
        known = {label: float(number) for number, label in enumerate(fitted.columns[place].labels)}
        table = np.array([known.get(label, -1.0) for label in before.columns[place].labels] + [-1.0])
        there = ~np.isnan(raw[:, place])
        raw[there, place] = table[raw[there, place].astype(np.int64)]
    return raw


def unseen(encoding: Encoding, raw: Array) -> list[tuple[int, str]]:
    """(row, column) of the labels that no training row has."""
    return sorted(
        (row, column.name)
        for place, column in enumerate(encoding.columns)
        if column.kind == "category" and not column.empty
        for row in np.flatnonzero(raw[:, place] == UNSEEN).tolist()
    )


def decoded(encoding: Encoding, X: Array) -> list[list[Any]]:
    """Rows of a table that X (n, d) may have come from: labels, and None for what was missing."""
    columns: list[list[Any]] = []
    place = 0
    for column in encoding.columns:
        width = len(column.outputs)
        part, place = X[:, place : place + width], place + width
        gone = part[:, -1] == 1 if column.indicator and width else np.full(len(X), not width)
        if column.kind == "category":
            marks = part[:, : len(column.labels)]
            values = [column.labels[row.argmax()] if row.any() else None for row in marks]
        elif column.kind == "date" and width:
            values = [str(np.datetime64(round(day * 86_400), "s")) for day in part[:, 0].tolist()]
        else:
            values = part[:, 0].tolist() if width else [None] * len(X)
        columns.append([None if lost else value for value, lost in zip(values, gone.tolist(), strict=True)])
    return [list(row) for row in zip(*columns, strict=True)]


def _told(fitted: Encoding, raw: Array, part: str, source: str) -> list[str]:
    """What rows that are held out have and the training rows do not; DataError where they cannot be used."""
    refused = fitted.refused(raw)
    if refused:
        cell = refused[0]
        raise DataError(
            f"{source}, {part} rows: {len(refused)} values are missing, the first in column '{cell.column}', where no "
            "training row lacks one. dataset.missing=median fills them in all the same."
        )
    new = unseen(fitted, raw)
    if not new:
        return []
    names = ", ".join(f"'{name}'" for name in sorted({name for _, name in new}))
    return [f"{len(new)} of the {part} rows' labels, in {names}, stand in no training row: all zeros there."]


def sizes_of(X: Array) -> Array:
    """rms of each column (width,)."""
    return np.sqrt(np.einsum("ij,ij->j", X, X) / len(X))


def unlike(sizes: Array) -> bool:
    """Whether a column is of a size far from 1."""
    return bool(((sizes > UNLIKE) | ((sizes < 1 / UNLIKE) & (sizes > 0))).any())


def automatic(first: Array, lowest: Array, highest: Array, sizes: Array) -> tuple[Scalings, float | None, str]:
    """What scaling=auto is, the divisor it needs, and the note that says so: bytes of pictures are divided, columns of
    sizes far from 1 standardised.

    `first` (some, width) are rows, `lowest` and `highest` (width,) the extremes of all, `sizes` the rms of columns that
    are measured.
    """
    wide = first.shape[1] >= PIXELS and (first == np.floor(first)).all()
    if wide and lowest.min() >= 0 and 128 < highest.max() <= 255:
        note = "the inputs are bytes of pictures: divided by 255 (dataset.scaling=none leaves them)."
        return "divide", 255.0, note
    if unlike(sizes):
        note = "columns are of sizes far from 1: all are standardised (dataset.scaling=none leaves them)."
        return "standardise", None, note
    return "none", None, ""


def targets_scaled(dataset: Dataset, rule: TargetScalings) -> Dataset:
    """How the targets of a regression are scaled while it trains: fitted on the training rows.

    standardise:  y -> (y - mean) / deviation,      log:  y -> (log y - mean) / deviation
    """
    labelled = dataset.classes is not None or dataset.several
    if rule == "none" or (rule == "auto" and (labelled or dataset.stream is not None)):
        return dataset
    if labelled or dataset.stream is not None:
        what = "classes" if labelled else "rows that are streamed"
        raise DataError(
            f"dataset.target_scaling={rule} is for the numbers of a regression, and {dataset.name} has {what}."
        )
    Y = dataset.train.y.reshape(len(dataset.train.y), -1).astype(np.float64)
    if rule == "auto" and not unlike(sizes_of(Y)):
        return dataset
    if rule == "log":
        lowest = min(float(rows.y.min()) for rows in dataset.parts.values())
        if lowest <= 0:
            raise DataError(f"dataset.target_scaling=log needs targets above 0, and there is {lowest:g}.")
        Y = np.log(Y)
    mean, deviation = Y.mean(axis=0), Y.std(axis=0)
    varies = Y.max(axis=0) > Y.min(axis=0)
    return replace(
        dataset, targets=TargetScaling(mean, np.where(varies & (deviation > 0), deviation, 1.0), rule == "log")
    )


@lru_cache(maxsize=8)
def unscaled(dataset: Dataset) -> Dataset:
    """The dataset with its targets as they are; made once, so that the jobs of a sweep share it."""
    return replace(dataset, targets=None)


def measured_only(scaling: Scaling, encoding: Encoding | None) -> Scaling:
    """The scaling with the columns left as they are that the encoding made of 0 and 1."""
    if encoding is None or encoding.measured.all():
        return scaling
    amounts = encoding.measured
    return Scaling(np.where(amounts, scaling.shift, 0.0), np.where(amounts, scaling.scale, 1.0))


def weights_of(dataset: Dataset) -> Array:
    """What a row of each class counts (classes,): n / (classes n_c), so that all classes count alike."""
    if dataset.classes is None:
        raise DataError(f"dataset.class_weight=balanced needs classes, and the targets of {dataset.name} are numbers.")
    if dataset.stream is not None:
        raise DataError("dataset.class_weight=balanced needs the rows in memory, and dataset.stream=true leaves them.")
    counts = np.bincount(dataset.train.y.astype(np.int64), minlength=len(dataset.classes))
    return np.asarray(counts.sum() / (len(counts) * counts), dtype=np.float64)
