"""Arrays and tables that Python hands over: `runner.run(..., data=(X, y))`, or `data=frame, target="label"`.

A configuration can only name them: by their digest. So they are kept here for as long as the process lives, the last
`MOST` of them, and what is read back from a record elsewhere says which data it would need. A table is understood as
the same table in a file is.
"""

import hashlib
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.encoding import coded_of
from datasets.files.learn import Na, Rules, learned
from datasets.files.sheet import Sheet
from datasets.files.tables import Labels, Task, as_inputs, as_labels, listed, nearest
from datasets.files.tables import encode as encoded
from datasets.files.understand import Encode
from datasets.types import Array, DataError, Dataset, Missing, Rows

MOST = 32


class Arrays(NamedTuple):
    """Arrays that were handed over: `X` (n, d), the labels of its rows, and the pictures' shape if they are some."""

    X: Array
    labels: Labels
    image_shape: tuple[int, int, int] | None


class Table(NamedTuple):
    """A table that was handed over, and the column of it that is learned."""

    sheet: Sheet
    target: str


_handed: dict[str, Arrays | Table] = {}  # by digest, the latest last


def given(
    sha256: str,
    target: str | None = None,
    task: Task = "auto",
    columns: list[str | int] | None = None,
    na: Na = None,
    missing: Missing = "refuse",
    encode: Encode = "none",
    group: str | int | None = None,
) -> Dataset:
    """Rows that `runner.run` or `runner.sweep` was given in Python.

    Arguments:
        sha256: digest of the data, which `hand_over` returns.
        target: the column of a table that is learned; None for arrays.
        task: auto takes text, and integers of at most 20 distinct values, for classes.
        columns, na, missing, encode, group: of a table, as for a file: see `datasets.csv.csv`.

    Returns X (n, d) as it was handed over; y, indices into the sorted labels or regression targets.
    Raises DataError where this process was not given the data, or it cannot be learned from.

    >>> given(hand_over((np.eye(3), ["dog", "cat", "dog"]))).classes
    ('cat', 'dog')
    """
    if sha256 not in _handed:
        raise DataError(
            f"this data was handed over in Python, and is in no file: its digest is {sha256[:16]}. "
            f"Hand it over again by runner.run(..., data=...), or keep it in a file (dataset=npz, dataset=csv)."
        )
    handed = _handed[sha256]
    if isinstance(handed, Table):
        rules = Rules([handed.target], task, columns, na, missing, encode, group)
        found = learned("given", handed.sheet, rules)
    else:
        y, classes = encoded(handed.labels, task, "y")
        found = Dataset("given", Rows(handed.X, y), classes=classes, image_shape=handed.image_shape)
    return replace(found, source=f"given in Python: X {found.train.X.shape}, y {found.train.y.shape}")


def hand_over(data: Any, target: str | None = None) -> str:
    """Keep data for `given`; its digest. `data` is (X, y), or a table with named columns of which one is the `target`.

    Raises DataError, naming the column or the row, where it cannot be learned from.
    """
    found: Arrays | Table
    if hasattr(data, "columns"):
        found = _table(data, target)
    elif isinstance(data, tuple | list) and len(data) == 2:
        if target is not None:
            raise DataError(f"target={target!r} is for a table with named columns; data=(X, y) has its targets in y.")
        found = _arrays(*data)
    else:
        raise DataError(f"data must be (X, y), or a table with named columns. Got {type(data).__name__}.")
    key = _digest(found)
    _handed.pop(key, None)
    _handed[key] = found
    for old in list(_handed)[:-MOST]:
        del _handed[old]
    return key


def _digest(handed: Arrays | Table) -> str:
    digest = hashlib.sha256()
    if isinstance(handed, Arrays):
        parts: list[Any] = [handed.X, handed.labels.codes, handed.labels.distinct]
        digest.update(repr(handed.image_shape).encode())
    else:
        parts = list(handed.sheet.columns.values())
        digest.update(repr((handed.sheet.names, handed.target)).encode())
    for part in parts:
        if not isinstance(part, np.ndarray):
            digest.update(repr(part.values).encode())
            part = part.codes
        digest.update(f"{part.dtype}{part.shape}".encode())
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _arrays(inputs: Any, targets: Any) -> Arrays | Table:
    """(X, y): arrays, lists, or a table and a column."""
    if hasattr(inputs, "columns"):
        names = [str(name) for name in _names(inputs)]
        target = next(name for name in ("y", "target", *(f"y{k}" for k in range(len(names) + 1))) if name not in names)
        y = _plain(targets)
        if len(y.ravel()) != len(inputs):
            as_labels(y, len(inputs), "y")  # says what is wrong
        return Table(_sheet({**{name: inputs[name] for name in _names(inputs)}, target: y.ravel()}), target)
    X, shape = as_inputs(_plain(inputs), "X")
    return Arrays(X, as_labels(_plain(targets), len(X), "y"), shape)


def _table(data: Any, target: str | None) -> Table:
    """A table, of pandas, Polars, or whatever has named columns."""
    names = _names(data)
    there = [str(name) for name in names]
    if target is None:
        raise DataError(f"data is a table: name the column to learn by target=. It has {listed(there)}.")
    if str(target) not in there:
        raise DataError(f"target={target!r} is no column of the data: {listed(there)}{nearest(str(target), there)}.")
    return Table(_sheet({name: data[name] for name in names}), str(target))


def _sheet(columns: dict[Any, Any]) -> Sheet:
    """Columns by name as a sheet: numbers (n,) with NaN for none, all else as cells that stand once each."""
    found: dict[str, Any] = {}
    for name, column in columns.items():
        array = np.asarray(column)
        found[str(name)] = array.astype(np.float64) if array.dtype.kind in "fiu" else coded_of(array)
    return Sheet(Path("the data"), found, len(np.asarray(next(iter(columns.values())))))


def _names(data: Any) -> list[Any]:
    names = list(data.columns)
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(f"data has {names.count(twice[0])} columns called '{twice[0]}'; expected different names.")
    return names


def _plain(values: Any) -> NDArray[Any]:
    """Anything array-like as numbers or text; a column of objects is what all of its objects are."""
    array = np.asarray(values)
    if array.dtype.kind != "O":
        return array
    flat = array.ravel().tolist()
    if all(isinstance(value, Real) for value in flat):
        return array.astype(np.float64)
    return array.astype(str) if all(isinstance(value, str) for value in flat) else array
