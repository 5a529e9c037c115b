"""The user's own table of text, with a header."""

import csv as comma_separated
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from datasets.files import arrow
from datasets.files.tables import MOST_CLASSES, Labels, Task, encode, encode_as, existing, listed, nearest
from datasets.types import Array, DataError, Dataset, Rows


def csv(
    path: str,
    target: str,
    task: Task = "auto",
    delimiter: str | None = None,
    test_path: str | None = None,
) -> Dataset:
    """Rows from a table of text whose first line names the columns; all but the target are inputs.

    Every input is a finite number: nothing is filled in, dropped or turned into codes. NumPy's C parser reads
    the file, or Arrow's where it is large; only where that fails does Python read it again, to say in which line and
    column.

    Arguments:
        path: the file, in UTF-8.
        target: name of the column to predict: numbers or text.
        task: auto takes text, and integers of at most 20 distinct values, for classes.
        delimiter: one character, or "tab"; None takes the one of comma, semicolon and tab that the header
            has most of.
        test_path: a second table with the same columns, in any order, for the test rows.

    Returns X (n, d) in the units of the file, its columns in the order of the header; y, indices into the
    sorted labels or regression targets.
    Raises DataError where a file, a line or a value cannot be used.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/own.csv"
    >>> _ = Path(path).write_text("height;weight;pet\\n30;4.5;cat\\n60;25;dog\\n")
    >>> csv(path, target="pet").classes
    ('cat', 'dog')
    """
    table = _read(existing(path), target, delimiter)
    if len(table.X) < 2:
        raise DataError(f"{path} has one row below its header; expected two or more.")
    if task != "classification":
        _refuse_stray_text(table, task)
    y, classes = encode(table.labels, task, f"column '{target}' of {path}")
    test = None
    if test_path is not None:
        test_table = _read(existing(test_path), target, delimiter)
        order = _matching_columns(test_table, table)
        y_test = encode_as(
            test_table.labels,
            classes,
            lambda row: f"column '{target}' in line {_line_of(row, test_table)} of {test_path}",
        )
        test = Rows(test_table.X[:, order], y_test)
    return Dataset(
        "csv",
        Rows(table.X, y),
        test,
        classes=classes,
        inputs=table.layout.inputs,
        source=str(table.layout.path),
    )


class Layout(NamedTuple):
    path: Path
    delimiter: str
    names: tuple[str, ...]
    target: int  # index into names; -1: there is none
    header_lines: int  # up to and including the header

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.names[: self.target] + self.names[self.target + 1 :]


class _Table(NamedTuple):
    layout: Layout
    X: Array
    labels: Labels


def _read(path: Path, target: str, delimiter: str | None) -> _Table:
    layout = _layout(path, target, delimiter)
    cells = None
    if path.stat().st_size >= arrow.LARGE:
        cells = arrow.read(path, layout.names, layout.target, layout.delimiter, layout.header_lines)
    X, texts, codes = cells or _cells(layout)
    texts = [text.strip() for text in texts]
    if any("\n" in text for text in texts):
        # A quote that is never closed would swallow every row below it: the strict reader refuses that.
        for _ in _rows(layout):
            pass
    if not np.isfinite(X).all() or any(_is_missing(text) for text in texts):
        _explain(layout, "a value is missing or not finite")
    return _Table(layout, X, _labels(texts, codes))


def _cells(layout: Layout) -> arrow.Cells:
    """The rows below the header, by NumPy's parser; or DataError that names the line and the column."""
    seen: dict[str, int] = {}  # text of a label -> its number, in the order of appearance
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "input contained no data" is said below
            cells = np.loadtxt(
                layout.path,
                delimiter=layout.delimiter,
                skiprows=layout.header_lines,
                converters={layout.target: lambda text: seen.setdefault(text, len(seen))},
                comments=None,
                quotechar='"',
                encoding="utf-8-sig",
                ndmin=2,
            )
    except (ValueError, UnicodeDecodeError) as error:
        _explain(layout, str(error))
    if cells.size == 0:
        raise DataError(f"{layout.path} is empty below its header; expected two or more rows.")
    if cells.shape[1] != len(layout.names):
        _explain(layout, f"it has {cells.shape[1]} columns")
    codes = cells[:, layout.target].astype(np.int64)
    return arrow.Cells(np.delete(cells, layout.target, axis=1), list(seen), codes)


def header_of(path: Path, delimiter: str | None) -> Layout:
    """The header of a table, taken apart; whatever its columns are called."""
    delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter)
    if delimiter is not None and (len(delimiter) != 1 or delimiter.isalnum() or delimiter in '"\r\n.+-'):
        raise DataError(f"dataset.delimiter={delimiter!r} cannot part columns; expected one character, or tab.")
    if delimiter is None:
        with _text_of(path) as file:
            header = next((line for line in file if line.strip()), "")
        delimiter = max(",;\t", key=lambda mark: len(next(comma_separated.reader([header], delimiter=mark), [])))
    with _text_of(path) as file:
        reader = comma_separated.reader(file, delimiter=delimiter)
        names = tuple(name.strip() for name in next((row for row in reader if row), []))
        header_lines = reader.line_num
    _check_header(path, names)
    return Layout(path, delimiter, names, -1, header_lines)


