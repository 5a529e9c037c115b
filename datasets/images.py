"""The user's own pictures: a folder for each class."""

from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from datasets.files.pictures import classes_in, folder_of, parts_in, pictures_in, read_all, shape_of
from datasets.types import DataError, Dataset, Rows

Pixels = Annotated[int, Ge(1), Le(4096)]


def images(path: str, size: Pixels | None = None, gray: bool = False) -> Dataset:
    """Pictures in folders that name their classes: FOLDER/cat/1.png, FOLDER/dog/2.jpg.

    Where FOLDER has a folder train, and test or val, these hold the classes, and the second is the test set. Every
    picture gets the same height and width: what most of them have, or `size`; Pillow reads and resizes them.

    Arguments:
        path: the folder.
        size: pixels of a side, all pictures become squares of it; null takes the size that most have.
        gray: one channel instead of three; pictures without colours have one anyway.

    Returns X (n, height width channels) in 0..255, row by row, the colours of a pixel together; y, indices of the
    sorted folders' names.
    Raises DataError where there is no picture, one class, or a file that is no picture.
    """
    folder = folder_of(path)
    train, test = parts_in(folder)
    classes = classes_in(train)
    files = [(file, number) for number, name in enumerate(classes) for file in pictures_in(train / name)]
    shape = shape_of([file for file, _ in files], size, gray)
    held = None
    if test is not None:
        strange = [name for name in classes_in(test) if name not in classes]
        if strange:
            raise DataError(f"{test} has a class '{strange[0]}', which {train} has not; expected {', '.join(classes)}.")
        tests = [(file, classes.index(name)) for name in classes_in(test) for file in pictures_in(test / name)]
        held = Rows(read_all([file for file, _ in tests], shape), np.array([number for _, number in tests]))
    return Dataset(
        "images",
        Rows(read_all([file for file, _ in files], shape), np.array([number for _, number in files], dtype=np.int64)),
        held,
        classes=tuple(classes),
        image_shape=shape,
        source=str(folder),
        notes=(f"{len(files)} pictures, each as {shape[0]} x {shape[1]} pixels of {shape[2]} channels.",),
    )
