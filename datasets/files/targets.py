"""The column that is learned: its labels as they are spelled, its missing values, one-hot columns as classes."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.encoding import coded_of, is_missing, label_of, number_of
from datasets.files.sheet import Sheet
from datasets.files.tables import MOST_CLASSES, Labels, Task, na_with
from datasets.types import Array, DataError

PADDED = re.compile(r"[+-]?0\d+")  # 01067 is a name and no number
EXACT = 2**53  # whole numbers above it are not told apart by float64


class Target(NamedTuple):
    """The labels, and which rows (n,) have none."""

    labels: Labels
    gone: NDArray[np.bool_]


def target_of(sheet: Sheet, name: str, words: tuple[str, ...] | None) -> Target:
    """The labels of a column; `words` None: as runs of before had it, only what is empty or nan is missing.

    Raises DataError, naming the line, where a value is infinite.
    """
    coded = coded_of(sheet.columns[name])
    values = list(coded.values)
    lost = [is_missing(value, ("nan", "+nan", "-nan") if words is None else words) for value in values]
    kept = [value for value, gone in zip(values, lost, strict=True) if not gone]
    numbers = [_number(value, sheet.decimal) for value in kept]
    spelled = words is not None and any(_only_spelled(value) for value in kept)
    infinite = [value for value, number in zip(kept, numbers, strict=True) if number in (np.inf, -np.inf)]
    if infinite:
        row = int(np.argmax(coded.codes == values.index(infinite[0])))
        raise DataError(
            f"{sheet.path}, {sheet.place(row)}, column '{name}' is '{infinite[0]}'; "
            "expected a label or a finite number."
        )
    if None in numbers or spelled:
        found = np.array([label_of(value) for value in kept] or [""], dtype=np.str_)
    else:
        found = np.array(numbers, dtype=np.float64)
    distinct, index = np.unique(found, return_inverse=True)  # "1" and "1.0" become one
    table = np.full(len(values) + 1, -1)
    table[[place for place, gone in enumerate(lost) if not gone]] = index[: len(kept)]
    codes = table[coded.codes].astype(np.int64)
    return Target(Labels(distinct, codes), codes < 0)


def _number(value: Any, decimal: str) -> float | None:
    if isinstance(value, bool):
        return None
    return (
        number_of(value, decimal)
        if isinstance(value, str)
        else float(value)
        if isinstance(value, int | float)
        else None
    )


def _only_spelled(value: Any) -> bool:
    """Whether a label is a number that is lost when it is read as one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) > EXACT
    text = str(value).strip()
    return bool(PADDED.fullmatch(text)) or (text.lstrip("+-").isdigit() and abs(int(text)) > EXACT)


def refuse_missing(sheet: Sheet, name: str, words: tuple[str, ...] | None) -> None:
    """A missing target is refused, with its line and what gets on."""
    gone = target_of(sheet, name, words).gone
    if not gone.any():
        return
    row, count = int(np.argmax(gone)), int(gone.sum())
    cells = sheet.columns[name]
    coded = coded_of(cells)
    value = coded.values[coded.codes[row]] if coded.codes[row] >= 0 else ""
    text = "" if value is None or value != value else label_of(value)
    what = f"is '{text}', which stands for no value" if text else "has no value: the value is missing"
    more = f", and so in {count - 1} more rows" if count > 1 else ""
    keep = (
        f" {na_with(words, f'!{text}')} keeps it as a class of its own."
        if text and words and text.lower() != "nan"
        else ""
    )
    raise DataError(
        f"{sheet.path}, {sheet.place(row)}, column '{name}' {what}{more}; expected a label or a finite number. "
        f"dataset.missing=drop leaves out the rows without a target.{keep}"
    )


def refuse_stray_text(sheet: Sheet, name: str, labels: Labels, task: Task, words: tuple[str, ...]) -> None:
    """A word in a column of amounts is a mistake in the file, and must not make a class of every amount."""
    distinct, codes = labels
    if distinct.dtype.kind != "U":
        return
    text = np.array([number_of(label, sheet.decimal) is None for label in distinct.tolist()])
    if (task == "regression" and text.any()) or (text.any() and (~text).sum() > MOST_CLASSES):
        row = int(np.argmax(text[codes]))
        word, strays = distinct[codes[row]], distinct[text].tolist()[:MOST_CLASSES]
        raise DataError(
            f"{sheet.path}, {sheet.place(row)}, column '{name}' is '{word}'; expected a number. Where it stands for no "
            f"value, {na_with(words, *strays)} dataset.missing=drop leaves the row out; dataset.task=classification "
            "takes each number for a class."
        )


def refuse_too_many(sheet: Sheet, name: str, labels: Labels, task: Task) -> None:
    """Text that is another in nearly every row names rows, not classes."""
    distinct, codes = labels
    if task == "auto" and distinct.dtype.kind == "U" and len(distinct) > max(MOST_CLASSES, len(codes) / 2):
        raise DataError(
            f"column '{name}' of {sheet.path} has {len(distinct)} different texts in {len(codes)} rows, such as "
            f"'{distinct[0]}': too many classes to learn. Expected another dataset.target; "
            "dataset.task=classification takes them all the same."
        )


def several(sheet: Sheet, names: Sequence[str], words: tuple[str, ...] | None) -> tuple[Array, NDArray[np.bool_]]:
    """Several columns of numbers as targets (n, outputs), and which rows lack one."""
    columns, gone = [], np.zeros(sheet.rows, dtype=bool)
    for name in names:
        labels, lost = target_of(sheet, name, words)
        if labels.distinct.dtype.kind == "U":
            truths = {label.lower() for label in labels.distinct.tolist()}
            if not truths <= {"true", "false"}:
                raise DataError(
                    f"{sheet.path}: dataset.target has several columns, and '{name}' holds text such as "
                    f"'{labels.distinct[0]}'; expected numbers, or one column."
                )
            labels = Labels(
                np.array([float(text.lower() == "true") for text in labels.distinct.tolist()]), labels.codes
            )
        columns.append(np.where(lost, np.nan, labels.distinct[labels.codes]))
        gone |= lost
    return np.stack(columns, axis=1), gone


def one_hot(Y: NDArray[Any]) -> NDArray[np.int64] | None:
    """The class of each row, where every row (n, k) has a single 1 and else zeros; None otherwise.

    >>> one_hot(np.array([[0, 1, 0], [1, 0, 0]]))
    array([1, 0])
    """
    if Y.ndim != 2 or Y.shape[1] < 2 or not ((Y == 0) | (Y == 1)).all() or not (Y.sum(axis=1) == 1).all():
        return None
    return Y.argmax(axis=1).astype(np.int64)
