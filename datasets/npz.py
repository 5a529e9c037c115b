"""The user's own NumPy archive, or a MATLAB file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from datasets.files.arrays import Names, Words, from_arrays, names_in
from datasets.files.tables import Task, existing, listed, nearest, override
from datasets.types import DataError, Dataset, Missing

# What numpy.load and the reading of a member raise where the bytes are not what they should be.
DAMAGE = (OSError, EOFError, ValueError, BadZipFile, ZlibError, NotImplementedError, RuntimeError)
Archive = Mapping[str, Any]


def npz(
    path: str,
    inputs: str = "X",
    target: str = "y",
    test_inputs: str | None = None,
    test_target: str | None = None,
    task: Task = "auto",
    missing: Missing = "refuse",
    na: Words = None,
) -> Dataset:
    """Rows from named arrays of a .npz file, as `numpy.savez` and `numpy.savez_compressed` write it, or of a .mat file.

    Nothing is ever unpickled: an archive from elsewhere cannot run code here. Where there is no X and y, the names of
    Keras' archives and of other known ones are taken.

    Arguments:
        path: the file.
        inputs: name of the array with the inputs (n, ...); rows of more than one dimension are flattened, and
            (n, height, width, 1 or 3) are remembered as pictures.
        target: name of the array with the n targets: numbers or text; one-hot rows are classes, other rows of several
            numbers several outputs.
        test_inputs, test_target: the same for the test rows; both or neither.
        task: auto takes text, and integers of at most 20 distinct values, for classes.
        missing: refuse names the place of a NaN; drop leaves such rows out; all else keeps them, and `prepare` fills
            them in.
        na: labels that stand for no value; auto takes the usual words, None none (runs of before).

    Returns X (n, d) in the units of the file; y, indices into the sorted labels or regression targets.
    Raises DataError where the file, an array in it or a value cannot be used.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/own.npz"
    >>> np.savez(path, X=np.eye(3), y=["dog", "cat", "dog"])
    >>> npz(path).classes
    ('cat', 'dog')
    """
    file_path = existing(path)
    notes: list[str] = []
    with opened(file_path) as archive:
        asked = Names(inputs, target, test_inputs, test_target)
        names = names_in(list(archive), asked, file_path, notes) if na is not None else asked
        found = from_arrays("npz", file_path, lambda key: array_at(archive, key, file_path), names, task, missing, na)
    return found.told(notes)


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """The arrays of a file by their names, or DataError where it is damaged or no archive."""
    with path.open("rb") as file:
        if file.read(10) == b"MATLAB 5.0":
            yield _matlab(path)
            return
        file.seek(0)
        try:
            archive = np.load(file, allow_pickle=False)
        except DAMAGE:
            raise DataError(
                f"{path} is damaged or no .npz file; expected an archive made by numpy.savez{_other(path)}."
            ) from None
        if not isinstance(archive, NpzFile):
            raise DataError(
                f"{path} is a single array; expected an archive made by numpy.savez, with inputs and target: "
                f"numpy.savez('own.npz', X=numpy.load('{path}'), y=...)."
            )
        yield archive


def _other(path: Path) -> str:
    """The way out, where it is a file of another kind after all."""
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"\x89HDF"):
        return f" (this is an HDF5 file: dataset=h5 {override('path', str(path))})"
    if start[:1].isalnum() and path.suffix in (".csv", ".txt", ".tsv", ".data"):
        return f" (this is text: dataset=csv {override('path', str(path))} dataset.target=COLUMN)"
    return ""


def _matlab(path: Path) -> Archive:
    """The arrays of a .mat file of version 5; those of 7.3 are HDF5, and dataset=h5 reads them."""
    from scipy.io import loadmat

    try:
        found = loadmat(path)
    except Exception as error:  # scipy raises what its parts raise
        raise DataError(f"{path} is damaged: SciPy cannot read it ({error}). Save it again.") from None
    return {name: array for name, array in found.items() if not name.startswith("__")}


def array_at(archive: Archive, key: str, path: Path) -> NDArray[Any]:
    """The array `key`, or DataError that lists what the archive holds. Nothing is unpickled."""
    names = list(archive)
    if key not in archive:
        raise DataError(f"{path} has no array '{key}'; it holds {listed(names)}{nearest(key, names)}.")
    try:
        array = archive[key]
    except DAMAGE as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"'{key}' in {path} holds Python objects, which only unpickling could read, and that can run code; "
                f"expected numbers or text: save {key}.astype(float), or of text {key}.astype(str)."
            ) from None
        raise DataError(f"'{key}' in {path} is damaged ({error}); expected an array made by numpy.savez.") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"'{key}' in {path} is not an array; expected one made by numpy.savez.")
    if array.dtype.kind == "O":  # cells and structures of MATLAB
        array = _texts(array, key, path)
    return array


def _texts(array: NDArray[Any], key: str, path: Path) -> NDArray[Any]:
    """A MATLAB cell array of texts as text."""
    cells = [np.asarray(cell).ravel() for cell in array.ravel()]
    if not all(len(cell) == 1 and cell.dtype.kind == "U" for cell in cells):
        raise DataError(f"'{key}' in {path} holds cells of several kinds; expected numbers, or one text a cell.")
    return np.array([str(cell[0]) for cell in cells]).reshape(array.shape)
