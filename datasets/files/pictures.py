"""Pictures in files, read by Pillow: found in folders, brought to one size, as rows of bytes."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datasets.types import Array, DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
TESTS = ("test", "val", "valid", "validation")
Shape = tuple[int, int, int]


def folder_of(path: str, option: str = "dataset.path") -> Path:
    """The folder at `path`, or DataError."""
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder
    what = "is a file" if folder.exists() else f"is not there (looked for {folder.absolute()})"
    raise DataError(f"{option}={path} {what}; expected a folder with a folder of pictures for each class.")


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in a folder and below it, by name."""
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.name[0] != ".")


def parts_in(folder: Path) -> tuple[Path, Path | None]:
    """Where the classes' folders lie, and those of the test set if there is one."""
    if not (folder / "train").is_dir():
        return folder, None
    return folder / "train", next((folder / name for name in TESTS if (folder / name).is_dir()), None)


def classes_in(folder: Path) -> list[str]:
    """The names of the folders that hold pictures, sorted; DataError where there are not two."""
    names = sorted(child.name for child in folder.iterdir() if child.is_dir() and child.name[0] != ".")
    found = [name for name in names if pictures_in(folder / name)]
    if len(found) < 2:
        what = f"only the class '{found[0]}'" if found else "no folder of pictures"
        raise DataError(
            f"{folder} has {what}; expected a folder for each of two or more classes, with pictures in it "
            f"({', '.join(SUFFIXES[:4])} ...)."
        )
    return found


def shape_of(files: Sequence[Path], size: int | None, gray: bool) -> Shape:
    """(height, width, channels) for all pictures: the most frequent size, three channels where one has colours."""
    from PIL import Image, UnidentifiedImageError

    sizes: Counter[tuple[int, int]] = Counter()
    channels = 1
    for file in files:
        try:
            with Image.open(file) as picture:
                sizes[picture.height, picture.width] += 1
                channels = channels if picture.mode in ("1", "L", "I;16", "I", "F", "LA") or gray else 3
        except (UnidentifiedImageError, OSError) as error:
            raise DataError(_damaged(file, error)) from None
    height, width = (size, size) if size is not None else max(sizes, key=lambda shape: (sizes[shape], shape))
    return height, width, channels


def read_all(files: Sequence[Path], shape: Shape) -> Array:
    """The pictures as rows X (n, height width channels) in 0..255; DataError names one that cannot be read."""
    from PIL import Image, UnidentifiedImageError

    height, width, channels = shape
    X = np.empty((len(files), height * width * channels))
    for row, file in enumerate(files):
        try:
            with Image.open(file) as picture:
                flat = picture.convert("L" if channels == 1 else "RGB")
                flat = flat if flat.size == (width, height) else flat.resize((width, height))
                X[row] = np.asarray(flat, dtype=np.uint8).ravel()
        except (UnidentifiedImageError, OSError) as error:
            raise DataError(_damaged(file, error)) from None
    return X


def _damaged(file: Path, error: Exception) -> str:
    return f"{file} is damaged or no picture ({error}). Remove it, or fetch it again."
