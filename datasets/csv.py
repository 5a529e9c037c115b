"""The user's own table: text of any dialect, Excel, parquet, feather, JSON and more."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.encoding import MISSING_WORDS, Column, Encoding, coded_of, number_of
from datasets.files.formats import read_sheet
from datasets.files.sheet import Decimal, Format, Header, Sheet
from datasets.files.tables import Classes, Task, encode_as, existing, listed, nearest
from datasets.files.tables import encode as encoded
from datasets.files.targets import one_hot, refuse_missing, refuse_stray_text, refuse_too_many, several, target_of
from datasets.files.understand import Encode, Understood, chosen, matching, understand
from datasets.types import Array, DataError, Dataset, Missing, Rows

TargetName = str | int | list[str | int]


def csv(
    path: str,
    target: TargetName,
    task: Task = "auto",
    delimiter: str | None = None,
    test_path: str | None = None,
    columns: list[str | int] | None = None,
    header: Header = True,
    encoding: str = "auto",
    decimal: Decimal = ".",
    na: Literal["auto"] | list[str | int | float] | None = None,
    missing: Missing = "refuse",
    encode: Encode = "none",
    group: str | int | None = None,
) -> Dataset:
    """Rows from a table: text with any mark between the columns, also packed; parquet, feather, JSON, Excel, ARFF.

    What the file is, is seen from its content. The defaults here are how runs of before read it, so that they replay;
    the configuration's are `auto`.

    Arguments:
        path: the file.
        target: the column to predict, by name, or by position from 0 (negative from the end); a list of several
            takes each as an output of a regression, and columns of 0 and 1 with a single 1 a row as classes.
        task: auto takes text, and whole numbers of at most 20 distinct values, for classes.
        delimiter: one character, or tab or space; auto finds it; None takes the one of comma, semicolon and tab that
            the header has most of.
        test_path: a second table with the same columns, in any order, for the test rows.
        columns: the inputs: names, positions, patterns such as pixel*, and !name to leave out; None takes all.
        header: whether the first line names the columns; auto looks whether it looks like data.
        encoding: of a text: auto is UTF-8, UTF-16 by its mark, else as Windows wrote it.
        decimal: the mark before the fractions; auto sees it.
        na: words that stand for no value; auto takes the usual ones, None only empty cells and nan.
        missing: refuse names the place of a missing value; drop leaves such rows out; all else keeps them, and
            `prepare` fills them in.
        encode: auto makes numbers of labels, dates and yes/no, and leaves out what names rows; none takes numbers only.
        group: a column that says which rows belong together (dataset.split=group), and is no input.

    Returns raw X (n, columns), NaN where a value is missing, in the order of the file; y, indices into the sorted
    labels or regression targets; and the `encoding` that `prepare` fits.
    Raises DataError where a file, a line or a value cannot be used.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/own.csv"
    >>> _ = Path(path).write_text("height;weight;pet\\n30;4.5;cat\\n60;25;dog\\n")
    >>> csv(path, target="pet").classes
    ('cat', 'dog')
    """
    words = words_of(na)
    asked = Format(delimiter, header, encoding, decimal, words)
    targets = target if isinstance(target, list) else [target]
    together = [] if group is None else [group]
    sheet = read_sheet(existing(path), asked, [*targets, *together])
    names = [_learned_name(sheet, name) for name in targets]
    answers = _answers(sheet, names, na, task, missing)
    taken = {*names, *(_column(sheet, name, "dataset.group") for name in together)}
    found = _inputs(sheet, taken, columns, encode, words, answers)
    raw = _raw(sheet, found.encoding, missing)
    kept = ~answers.gone & (~np.isnan(raw).any(axis=1) if missing == "drop" else True)
    if kept.sum() < 2:
        dropped = f" of {sheet.rows} is left by dataset.missing=drop" if sheet.rows > 1 else " below its header"
        raise DataError(f"{path} has {'one row' if kept.sum() else 'no row'}{dropped}; expected two or more.")
    notes = [*sheet.notes, *found.odd]
    if not kept.all():
        notes.append(f"{int((~kept).sum())} of {sheet.rows} rows lack a value and are left out (dataset.missing=drop).")
    groups = None if group is None else _group_of(sheet, _column(sheet, group, "dataset.group"))[kept]
    test = None
    if test_path is not None:
        tested = read_sheet(existing(test_path), asked, [*targets, *together])
        test = _test_rows(tested, sheet, names, na, found.encoding, answers.classes, missing)
    return Dataset(
        "csv",
        Rows(raw[kept], answers.y[kept]),
        test,
        classes=answers.classes,
        inputs=tuple(column.name for column in found.encoding.columns),
        source=str(sheet.path),
        encoding=found.encoding,
        missing=missing,
        lacking=found.missing,
        notes=tuple(notes),
        groups=groups,
        learned=tuple(names),
        outputs=tuple(names) if answers.y.ndim == 2 else (),
    )


def words_of(na: Any) -> tuple[str, ...]:
    """The words that stand for no value, in small letters."""
    if na is None:
        return ("nan",)
    return MISSING_WORDS if na == "auto" else tuple(str(word).strip().lower() for word in na)


class _Answers(NamedTuple):
    """`y` (n,) or (n, outputs), the classes, and the rows (n,) that have no target."""

    y: NDArray[Any]
    classes: Classes | None
    gone: NDArray[np.bool_]


def _answers(sheet: Sheet, names: Sequence[str], na: Any, task: Task, missing: Missing) -> _Answers:
    words = None if na is None else words_of(na)
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
        refuse_stray_text(sheet, names[0], labels, task)
    if words is not None:
        refuse_too_many(sheet, names[0], held, task)
    y, classes = encoded(held, task, f"column '{names[0]}' of {sheet.path}", usual=words is not None)
    whole = np.zeros(sheet.rows, dtype=y.dtype)
    whole[~gone] = y
    return _Answers(whole, classes, gone)


def _refuse_or_drop(sheet: Sheet, names: Sequence[str], words: tuple[str, ...] | None, missing: Missing) -> None:
    if missing != "drop":
        for name in names:
            refuse_missing(sheet, name, target_of(sheet, name, words).gone)


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


def _inputs(
    sheet: Sheet,
    taken: set[str],
    columns: Sequence[str | int] | None,
    encode: Encode,
    words: tuple[str, ...],
    answers: _Answers,
) -> Understood:
    names = [name for name in chosen(sheet.names, columns, str(sheet.path)) if name not in taken]
    if not names:
        what = "dataset.columns leaves no input" if columns is not None else "no other column"
        raise DataError(f"{sheet.path} has the target {listed(sorted(taken))} and {what}; expected one or more inputs.")
    named = columns is not None and any(
        not str(pattern).startswith("!") and "*" not in str(pattern) for pattern in columns
    )
    target = answers.y if answers.y.ndim == 1 and not answers.gone.any() else None
    return understand(sheet, names, named, encode, words, target)


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
    sheet: Sheet,
    train: Sheet,
    names: Sequence[str],
    na: Any,
    encoding: Encoding,
    classes: Classes | None,
    missing: Missing,
) -> Rows:
    """The test rows: their columns found by name, their labels among those of the training rows."""
    inputs = [column.name for column in encoding.columns]
    for name in names:
        if name not in sheet.names:
            raise DataError(
                f"dataset.test_path={sheet.path} has no column '{name}', the target{nearest(name, sheet.names)}: "
                "nothing can be tested on it. Train without it, and have its rows answered: "
                f"python -m runner.predict RUN --data {sheet.path}"
            )
    for name in inputs:
        if name not in sheet.names:
            raise DataError(f"{sheet.path} has no column '{name}', which {train.path} has{nearest(name, sheet.names)}.")
    raw = _raw(sheet, encoding, missing)
    words = None if na is None else words_of(na)
    _refuse_or_drop(sheet, names, words, missing)
    if len(names) > 1:
        Y, gone = several(sheet, names, words)
        y: NDArray[Any] = Y if classes is None else Y.argmax(axis=1).astype(np.int64)
    else:
        labels, gone = target_of(sheet, names[0], words)
        held = labels._replace(codes=labels.codes[~gone])
        known = np.flatnonzero(~gone)
        y = np.zeros(sheet.rows, dtype=np.float64 if classes is None else np.int64)
        if classes and isinstance(classes[0], str) and held.distinct.dtype.kind == "f":
            held = held._replace(distinct=np.array([_spelled(sheet, names[0], v) for v in held.distinct.tolist()]))
        y[~gone] = encode_as(
            held, classes, lambda row: f"column '{names[0]}' in {sheet.place(int(known[row]))} of {sheet.path}"
        )
    kept = ~gone & (~np.isnan(raw).any(axis=1) if missing == "drop" else True)
    if not kept.any():
        raise DataError(f"{sheet.path} has no row to test on; expected one or more.")
    return Rows(raw[kept], y[kept])


def _spelled(sheet: Sheet, name: str, number: float) -> str:
    """A label of numbers as the file spells it: the training rows' are text."""
    for value in coded_of(sheet.columns[name]).values:
        try:
            if float(value) == number:
                return str(value).strip()
        except (TypeError, ValueError):
            continue
    return f"{number:g}"
