"""Rows to predict: the inputs of a file, as the rows that a network was trained on had them. Targets are not needed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datasets import csv, npz
from datasets.files.h5file import array_at, opened
from datasets.files.tables import as_inputs, existing, listed, nearest
from datasets.types import Array, DataError

SUFFIXES = (".csv", ".tsv", ".txt", ".npz", ".h5", ".hdf5")


def rows_of(
    path: str,
    width: int,
    names: Sequence[str] = (),
    target: str | None = None,
    inputs: str = "X",
    delimiter: str | None = None,
) -> Array:
    """The rows X (n, width) of a .csv, .npz or .h5 file, in the units of the file.

    Arguments:
        path: the file; a table of text has a header.
        width: how many columns the network takes.
        names: what they are called, if that is known: a table's columns are then found by name, in any order.
        target: the column that was learnt; a table may have it, and it is not read.
        inputs: name of the array, in an .npz or .h5 file.
        delimiter: as of dataset=csv.

    Raises DataError where the file, a column or a value is missing, not expected, or no number.

    >>> import tempfile
    >>> file = tempfile.mkdtemp() + "/new.csv"
    >>> _ = Path(file).write_text("weight,height\\n4.5,30\\n")
    >>> rows_of(file, 2, names=["height", "weight"])
    array([[30. ,  4.5]])
    """
    file_path = existing(path, "--data")
    match file_path.suffix.lower():
        case ".csv" | ".tsv" | ".txt":
            return _table_rows(file_path, width, names, target, delimiter)
        case ".npz":
            with file_path.open("rb") as file, npz.opened(file, file_path) as archive:
                array = npz.array_at(archive, inputs, file_path)
        case ".h5" | ".hdf5":
            with opened(file_path) as file:
                array = array_at(file, inputs, file_path)
        case other:
            raise DataError(f"--data={path} ends with '{other}'; expected one of {', '.join(SUFFIXES)}.")
    X, _ = as_inputs(array, f"'{inputs}' in {file_path}", fewest=1)
    if X.shape[1] != width:
        raise DataError(
            f"'{inputs}' in {file_path} has {X.shape[1]} values a row; expected {width}, as the network was trained on."
        )
    return X


def _table_rows(path: Path, width: int, names: Sequence[str], target: str | None, delimiter: str | None) -> Array:
    header = csv.header_of(path, delimiter)
    if names:
        missing = [name for name in names if name not in header.names]
        extra = [name for name in header.names if name not in names and name != target]
        if missing:
            near = nearest(missing[0], extra)
            raise DataError(f"{path} has no column {listed(missing)}, which the network was trained on{near}.")
        if extra:
            raise DataError(f"{path} has the column {listed(extra)}, which the network was not trained on.")
        columns = [header.names.index(name) for name in names]
    else:
        columns = [number for number, name in enumerate(header.names) if name != target]
        if len(columns) != width:
            raise DataError(
                f"{path} has {len(columns)} columns: {listed(header.names)}; expected {width}, "
                f"as the network was trained on."
            )
    ignored = header.names.index(target) if target in header.names and target not in names else -1
    return np.ascontiguousarray(csv.numbers_of(header._replace(target=ignored), columns))
