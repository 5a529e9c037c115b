"""The user's own HDF5 file."""

from pathlib import Path

import numpy as np

from datasets.files.arrays import Names, Targets, Words, from_arrays, names_in, rows_to_test
from datasets.files.h5file import array_at, array_of, dataset_at, opened
from datasets.files.stream import check_test_rows, open_stream, rows_of_none
from datasets.files.tables import Task, existing, image_shape_of
from datasets.types import Dataset, Missing


def h5(
    path: str,
    inputs: str = "X",
    target: str = "y",
    test_inputs: str | None = None,
    test_target: str | None = None,
    task: Task = "auto",
    stream: bool = False,
    missing: Missing = "refuse",
    na: Words = None,
) -> Dataset:
    """Rows from named datasets of an HDF5 file.

    Arguments:
        path: the file.
        inputs: name of the dataset with the inputs (n, ...), groups before it as in "group/X"; rows of more
            than one dimension are flattened, and (n, height, width, 1 or 3) are remembered as pictures.
        target: name of the dataset with the n targets: numbers or text.
        test_inputs, test_target: the same for the test rows; both or neither.
        task: auto takes text, and integers of at most 20 distinct values, for classes.
        stream: leave the rows in the file and read them in portions as training goes: nothing may be missing then.
        missing: refuse names the place of a NaN; drop leaves such rows out; all else keeps them, and `prepare` fills
            them in.
        na: labels that stand for no value; auto takes the usual words, None none (runs of before).

    Returns X (n, d) in the units of the file; y, indices into the sorted labels or regression targets.
    Raises DataError where the file, a dataset in it or a value cannot be used.

    >>> import tempfile
    >>> import h5py, numpy as np
    >>> path = tempfile.mkdtemp() + "/own.h5"
    >>> with h5py.File(path, "w") as file:
    ...     file["X"], file["y"] = np.eye(3), [0, 1, 1]
    >>> h5(path).classes
    (0.0, 1.0)
    """
    file_path = existing(path)
    notes: list[str] = []
    asked = Names(inputs, target, test_inputs, test_target)
    if stream:
        return _streamed(file_path, asked, task)
    with opened(file_path) as file:
        names = names_in(list(file), asked, file_path, notes) if na is not None else asked
        read = array_of(file, file_path, notes) if na is not None else lambda key: array_at(file, key, file_path)
        found = from_arrays("h5", file_path, read, names, task, missing, na)
    return found.told(notes)


def _streamed(path: Path, names: Names, task: Task) -> Dataset:
    """The training rows stay in the file; a test set of its own does not, and may not be large."""
    found = open_stream(path, names.inputs, names.target, task)
    with opened(path) as file:
        image_shape = image_shape_of(dataset_at(file, names.inputs, path).shape[1:])
        if names.test_inputs is not None:
            check_test_rows(found, len(dataset_at(file, names.test_inputs, path)), names.test_inputs)
        train = Targets(rows_of_none(found.width).y, found.classes, (), np.zeros(0, dtype=bool))
        test = rows_to_test(path, lambda key: array_at(file, key, path), names, found.width, train)
    return Dataset(
        "h5", rows_of_none(found.width), test, None, found.classes, (), image_shape, source=str(path), stream=found
    )
