"""From named arrays in a file to a Dataset: what the npz and h5 loaders share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.encoding import Column, Encoding, is_missing, numbers_among, without
from datasets.files.sheet import words_of
from datasets.files.tables import Classes, Labels, Task, as_inputs, as_labels, encode, encode_as, na_with, override
from datasets.files.targets import EXACT, one_hot
from datasets.types import Array, DataError, Dataset, Missing, Rows

Words = Literal["auto"] | list[str | int | float] | None
Read = Callable[[str], NDArray[Any]]

# The names that archives come with, as (inputs, target, test inputs, test target): Keras', scikit-learn's, NumPy's own.
LAYOUTS: tuple[tuple[str, str, str | None, str | None], ...] = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("X_train", "y_train", "X_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("train_set_x", "train_set_y", "test_set_x", "test_set_y"),
    ("x_train", "y_train", None, None),
    ("X_train", "y_train", None, None),
    ("x", "y", None, None),
    ("data", "target", None, None),
    ("data", "labels", None, None),
    ("images", "labels", None, None),
    ("arr_0", "arr_1", None, None),
)


class Names(NamedTuple):
    inputs: str
    target: str
    test_inputs: str | None
    test_target: str | None


def names_in(found: Sequence[str], asked: Names, path: Path, notes: list[str]) -> Names:
    """The names of the arrays; where the usual X and y are not there, those of a known layout, which is said."""
    if asked[:2] != ("X", "y") or "X" in found or asked.test_inputs is not None:
        return asked
    for layout in LAYOUTS:
        if all(name is None or name in found for name in layout):
            names = Names(*layout)
            keys = ("inputs", "target", "test_inputs", "test_target")
            said = " ".join(override(key, name) for key, name in zip(keys, names, strict=True) if name)
            notes.append(f"{path} has no 'X' and 'y': read by its own names, {said}.")
            return names
    return asked


class Targets(NamedTuple):
    """`y` (n,) or (n, outputs); the classes; the names of several outputs; which rows (n,) have none."""

    y: NDArray[Any]
    classes: Classes | None
    outputs: tuple[str, ...]
    gone: NDArray[np.bool_]


def from_arrays(name: str, path: Path, read: Read, names: Names, task: Task, missing: Missing, na: Words) -> Dataset:
    """A Dataset of the named arrays in a file, where `read(key)` returns an array or raises DataError."""
    notes: list[str] = []
    X, image_shape = as_inputs(read(names.inputs), f"'{names.inputs}' in {path}", missing=missing != "refuse")
    X = X if na is None else without(X, words_of(na))
    found = targets_of(read(names.target), len(X), f"'{names.target}' in {path}", task, missing, na)
    lacks = np.isnan(X)
    kept = ~found.gone & (~lacks.any(axis=1) if missing == "drop" else True)
    if not kept.all():
        notes.append(f"{int((~kept).sum())} of {len(X)} rows lack a value and are left out (dataset.missing=drop).")
    if kept.sum() < 2:
        raise DataError(
            f"'{names.inputs}' in {path} has {int(kept.sum())} rows that lack nothing; expected two or more."
        )
    encoding, lacking = None, {}
    if lacks.any() and missing != "drop":
        encoding = Encoding(
            tuple(Column(str(place)) for place in range(X.shape[1])), missing=words_of("auto" if na is None else na)
        )
        lacking = {str(place): int(lacks[:, place].sum()) for place in np.flatnonzero(lacks.any(axis=0)).tolist()}
    test = rows_to_test(path, read, names, X.shape[1], found, missing, na)
    return Dataset(
        name,
        Rows(X[kept], found.y[kept]),
        test,
        classes=found.classes,
        image_shape=image_shape if encoding is None else None,
        source=str(path),
        encoding=encoding,
        missing=missing,
        lacking=lacking,
        notes=tuple(notes),
        outputs=found.outputs,
    )


def targets_of(array: NDArray[Any], n: int, where: str, task: Task, missing: Missing, na: Words) -> Targets:
    """Any array of n targets: a row or a column of them, one-hot rows as classes, several numbers as outputs."""
    nothing = np.zeros(n, dtype=bool)
    if array.ndim == 2 and len(array) == n and min(array.shape) > 1 and array.dtype.kind in "biuf":
        Y = array.astype(np.float64)
        gone = np.asarray(np.isnan(Y).any(axis=1))
        if gone.any() and missing != "drop":
            raise DataError(
                f"{where}: row {int(np.argmax(gone))} (counted from 0) lacks a target; expected finite numbers. "
                "dataset.missing=drop leaves out such rows."
            )
        marked = one_hot(Y[~gone]) if task != "regression" else None
        if marked is not None:
            codes = np.zeros(n, dtype=np.int64)
            codes[~gone] = marked
            return Targets(codes, tuple(float(k) for k in range(Y.shape[1])), (), gone)
        return Targets(Y, None, tuple(f"y{k}" for k in range(Y.shape[1])), gone)
    if na is None:
        y, classes = encode(as_labels(array, n, where), task, where)
        return Targets(y, classes, (), nothing)
    labels = _labels(array, n, where, na)
    gone = np.asarray(labels.codes < 0)
    if gone.any() and missing != "drop":
        row = int(np.argmax(gone))
        word = str(array.ravel()[row]).strip()
        keep = f"; {na_with(words_of(na), f'!{word}')} keeps it as a label" if array.dtype.kind in "SU" and word else ""
        raise DataError(
            f"{where}: row {row} (counted from 0) is {array.ravel()[row].item()!r}, which stands for no value; "
            f"expected a label or a finite number. dataset.missing=drop leaves out such rows{keep}."
        )
    held, classes = encode(labels._replace(codes=labels.codes[~gone]), task, where, usual=True)
    filled = np.zeros(n, dtype=held.dtype)
    filled[~gone] = held
    return Targets(filled, classes, (), gone)


def _labels(array: NDArray[Any], n: int, where: str, na: Literal["auto"] | list[str | int | float]) -> Labels:
    """The labels as they are spelled: spaces around them gone, integers that float64 does not tell apart as text."""
    words = words_of(na)
    if array.dtype.kind in "iu" and array.size and np.abs(array.astype(object)).max() > EXACT:
        array = array.astype(np.str_)
    if array.dtype.kind in "SU":
        if array.dtype.kind == "S":
            array = np.char.decode(array, "utf-8", "replace")
        array = np.char.strip(array)
        lost = np.array([is_missing(text, words) for text in array.ravel().tolist()], dtype=bool).reshape(array.shape)
        filled = np.where(lost, array[~lost].ravel()[0] if (~lost).any() else "?", array)
    else:
        lost = np.isnan(array) if array.dtype.kind == "f" else np.zeros(array.shape, dtype=bool)
        lost |= np.isin(array, list(numbers_among(words)))
        filled = np.where(lost, 0 if lost.all() else array[~lost].ravel()[0], array) if lost.any() else array
    labels = as_labels(filled, n, where)
    return labels._replace(codes=np.where(lost.ravel(), -1, labels.codes))


def rows_to_test(
    path: Path, read: Read, names: Names, width: int, train: Targets, missing: Missing = "refuse", na: Words = None
) -> Rows | None:
    """The test set of a file, in the classes of its training rows; None without names."""
    if (names.test_inputs is None) != (names.test_target is None):
        raise DataError(
            f"dataset.test_inputs={names.test_inputs} and dataset.test_target={names.test_target} must be given both "
            "or not at all."
        )
    if names.test_inputs is None or names.test_target is None:
        return None
    where = f"'{names.test_inputs}' in {path}"
    X, _ = as_inputs(read(names.test_inputs), where, fewest=1, missing=missing != "refuse")
    if X.shape[1] != width:
        raise DataError(f"{where} has {X.shape[1]} values a row; expected {width}, as in '{names.inputs}'.")
    where = f"'{names.test_target}' in {path}"
    array = read(names.test_target)
    y = _test_targets(array, len(X), where, train, na)
    kept = ~np.isnan(X).any(axis=1) if missing == "drop" else np.ones(len(X), dtype=bool)
    return Rows(X[kept], y[kept])


def _test_targets(array: NDArray[Any], n: int, where: str, train: Targets, na: Words) -> NDArray[np.int64] | Array:
    if train.outputs or (train.classes is not None and array.ndim == 2 and min(array.shape) > 1):
        width = len(train.outputs) or len(train.classes or ())
        if array.shape != (n, width):
            raise DataError(f"{where} has shape {array.shape}; expected ({n}, {width}), as in the training rows.")
        marked = None if train.outputs else one_hot(array)
        if marked is None and not train.outputs:
            raise DataError(f"{where}: not every row has a single 1; expected one-hot rows, as in the training rows.")
        return array.astype(np.float64) if marked is None else marked
    labels = as_labels(array, n, where) if na is None else _labels(array, n, where, na)
    if (labels.codes < 0).any():
        raise DataError(f"{where}: row {int(np.argmax(labels.codes < 0))} (counted from 0) has no target.")
    return encode_as(labels, train.classes, lambda row: f"{where}, row {row} (counted from 0),")
