"""A table of text: small ones by Python's csv module, large ones by Arrow; both read the same numbers to the bit."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datasets.encoding import Coded, is_missing, number_of
from datasets.files.content import decoded
from datasets.files.dialect import LOOKED_AT, Dialect, Line, dialect_of, end_of, lines_of
from datasets.files.sheet import Format, Sheet, kept_as_text, named, numbers_of
from datasets.types import DataError

LARGE = 8_000_000  # bytes from which on Arrow's import is soon paid for
TALL = 2_000  # rows from which on its work on each column is


def read_text(path: Path, raw: bytes, asked: Format, text: Collection[str | int] = ()) -> Sheet:
    """The table in these bytes; the columns `text` (names or positions) stay as they are spelled.

    Raises DataError that names the line, where a row has not as many cells as the header.
    """
    notes: list[str] = []
    whole = decoded(raw, asked.encoding, path, notes)
    dialect = dialect_of(whole, asked, path, notes)
    rows = len(whole) / end_of(whole, dialect.skip + 1) if whole else 0  # about so many
    if len(raw) >= LARGE and rows >= TALL and not dialect.comment and dialect.delimiter != " ":
        from datasets.files import arrow

        found = arrow.read(whole, dialect, asked, text)
        if found is not None:
            names, columns, rows = found
            lines = _Finder(path, raw, asked)
            return _sheet(path, names, columns, rows, lines, notes, dialect)
    return _by_python(path, whole, dialect, asked, text, notes)


class _Finder:
    """Finds the line of a row by reading the text again: only where there is something to say."""

    def __init__(self, path: Path, raw: bytes, asked: Format):
        self.path, self.raw, self.asked = path, raw, asked

    def __call__(self, row: int) -> int:
        whole = decoded(self.raw, self.asked.encoding, self.path, [])
        lines = rows_of(whole, dialect_of(whole, self.asked, self.path, []), self.path)
        return next(line.number for number, line in enumerate(lines) if number == row)


def rows_of(whole: str, dialect: Dialect, path: Path) -> list[Line]:
    """The rows below the header."""
    rows, header = [], dialect.names is not None and dialect.names == dialect.first
    for line in lines_of(whole, dialect.delimiter, path, dialect.comment):
        if line.number <= dialect.skip:
            continue
        if header:
            header = False
            continue
        rows.append(line)
    return rows


def _by_python(
    path: Path, whole: str, dialect: Dialect, asked: Format, text: Collection[str | int], notes: list[str]
) -> Sheet:
    rows = rows_of(whole, dialect, path)
    if not dialect.first and not rows:
        raise DataError(f"{path} is empty; expected a line with the names of the columns, and rows below.")
    if not rows:
        raise DataError(f"{path} is empty below its header; expected rows.")
    names = list(dialect.names) if dialect.names is not None else [str(place) for place in range(len(rows[0].cells))]
    names = _widened(names, rows)
    for line in rows:
        if len(line.cells) != len(names):
            raise DataError(
                f"{path}, line {line.number}: it has {len(line.cells)} values; "
                f"expected {len(names)}, one for each column of the header."
            )
    columns: list[Any] = [list(column) for column in zip(*(line.cells for line in rows), strict=True)]
    lines = [line.number for line in rows]
    if dialect.names is not None and len(rows) > 2 and _units(columns, dialect.decimal):
        notes.append(f"{path}, line {lines[0]}, holds units and no values: left out.")
        columns, lines = [column[1:] for column in columns], lines[1:]
    kept = kept_as_text(names, text)
    columns = [
        column if place in kept else numbers_of(column, dialect.decimal, asked.missing)
        for place, column in enumerate(columns)
    ]
    return _sheet(path, names, columns, len(lines), lines, notes, dialect)


def _widened(names: list[str], rows: Sequence[Line]) -> list[str]:
    """The names, where all rows have one cell more than the header: the numbers of the rows, or an empty cell."""
    if all(len(line.cells) == len(names) + 1 for line in rows):
        empty = not any(line.cells[-1] for line in rows)
        return [*names, ""] if empty else ["", *names]
    if names and names[-1] == "" and all(len(line.cells) == len(names) - 1 for line in rows):
        return names[:-1]
    return names


def _units(columns: Sequence[Sequence[str]], decimal: str) -> bool:
    """Whether the first row below the header says units: words above columns that are numbers otherwise."""
    numeric = []
    for column in columns:
        below = (cell for cell in column[1 : LOOKED_AT + 1] if not is_missing(cell))
        first = next(below, None)
        if (
            first is None
            or number_of(first, decimal) is None
            or any(number_of(cell, decimal) is None for cell in below)
        ):
            continue
        if number_of(column[0], decimal) is not None:
            return False
        numeric.append(column[0])
    words = [cell for cell in numeric if not is_missing(cell)]
    return bool(words) and len(words) >= len(numeric) / 2


def _sheet(
    path: Path,
    names: Sequence[str],
    columns: Sequence[Any],
    rows: int,
    lines: Sequence[int] | Callable[[int], int],
    notes: list[str],
    dialect: Dialect,
) -> Sheet:
    """The sheet, with the columns that have no name of their own: numbers of rows, or nothing at all."""
    names, index = list(names), {}
    keep = list(range(len(names)))
    for place, name in enumerate(names):
        if name:
            continue
        if is_blank(columns[place]):
            keep.remove(place)
            notes.append(f"{path}: column {place + 1} has no name and no values: left out.")
        else:
            names[place] = "(row)" if place == 0 else f"column {place + 1}"
            if place == 0:
                index[names[place]] = "it has no name and numbers the rows"
    header = dialect.names is not None
    names = named(path, [names[place] for place in keep], notes)
    found = dict(zip(names, (columns[place] for place in keep), strict=True))
    return Sheet(
        path, found, rows, lines, tuple(notes), index, header, () if header else dialect.first, dialect.decimal
    )


def is_blank(column: Any) -> bool:
    """Whether no cell of a column has anything in it."""
    if isinstance(column, np.ndarray):
        return bool(np.isnan(column).all())
    return not any(column.values) if isinstance(column, Coded) else not any(column)