def numbers_of(layout: Layout, columns: Sequence[int]) -> Array:
    """These columns of a table (n, columns), whatever is in the target's; or DataError naming line and column."""
    # A quote that is never closed swallows the rows below it: what is not finite is looked at again.
    ignored: dict[int | str, Callable[[str], float]] = {}
    if layout.target >= 0:
        ignored[layout.target] = lambda text: np.nan if "\n" in text else 0.0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "input contained no data" is said below
            cells = np.loadtxt(
                layout.path,
                delimiter=layout.delimiter,
                skiprows=layout.header_lines,
                converters=ignored or None,
                comments=None,
                quotechar='"',
                encoding="utf-8-sig",
                ndmin=2,
            )
    except (ValueError, UnicodeDecodeError) as error:
        _explain(layout, str(error), columns)
    if cells.size == 0:
        raise DataError(f"{layout.path} is empty below its header; expected one or more rows.")
    if cells.shape[1] != len(layout.names) or not np.isfinite(cells).all():
        _explain(layout, "a value is missing or not finite", columns)
    return cells[:, columns]


def _layout(path: Path, target: str, delimiter: str | None) -> Layout:
    """The header, with the target in it."""
    found = header_of(path, delimiter)
    names = found.names
    if target not in names:
        raise DataError(f"dataset.target={target} is no column of {path}: {listed(names)}{nearest(target, names)}.")
    if len(names) < 2:
        raise DataError(f"{path} has the target '{target}' and no other column; expected one or more inputs.")
    return found._replace(target=names.index(target))


def _check_header(path: Path, names: tuple[str, ...]) -> None:
    if not names:
        raise DataError(f"{path} is empty; expected a line with the names of the columns, and rows below.")
    if all(_number(name) is not None for name in names):
        raise DataError(
            f"{path} starts with the numbers {listed(names)}; expected a line with the names of the columns."
        )
    if "" in names:
        raise DataError(
            f"{path}: column {names.index('') + 1} has no name in the header; expected one for every column."
        )
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise DataError(f"{path}: the header has '{twice[0]}' {names.count(twice[0])} times; expected different names.")


def _labels(texts: list[str], codes: np.ndarray) -> Labels:
    numbers = [_number(text) for text in texts]
    values = np.array(texts if None in numbers else numbers)
    distinct, index = np.unique(values, return_inverse=True)  # "1" and "1.0" become one
    return Labels(distinct, index.astype(np.int64)[codes])


def _refuse_stray_text(table: _Table, task: Task) -> None:
    """A word in a column of amounts is a mistake in the file, and must not make a class of every amount."""
    distinct, codes = table.labels
    if distinct.dtype.kind != "U":
        return
    text = np.array([_number(label) is None for label in distinct.tolist()])
    if task == "regression" or (~text).sum() > MOST_CLASSES:
        row = int(np.argmax(text[codes]))
        name = table.layout.names[table.layout.target]
        raise DataError(
            f"{table.layout.path}, line {_line_of(row, table)}, column '{name}' is '{distinct[codes[row]]}'; "
            f"expected a number (or dataset.task=classification)."
        )


def _matching_columns(test: _Table, train: _Table) -> list[int]:
    """For every input of train the column of test.X that holds it."""
    for name in train.layout.inputs:
        if name not in test.layout.inputs:
            raise DataError(
                f"{test.layout.path} has no column '{name}', which {train.layout.path} has"
                f"{nearest(name, test.layout.inputs)}."
            )
    for name in test.layout.inputs:
        if name not in train.layout.inputs:
            raise DataError(f"{test.layout.path} has a column '{name}', which {train.layout.path} has not.")
    return [test.layout.inputs.index(name) for name in train.layout.inputs]


def _number(text: str) -> float | None:
    """The number, as NumPy's parser would read it: it knows no 1_000, and no digits but 0 to 9."""
    if "_" in text or not text.isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _is_missing(label: str) -> bool:
    number = _number(label)
    return not label or (number is not None and not isfinite(number))


def _explain(layout: Layout, reason: str, columns: Sequence[int] | None = None) -> NoReturn:
    """Read again, slowly, and raise DataError for the first line that cannot be used; `columns` None: all matter."""
    for line, row in _rows(layout):
        if len(row) != len(layout.names):
            raise DataError(
                f"{layout.path}, line {line}: it has {len(row)} values; "
                f"expected {len(layout.names)}, one for each column of the header."
            )
        for column, text in enumerate(row):
            if columns is not None and column not in columns:
                continue
            where = f"{layout.path}, line {line}, column '{layout.names[column]}'"
            number = _number(text)
            if not text.strip():
                raise DataError(f"{where}: the value is missing; expected {_expected(layout, column)}.")
            if (number is None and column != layout.target) or (number is not None and not isfinite(number)):
                raise DataError(f"{where} is '{text}'; expected {_expected(layout, column)}.")
    raise DataError(f"{layout.path} cannot be read as a table of numbers: {reason}.")


def _expected(layout: Layout, column: int) -> str:
    return "a label or a finite number" if column == layout.target else "a finite number"


def _line_of(row: int, table: _Table) -> int:
    return next(line for index, (line, _) in enumerate(_rows(table.layout)) if index == row)


def _rows(layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """The rows below the header, each with the number of the line where it starts; empty lines left out."""
    with _text_of(layout.path) as file:
        reader = comma_separated.reader(file, delimiter=layout.delimiter, strict=True)
        line = 1
        try:
            for row in reader:
                if row and line > layout.header_lines:
                    yield line, row
                line = reader.line_num + 1
        except comma_separated.Error as error:
            raise DataError(f"{layout.path}, line {line}: a quote is out of place ({error}); expected pairs.") from None


@contextmanager
def _text_of(path: Path) -> Iterator[Iterator[str]]:
    """The open file; DataError where it turns out, at any line, to be no text."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not text in UTF-8 ({error}); expected a table such as a spreadsheet exports."
        ) from None
    except comma_separated.Error as error:
        raise DataError(f"{path} is no table of text ({error}); expected rows of values with a delimiter.") from None
