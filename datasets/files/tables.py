"""From the arrays and labels of a user's own file to a Dataset: what the csv, h5 and npz loaders share."""

import os
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from math import prod
from pathlib import Path
from shlex import quote
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.encoding import MISSING_WORDS
from datasets.types import Array, DataError

Task = Literal["auto", "classification", "regression"]
Classes = tuple[float, ...] | tuple[str, ...]

# With task=auto, integers with more distinct values than this are amounts, not names of classes.
MOST_CLASSES = 20


class Labels(NamedTuple):
    """A column of targets, `distinct[codes]`: `distinct` (k,) sorted, float64 or str; `codes` (n,)."""

    distinct: NDArray[Any]
    codes: NDArray[np.int64]


def existing(path: str, option: str = "dataset.path") -> Path:
    """The file at `path`, which `option` named, or DataError saying where it was looked for."""
    file = Path(path).expanduser()
    if file.is_dir():
        way = f" Of pictures, a folder for each class, dataset=images {override('path', path)} reads it."
        raise DataError(f"{option}={path} is a directory; expected a file.{way if any(file.iterdir()) else ''}")
    if not file.is_file():
        siblings = [p.name for p in file.parent.iterdir()] if file.parent.is_dir() else []
        raise DataError(f"{option}={path} is not there (looked for {file.absolute()}){nearest(file.name, siblings)}.")
    if not os.access(file, os.R_OK):
        raise DataError(f"{option}={path} may not be read by this user; expected a file with read permission.")
    return file


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause that proposes the known name that looks most like `name`, or nothing.

    >>> nearest("trian_x", ["train_x", "train_y"])
    " (did you mean 'train_x'?)"
    """
    close = get_close_matches(name, list(known), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def override(key: str, value: Any) -> str:
    """`dataset.KEY=VALUE` as it is typed: in the words of Hydra, and in quotes where a shell would take them apart.

    >>> print(override("missing", "drop"), override("columns", ["!id"]), override("na", ["auto", -999]))
    dataset.missing=drop 'dataset.columns=["!id"]' 'dataset.na=[auto,-999]'
    """
    return quote(f"dataset.{key}={_word(value)}")


def na_with(words: tuple[str, ...], *more: Any) -> str:
    """`dataset.na=...` for these words and some more, or !word for without it."""
    usual = set(MISSING_WORDS)
    few = len(usual - set(words)) < 5  # the usual ones, perhaps without some
    kept = [word for word in words if not (few and word in usual)]
    out = [f"!{word}" for word in MISSING_WORDS if few and word not in words]
    return override("na", [*["auto"] * few, *kept, *out, *more])


def _word(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_word, value))}]"
    if not isinstance(value, str):
        whole = isinstance(value, float) and value.is_integer()
        return str(int(value) if whole else value).lower()
    words = ("true", "false", "null", "nan", "inf")
    plain = re.fullmatch(r"[A-Za-z_][\w./-]*", value, re.ASCII) and value.lower() not in words
    # A backslash stands for itself, but for one in front of a quote or the end.
    return value if plain else '"' + re.sub(r'(\\*)("|$)', lambda m: m[1] * 2 + ('\\"' if m[2] else ""), value) + '"'


def listed(names: Iterable[str], most: int = 12) -> str:
    """The names for a message, in quotes; the first `most` of them where there are many."""
    names = list(names)
    shown = ", ".join(f"'{name}'" for name in names[:most]) or "nothing"
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def as_inputs(
    array: NDArray[Any], where: str, fewest: int = 2, first: int = 0, missing: bool = False
) -> tuple[Array, tuple[int, int, int] | None]:
    """Any array of numbers (n, ...) as X (n, d) float64; and the image shape, if it is (n, h, w, 1 or 3).

    `first` is the number of the first row, where these are a part of more. `missing`: values may be NaN. A structured
    array has a column for each of its fields.
    """
    if array.dtype.names and all(array.dtype[name].kind in "biuf" for name in array.dtype.names):
        array = np.stack([array[name].astype(np.float64) for name in array.dtype.names], axis=-1)
    if array.dtype.kind not in "biuf":
        way = ": save it as X.astype(float), or the table with its text as a csv (dataset=csv)"
        raise DataError(f"{where} holds {array.dtype}; expected numbers{way if array.dtype.kind in 'SUV' else ''}.")
    if array.ndim == 0 or len(array) < fewest or array.size == 0:
        raise DataError(f"{where} has shape {array.shape}; expected {fewest} or more rows of one or more values.")
    X = array.reshape(len(array), prod(array.shape[1:])).astype(np.float64)
    finite = ~np.isinf(X) if missing else np.isfinite(X)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise DataError(
            f"{where}: row {first + row}, column {column} (counted from 0) is {X[row, column]}; "
            f"expected a finite number."
        )
    return X, image_shape_of(array.shape[1:])


def image_shape_of(row: tuple[int, ...]) -> tuple[int, int, int] | None:
    """(height, width, channels), where a row of this shape is a picture."""
    return (row[0], row[1], row[2]) if len(row) == 3 and row[2] in (1, 3) else None


def as_labels(array: NDArray[Any], n: int, where: str, first: int = 0) -> Labels:
    """Any array of n targets, a row or a column of them too, as Labels."""
    if array.dtype.kind not in "biufSU":
        raise DataError(f"{where} holds {array.dtype}; expected numbers or text.")
    if array.size != n or array.size != max(array.shape, default=1):
        raise DataError(f"{where} has shape {array.shape}; expected ({n},), one target for each of the {n} rows of X.")
    y = array.ravel()
    if y.dtype.kind in "SU":
        try:
            y = np.char.decode(y, "utf-8") if y.dtype.kind == "S" else y
        except UnicodeDecodeError as error:
            raise DataError(f"{where} holds bytes that are not UTF-8 text: {error}.") from None
        missing = np.char.str_len(np.char.strip(y)) == 0
    else:
        y = y.astype(np.float64)
        missing = ~np.isfinite(y)
    if missing.any():
        row = int(np.argmax(missing))
        raise DataError(
            f"{where}: row {first + row} (counted from 0) is {y[row].item()!r}; expected a label or a finite number."
        )
    distinct, codes = np.unique(y, return_inverse=True)
    return Labels(distinct, codes.astype(np.int64))


def encode(
    labels: Labels, task: Task, where: str, usual: bool = False
) -> tuple[NDArray[np.int64] | Array, Classes | None]:
    """What `y` holds, and its classes (None for a regression).

    With task=auto, text is classification, and so are integers with at most 20 distinct values; other numbers
    are regression targets. `usual`: more than two integers that hardly ever come twice are amounts, not classes.

    >>> encode(Labels(np.array(["cat", "dog"]), np.array([1, 0, 1])), "auto", "'pet'")
    (array([1, 0, 1]), ('cat', 'dog'))
    """
    distinct, codes = labels
    text = distinct.dtype.kind == "U"
    if text and task == "regression":
        raise DataError(f"{where} holds text such as {distinct[0].item()!r}; expected numbers for task=regression.")
    few_integers = not text and len(distinct) <= MOST_CLASSES and bool((distinct == np.floor(distinct)).all())
    hardly_twice = usual and len(distinct) > 2 and 2 * len(codes) < 3 * len(distinct)
    if task == "regression" or (task == "auto" and not text and (not few_integers or hardly_twice)):
        return distinct[codes], None
    if len(distinct) < 2:
        numbers = "" if text else " (or numbers, with dataset.task=regression)"
        raise DataError(
            f"{where} holds the single class {distinct[0].item()!r}; expected two or more classes{numbers}."
        )
    return codes, tuple(distinct.tolist())


def encode_as(labels: Labels, classes: Classes | None, where: Callable[[int], str]) -> NDArray[np.int64] | Array:
    """The `y` of a test set, in the classes of the training rows; `where(row)` names a row for a message."""
    distinct, codes = labels
    if classes is None:
        if distinct.dtype.kind == "U":
            raise DataError(f"{where(0)} is {distinct[codes[0]].item()!r}; expected a number, as in the training rows.")
        return distinct[codes]
    known: dict[object, int] = {label: index for index, label in enumerate(classes)}
    indices = np.array([known.get(label, -1) for label in distinct.tolist()], dtype=np.int64)
    y = indices[codes]
    if (y < 0).any():
        row = int(np.argmax(y < 0))
        label = distinct[codes[row]].item()
        raise DataError(
            f"{where(row)} is {label!r}, no class of the training rows; expected one of "
            f"{listed(map(str, classes))}{nearest(str(label), map(str, classes))}."
        )
    return y
