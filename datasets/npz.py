"""The user's own NumPy archive."""

from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from datasets.files.tables import Task, existing, from_arrays, listed, nearest
from datasets.types import DataError, Dataset

# What numpy.load and the reading of a member raise where the bytes are not what they should be.
DAMAGE = (OSError, EOFError, ValueError, BadZipFile, ZlibError, NotImplementedError, RuntimeError)


def npz(
    path: str,
    inputs: str = "X",
    target: str = "y",
    test_inputs: str | None = None,
    test_target: str | None = None,
    task: Task = "auto",
) -> Dataset:
    """Rows from named arrays of a .npz file, as `numpy.savez` and `numpy.savez_compressed` write it.

    Nothing is ever unpickled: an archive from elsewhere cannot run code here.

    Arguments:
        path: the file.
        inputs: name of the array with the inputs (n, ...); rows of more than one dimension are flattened, and
            (n, height, width, 1 or 3) are remembered as pictures.
        target: name of the array with the n targets: numbers or text.
        test_inputs, test_target: the same for the test rows; both or neither.
        task: auto takes text, and integers of at most 20 distinct values, for classes.

    Returns X (n, d) in the units of the file; y, indices into the sorted labels or regression targets.
    Raises DataError where the file, an array in it or a value cannot be used.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/own.npz"
    >>> np.savez(path, X=np.eye(3), y=["dog", "cat", "dog"])
    >>> npz(path).classes
    ('cat', 'dog')
    """
    file_path = existing(path)
    with file_path.open("rb") as file, opened(file, file_path) as archive:
        return from_arrays(
            "npz",
            file_path,
            lambda key: array_at(archive, key, file_path),
            inputs=inputs,
            target=target,
            test_inputs=test_inputs,
            test_target=test_target,
            task=task,
        )


def opened(file: BinaryIO, path: Path) -> NpzFile:
    """The open archive, or DataError where it is none."""
    try:
        archive = np.load(file, allow_pickle=False)
    except DAMAGE:
        raise DataError(f"{path} is damaged or no .npz file; expected an archive made by numpy.savez.") from None
    if not isinstance(archive, NpzFile):
        raise DataError(f"{path} is a single array; expected an archive made by numpy.savez, with inputs and target.")
    return archive


def array_at(archive: NpzFile, key: str, path: Path) -> NDArray[Any]:
    """The array `key`, or DataError that lists what the archive holds. Nothing is unpickled."""
    if key not in archive:
        raise DataError(f"{path} has no array '{key}'; it holds {listed(archive.files)}{nearest(key, archive.files)}.")
    try:
        array = archive[key]
    except DAMAGE as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"'{key}' in {path} holds Python objects, which only unpickling could read, and that "
                f"can run code; expected numbers or text."
            ) from None
        raise DataError(f"'{key}' in {path} is damaged ({error}); expected an array made by numpy.savez.") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"'{key}' in {path} is not an array; expected one made by numpy.savez.")
    return array
