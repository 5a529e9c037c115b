"""Arrays and tables that Python hands over: `runner.run(..., data=(X, y))`, or `data=frame, target="label"`.

A configuration can only name them: by their digest. So they are kept here for as long as the process lives, the last
`MOST` of them, and what is read back from a record elsewhere says which data it would need.
"""

import hashlib
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.files.tables import Labels, Task, as_inputs, as_labels, encode, listed, nearest
from datasets.types import Array, DataError, Dataset, Rows

MOST = 32


class Handed(NamedTuple):
    """What was handed over: `X` (n, d), the labels of its rows, the names of its columns (or none), in what shape."""

    X: Array
    labels: Labels
    inputs: tuple[str, ...]
    image_shape: tuple[int, int, int] | None


_handed: dict[str, Handed] = {}  # by digest, the latest last


def given(sha256: str, target: str | None = None, task: Task = "auto") -> Dataset:
    """Rows that `runner.run` or `runner.sweep` was given in Python.

    Arguments:
        sha256: digest of the data, which `hand_over` returns.
        target: the column of a table that is learned; None for arrays.
        task: auto takes text, and integers of at most 20 distinct values, for classes.

    Returns X (n, d) as it was handed over; y, indices into the sorted labels or regression targets.
    Raises DataError where this process was not given the data.

    >>> given(hand_over((np.eye(3), ["dog", "cat", "dog"]))).classes
    ('cat', 'dog')
    """
    if sha256 not in _handed:
        raise DataError(
            f"this data was handed over in Python, and is in no file: its digest is {sha256[:16]}. "
            f"Hand it over again by runner.run(..., data=...), or keep it in a file (dataset=npz, dataset=csv)."
        )
    X, labels, inputs, image_shape = _handed[sha256]
    y, classes = encode(labels, task, "y" if target is None else f"column '{target}' of the data")
    source = f"given in Python: X {X.shape}, y {y.shape}"
    return Dataset("given", Rows(X, y), classes=classes, inputs=inputs, image_shape=image_shape, source=source)


def hand_over(data: Any, target: str | None = None) -> str:
    """Keep data for `given`; its digest. `data` is (X, y), or a table with named columns of which one is the `target`.

    Raises DataError, naming the column or the row, where it cannot be learned from.
    """
    if hasattr(data, "columns"):
        found = _table(data, target)
    elif isinstance(data, tuple | list) and len(data) == 2:
        if target is not None:
            raise DataError(f"target={target!r} is for a table with named columns; data=(X, y) has its targets in y.")
        found = _arrays(*data)
    else:
        raise DataError(f"data must be (X, y), or a table with named columns. Got {type(data).__name__}.")
    digest = hashlib.sha256()
    for array in (found.X, found.labels.codes, found.labels.distinct):
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(repr((found.inputs, found.image_shape)).encode())
    key = digest.hexdigest()
    _handed.pop(key, None)
    _handed[key] = found
    for old in list(_handed)[:-MOST]:
        del _handed[old]
    return key


def _arrays(inputs: Any, targets: Any) -> Handed:
    """(X, y): arrays, lists, or a table and a column."""
    if hasattr(inputs, "columns"):
        names = _names(inputs)
        X, shape = as_inputs(np.column_stack([_numbers(inputs[name], str(name)) for name in names]), "X")
        return Handed(X, as_labels(_plain(targets), len(X), "y"), tuple(map(str, names)), None)
    X, shape = as_inputs(_plain(inputs), "X")
    return Handed(X, as_labels(_plain(targets), len(X), "y"), (), shape)


def _table(data: Any, target: str | None) -> Handed:
    """A table, of pandas, Polars, or whatever has named columns."""
    names = _names(data)
    if target is None:
        raise DataError(f"data is a table: name the column to learn by target=. It has {listed(map(str, names))}.")
    if target not in names:
        there = [str(name) for name in names]
        raise DataError(f"target={target!r} is no column of the data: {listed(there)}{nearest(str(target), there)}.")
    inputs = [name for name in names if name != target]
    if not inputs:
        raise DataError(f"data has the target {target!r} and no other column; expected one or more inputs.")
    columns = [_numbers(data[name], str(name)) for name in inputs]
    X, _ = as_inputs(np.column_stack(columns), "data")
    labels = as_labels(_plain(data[target]), len(X), f"column '{target}' of the data")
    return Handed(X, labels, tuple(map(str, inputs)), None)


def _names(data: Any) -> list[Any]:
    names = list(data.columns)
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(f"data has {names.count(twice[0])} columns called '{twice[0]}'; expected different names.")
    return names


def _numbers(column: Any, name: str) -> NDArray[Any]:
    values = _plain(column)
    if values.dtype.kind not in "biuf":
        shown = f"such as {values[0].item()!r}" if values.dtype.kind in "SU" and len(values) else f"({values.dtype})"
        raise DataError(f"column '{name}' of the data holds what is no number, {shown}; expected numbers.")
    return values.astype(np.float64)


def _plain(values: Any) -> NDArray[Any]:
    """Anything array-like as numbers or text; a column of objects is what all of its objects are."""
    array = np.asarray(values)
    if array.dtype.kind != "O":
        return array
    flat = array.ravel().tolist()
    if all(isinstance(value, Real) for value in flat):
        return array.astype(np.float64)
    return array.astype(str) if all(isinstance(value, str) for value in flat) else array
