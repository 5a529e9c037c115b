"""The cat / non-cat pictures of the deep-learning course."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.files.h5file import array_at, opened
from datasets.types import DataError, Dataset, Rows

FILES = {"train": "train_catvnoncat.h5", "test": "test_catvnoncat.h5"}
PICTURES = "a uint8 array (n, height, width, 3)"


# `dir` is the word of the command line, dataset.dir=..., and hides nothing that is needed here.
def cats(dir: str = "data/cats") -> Dataset:
    """Small colour pictures: is it a cat?

        x = the bytes of a picture, 0..255, row by row, the three colours of a pixel together;
        y = 1 for a cat

    Arguments:
        dir: the directory with train_catvnoncat.h5 and test_catvnoncat.h5.

    Returns X (209, 12288) and a test set (50, 12288) in 0..255, of 64 x 64 pixels; divide by 255 to train.
    Raises DataError where a file is missing, damaged, or not what it should be.

    Source: deeplearning.ai, Neural Networks and Deep Learning, weeks 2 and 4.

    >>> cats("no/such/place")
    Traceback (most recent call last):
    datasets.types.DataError: no/such/place has no train_catvnoncat.h5 and no test_catvnoncat.h5; expected ...
    """
    directory = Path(dir).expanduser()
    _check_presence(directory)
    pictures, labels, names = _read(directory / FILES["train"], "train")
    test_pictures, test_labels, test_names = _read(directory / FILES["test"], "test")
    for what, train, test in (
        ("pictures", pictures.shape[1:], test_pictures.shape[1:]),
        ("classes", names, test_names),
    ):
        if train != test:
            raise DataError(f"{directory / FILES['test']} has {what} {test}; expected {train}, as in {FILES['train']}.")
    _, height, width, channels = pictures.shape
    return Dataset(
        "cats",
        train=Rows(_flat(pictures), labels),
        test=Rows(_flat(test_pictures), test_labels),
        classes=names,
        image_shape=(height, width, channels),
        source=str(directory),
    )


def _check_presence(directory: Path) -> None:
    absent = [name for name in FILES.values() if not (directory / name).is_file()]
    if absent:
        raise DataError(
            f"{directory} has {' and '.join(f'no {name}' for name in absent)}; expected the cat / non-cat "
            f"pictures of the deep-learning course, two HDF5 files {' and '.join(FILES.values())}: put them "
            f"into {directory.absolute()}, or let dataset.dir=DIRECTORY say where they are."
        )


def _read(path: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """The pictures (n, h, w, 3), their labels (n,) and the names of the classes in one file."""
    with opened(path) as file:
        pictures = array_at(file, f"{part}_set_x", path, PICTURES)
        labels = array_at(file, f"{part}_set_y", path, "integer labels (n,)")
        names = array_at(file, "list_classes", path, "the names of the classes")
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[3] != 3 or pictures.size == 0:
        raise DataError(f"'{part}_set_x' in {path} is {_described(pictures)}; expected {PICTURES}.")
    if names.dtype.kind != "U" or names.ndim != 1 or len(names) < 2:
        raise DataError(f"'list_classes' in {path} is {_described(names)}; expected the names of two or more classes.")
    n, k = len(pictures), len(names)
    if labels.dtype.kind not in "iu" or labels.shape not in ((n,), (1, n), (n, 1)):
        raise DataError(f"'{part}_set_y' in {path} is {_described(labels)}; expected integers ({n},), one a picture.")
    labels = labels.ravel().astype(np.int64)
    wrong = (labels < 0) | (labels >= k)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"'{part}_set_y' in {path}: row {row} is {labels[row]}; expected a label in 0..{k - 1}.")
    return pictures, labels, tuple(names.tolist())


def _flat(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    return pictures.reshape(len(pictures), -1).astype(np.float64)


def _described(array: NDArray[Any]) -> str:
    return f"{array.dtype} of shape {array.shape}"
