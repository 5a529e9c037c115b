"""From a sheet to a Dataset: the column that is learned, the inputs, and the rows that can be used."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.encoding import MISSING_WORDS, Column, Encoding, coded_of, number_of
from datasets.files.sheet import Sheet, words_of
from datasets.files.tables import Classes, Task, encode_as, listed, nearest
from datasets.files.tables import encode as encoded
from datasets.files.targets import one_hot, refuse_missing, refuse_stray_text, refuse_too_many, several, target_of
from datasets.files.understand import Encode, Understood, chosen, matching, understand
from datasets.types import Array, DataError, Dataset, Missing, Rows

Na = Literal["auto"] | list[str | int | float] | None


class Rules(NamedTuple):
    """How a sheet is to be taken: the arguments of `datasets.csv.csv` that are not about how it is written."""

    target: Sequence[str | int]
    task: Task
    columns: Sequence[str | int] | None
    na: Na
    missing: Missing
    encode: Encode
    group: str | int | None

    @property
    def spelled(self) -> list[str | int]:
        """The columns that stay as they are spelled."""
        return [*self.target, *([] if self.group is None else [self.group])]

    @property
    def words(self) -> tuple[str, ...]:
        """The words that stand for no value; in runs of before only nan did."""
        return ("nan",) if self.na is None else words_of(self.na)

    @property
    def of_target(self) -> tuple[str, ...] | None:
        """Those words in the target; None: as runs of before had it."""
        return None if self.na is None else words_of(self.na)


def learned(name: str, sheet: Sheet, rules: Rules, tested: Sheet | None = None) -> Dataset:
    """What there is to learn in a sheet; `tested` are the test rows. `name` is that of the Dataset.

    Returns raw X (n, columns), NaN where a value is missing, in the order of the sheet; y, indices into the sorted
    labels or regression targets; and the `encoding` that `datasets.preparation.prepare` fits.
    """
    names = [_learned_name(sheet, target) for target in rules.target]
    answers = _answers(sheet, names, rules)
    group = None if rules.group is None else _column(sheet, rules.group, "dataset.group")
    found = _inputs(sheet, {*names, *([] if group is None else [group])}, rules, answers)
    raw = _raw(sheet, found.encoding, rules.missing)
    kept, notes = _usable(sheet, raw, answers, rules.missing)
    return Dataset(
        name,
        Rows(raw, answers.y) if kept.all() else Rows(raw[kept], answers.y[kept]),
        None if tested is None else _test_rows(tested, sheet, names, rules, found.encoding, answers.classes),
        classes=answers.classes,
        inputs=tuple(column.name for column in found.encoding.columns),
        source=str(sheet.path),
        encoding=found.encoding,
        missing=rules.missing,
        lacking=found.missing,
        notes=(*sheet.notes, *found.odd, *notes),
        groups=None if group is None else _group_of(sheet, group)[kept],
        learned=tuple(names),
        outputs=tuple(names) if answers.y.ndim == 2 else (),
    )


def _usable(sheet: Sheet, raw: Array, answers: "_Answers", missing: Missing) -> tuple[NDArray[np.bool_], list[str]]:
    """Which rows (n,) are trained on, and what is to be told of the others."""
    kept = ~answers.gone & (~np.isnan(raw).any(axis=1) if missing == "drop" else True)
    if kept.sum() < 2:
        dropped = f" of {sheet.rows} is left by dataset.missing=drop" if sheet.rows > 1 else " below its header"
        raise DataError(f"{sheet.path} has {'one row' if kept.sum() else 'no row'}{dropped}; expected two or more.")
    if kept.all():
        return kept, []
    return kept, [f"{int((~kept).sum())} of {sheet.rows} rows lack a value and are left out (dataset.missing=drop)."]


class _Answers(NamedTuple):
    """`y` (n,) or (n, outputs), the classes, and the rows (n,) that have no target."""

    y: NDArray[Any]
    classes: Classes | None
    gone: NDArray[np.bool_]


def _answers(sheet: Sheet, names: Sequence[str], rules: Rules) -> _Answers:
    words, task, missing = rules.of_target, rules.task, rules.missing
    if len(names) > 1:
        Y, gone = several(sheet, names, words)
        _refuse_or_drop(sheet, names, words, missing)
        marked = one_hot(Y[~gone]) if task != "regression" else None
        if marked is None:
            return _Answers(Y, None, gone)
        codes = np.zeros(len(Y), dtype=np.int64)
        codes[~gone] = marked
        return _Answers(codes, tuple(names), gone)
    labels, gone = target_of(sheet, names[0], words)
    _refuse_or_drop(sheet, names, words, missing)
    held = labels._replace(codes=labels.codes[~gone])
    if len(held.codes) == 0:
        raise DataError(f"{sheet.path}: no row has a value in the target '{names[0]}'.")
    if task != "classification":
        refuse_stray_text(sheet, names[0], labels, task, rules.words)
    if words is not None:
        refuse_too_many(sheet, names[0], held, task)
    y, classes = encoded(held, task, f"column '{names[0]}' of {sheet.path}", usual=words is not None)
    whole = np.zeros(sheet.rows, dtype=y.dtype)
    whole[~gone] = y
    return _Answers(whole, classes, gone)


def _refuse_or_drop(sheet: Sheet, names: Sequence[str], words: tuple[str, ...] | None, missing: Missing) -> None:
    if missing != "drop":
        for name in names:
            refuse_missing(sheet, name, words)


def _learned_name(sheet: Sheet, target: str | int) -> str:
    found = matching(sheet.names, target) if "*" not in str(target) else []
    if found:
        return found[0]
    if not sheet.header and str(target) in sheet.first:
        place = sheet.first.index(str(target))
        raise DataError(
            f"dataset.target={target} is a value of the first line of {sheet.path}, and no name: that line looks like "
            f"data (numbers among the words), so the file has no header. Expected a position: "
            f"dataset.target={place} (dataset.header=true takes the first line for names all the same)."
        )
    numbers = sheet.header and all(number_of(name) is not None for name in sheet.names)
    data = " The first line is numbers: dataset.header=auto takes it for data." if numbers else ""
    other = f", or a position, 0 to {len(sheet.names) - 1}" if not sheet.header else ""
    raise DataError(
        f"dataset.target={target} is no column of {sheet.path}: {listed(sheet.names)}"
        f"{nearest(str(target), sheet.names)}{other}.{data}"
    )


def _column(sheet: Sheet, name: str | int, key: str) -> str:
    found = matching(sheet.names, name)
    if len(found) != 1:
        raise DataError(
            f"{key}={name} is no column of {sheet.path}: {listed(sheet.names)}{nearest(str(name), sheet.names)}."
        )
    return found[0]


def _inputs(sheet: Sheet, taken: set[str], rules: Rules, answers: _Answers) -> Understood:
    names = [name for name in chosen(sheet.names, rules.columns, str(sheet.path)) if name not in taken]
    if not names:
        what = "dataset.columns leaves no input" if rules.columns is not None else "no other column"
        raise DataError(f"{sheet.path} has the target {listed(sorted(taken))} and {what}; expected one or more inputs.")
    target = answers.y if answers.y.ndim == 1 and not answers.gone.any() else None
    return understand(sheet, names, rules.columns, rules.encode, rules.words, target)


def _raw(sheet: Sheet, encoding: Encoding, missing: Missing) -> Array:
    """The raw inputs (n, columns); DataError where a cell cannot be used, or is missing and may not be."""
    raw, problems = encoding.read(sheet.columns)
    if missing == "refuse" and not problems and np.isnan(raw).any():
        row = int(np.argmax(np.isnan(raw).any(axis=1)))
        lacking = [encoding.columns[place].name for place in np.flatnonzero(np.isnan(raw).any(axis=0)).tolist()]
        first: Column = encoding.columns[int(np.argmax(np.isnan(raw[row])))]
        many = f"so it is in {int(np.isnan(raw).any(axis=1).sum())} rows, in {listed(lacking)}"
        raise DataError(
            f"{sheet.path}, {sheet.place(row)}, column '{first.name}': the value is missing; expected a finite number "
            f"({many}). dataset.missing=auto fills in the median and marks the place; dataset.missing=drop leaves such "
            "rows out."
        )
    if problems:
        cell = problems[0]
        raise DataError(f"{sheet.path}, {sheet.place(cell.row)}, column '{cell.column}': {cell.said}.")
    return raw


def _group_of(sheet: Sheet, name: str) -> NDArray[np.int64]:
    """The group of each row (n,), numbered in the order of the values."""
    labels, gone = target_of(sheet, name, MISSING_WORDS)
    if gone.any():
        row = int(np.argmax(gone))
        raise DataError(
            f"{sheet.path}, {sheet.place(row)}, column '{name}' is missing; expected a group of dataset.group."
        )
    return labels.codes


def _test_rows(
    sheet: Sheet, train: Sheet, names: Sequence[str], rules: Rules, encoding: Encoding, classes: Classes | None
) -> Rows:
    """The test rows: their columns found by name, their labels among those of the training rows."""
    for name in names:
        if name not in sheet.names:
            raise DataError(
                f"dataset.test_path={sheet.path} has no column '{name}', the target{nearest(name, sheet.names)}: "
                "nothing can be tested on it. Train without it, and have its rows answered: "
                f"python -m runner.predict RUN --data {sheet.path}"
            )
    for name in (column.name for column in encoding.columns):
        if name not in sheet.names:
            raise DataError(f"{sheet.path} has no column '{name}', which {train.path} has{nearest(name, sheet.names)}.")
    raw = _raw(sheet, encoding, rules.missing)
    _refuse_or_drop(sheet, names, rules.of_target, rules.missing)
    y, gone = _test_answers(sheet, names, rules.of_target, classes)
    kept = ~gone & (~np.isnan(raw).any(axis=1) if rules.missing == "drop" else True)
    if not kept.any():
        raise DataError(f"{sheet.path} has no row to test on; expected one or more.")
    return Rows(raw[kept], y[kept])


def _test_answers(
    sheet: Sheet, names: Sequence[str], words: tuple[str, ...] | None, classes: Classes | None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The targets of the test rows, in the classes of the training rows; and which have none."""
    if len(names) > 1:
        Y, gone = several(sheet, names, words)
        return (Y if classes is None else Y.argmax(axis=1).astype(np.int64)), gone
    labels, gone = target_of(sheet, names[0], words)
    held = labels._replace(codes=labels.codes[~gone])
    known = np.flatnonzero(~gone)
    y = np.zeros(sheet.rows, dtype=np.float64 if classes is None else np.int64)
    if classes and isinstance(classes[0], str) and held.distinct.dtype.kind == "f":
        held = held._replace(distinct=np.array([_spelled(sheet, names[0], v) for v in held.distinct.tolist()]))
    y[~gone] = encode_as(
        held, classes, lambda row: f"column '{names[0]}' in {sheet.place(int(known[row]))} of {sheet.path}"
    )
    return y, gone


def _spelled(sheet: Sheet, name: str, number: float) -> str:
    """A label of numbers as the file spells it: the training rows' are text."""
    for value in coded_of(sheet.columns[name]).values:
        try:
            if float(value) == number:
                return str(value).strip()
        except (TypeError, ValueError):
            continue
    return f"{number:g}"
