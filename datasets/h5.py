"""The user's own HDF5 file."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from datasets.tables import Task, existing, from_arrays, listed, nearest
from datasets.types import DataError, Dataset


def h5(
    path: str,
    inputs: str = "X",
    target: str = "y",
    test_inputs: str | None = None,
    test_target: str | None = None,
    task: Task = "auto",
) -> Dataset:
    """Rows from named datasets of an HDF5 file.

    Arguments:
        path: the file.
        inputs: name of the dataset with the inputs (n, ...), groups before it as in "group/X"; rows of more
            than one dimension are flattened, and (n, height, width, 1 or 3) are remembered as pictures.
        target: name of the dataset with the n targets: numbers or text.
        test_inputs, test_target: the same for the test rows; both or neither.
        task: auto takes text, and integers of at most 20 distinct values, for classes.

    Returns X (n, d) in the units of the file; y, indices into the sorted labels or regression targets.
    Raises DataError where the file, a dataset in it or a value cannot be used.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/own.h5"
    >>> with h5py.File(path, "w") as file:
    ...     file["X"], file["y"] = np.eye(3), [0, 1, 1]
    >>> h5(path).classes
    (0.0, 1.0)
    """
    file_path = existing(path)
    with opened(file_path) as file:
        return from_arrays(
            "h5",
            file_path,
            lambda key: array_at(file, key, file_path),
            inputs=inputs,
            target=target,
            test_inputs=test_inputs,
            test_target=test_target,
            task=task,
        )


def opened(path: Path) -> h5py.File:
    """The file, open for reading, or DataError where it is not whole."""
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path} is damaged or no HDF5 file ({error}); expected a file that h5py opens.") from None


def array_at(file: h5py.File, key: str, path: Path, expected: str = "an array") -> NDArray[Any]:
    """The dataset `key` as an array, text as str; or DataError that lists what the file holds."""
    found = file.get(key)
    if not isinstance(found, h5py.Dataset):
        names = _names(file)
        raise DataError(
            f"{path} has no dataset '{key}'; it holds {listed(names)}; expected {expected}{nearest(key, names)}."
        )
    try:
        if h5py.check_string_dtype(found.dtype) is not None:
            return np.array(found.asstr()[()], dtype=np.str_)
        array = found[()]
    except UnicodeDecodeError as error:
        raise DataError(f"'{key}' in {path} holds bytes that are not UTF-8 text: {error}.") from None
    except OSError as error:
        raise DataError(f"'{key}' in {path} is damaged ({error}); expected {expected}.") from None
    return np.asarray(array)


def _names(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names
