"""The user's own HDF5 file."""

from pathlib import Path

from datasets.files.h5file import array_at, dataset_at, opened
from datasets.files.stream import check_test_rows, open_stream, rows_of_none
from datasets.files.tables import Task, existing, from_arrays, image_shape_of, test_rows
from datasets.types import Dataset


def h5(
    path: str,
    inputs: str = "X",
    target: str = "y",
    test_inputs: str | None = None,
    test_target: str | None = None,
    task: Task = "auto",
    stream: bool = False,
) -> Dataset:
    """Rows from named datasets of an HDF5 file.

    Arguments:
        path: the file.
        inputs: name of the dataset with the inputs (n, ...), groups before it as in "group/X"; rows of more
            than one dimension are flattened, and (n, height, width, 1 or 3) are remembered as pictures.
        target: name of the dataset with the n targets: numbers or text.
        test_inputs, test_target: the same for the test rows; both or neither.
        task: auto takes text, and integers of at most 20 distinct values, for classes.
        stream: leave the rows in the file and read them in portions as training goes.

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
    if stream:
        return _streamed(file_path, inputs, target, test_inputs, test_target, task)
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


def _streamed(
    path: Path, inputs: str, target: str, test_inputs: str | None, test_target: str | None, task: Task
) -> Dataset:
    """The training rows stay in the file; a test set of its own does not, and may not be large."""
    found = open_stream(path, inputs, target, task)
    with opened(path) as file:
        image_shape = image_shape_of(dataset_at(file, inputs, path).shape[1:])
        if test_inputs is not None:
            check_test_rows(found, len(dataset_at(file, test_inputs, path)), test_inputs)
        test = test_rows(
            path,
            lambda key: array_at(file, key, path),
            test_inputs,
            test_target,
            like=inputs,
            width=found.width,
            classes=found.classes,
        )
    return Dataset(
        "h5", rows_of_none(found.width), test, None, found.classes, (), image_shape, source=str(path), stream=found
    )
