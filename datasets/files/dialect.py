"""How a table of text is written: what parts its columns, whether it has a header, what marks the fractions."""

import csv as comma_separated
import io
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from datasets.encoding import days_of, is_missing, number_of
from datasets.files.sheet import Format
from datasets.types import DataError

comma_separated.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a header of 20,000 genes is one field to a wrong guess
LOOKED_AT = 200  # rows that a guess is made from
SPACES = " "


class Line(NamedTuple):
    """A row of cells, and the number of the line where it starts."""

    number: int
    cells: list[str]


class Dialect(NamedTuple):
    """`skip` lines stand before the rows; `comment` begins a line that is none; `names` are those of the header."""

    delimiter: str
    skip: int
    names: tuple[str, ...] | None
    first: tuple[str, ...]
    decimal: str
    comment: str = ""


def lines_of(text: str, delimiter: str, path: Path, comment: str = "") -> Iterator[Line]:
    """The rows, quotes undone and spaces around cells gone, empty lines left out. DataError where a quote is open."""
    source = io.StringIO(text, newline="") if delimiter != SPACES else _spaced(text)
    reader = comma_separated.reader(source, delimiter=delimiter, strict=True, skipinitialspace=True)
    start = 1
    try:
        for row in reader:
            if row and not (comment and row[0].startswith(comment)):
                cells = [cell.strip() for cell in row]
                if len(cells) > 1 or cells[0]:
                    yield Line(start, cells)
            start = reader.line_num + 1
    except comma_separated.Error as error:
        raise DataError(f"{path}, line {start}: a quote is out of place ({error}); expected pairs.") from None


def _spaced(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield line.strip().replace("\t", SPACES) + "\n"


def dialect_of(text: str, asked: Format, path: Path, notes: list[str]) -> Dialect:
    """What the first rows say, where `asked` does not."""
    delimiter = {"tab": "\t", "\\t": "\t", "space": " "}.get(asked.delimiter or "", asked.delimiter)
    if delimiter not in (None, "auto") and (len(delimiter) != 1 or delimiter.isalnum() or delimiter in '"\r\n.+-'):
        raise DataError(
            f"dataset.delimiter={delimiter!r} cannot part columns; expected one character, or tab, space or auto."
        )
    head = text[: end_of(text, LOOKED_AT)]
    lines = head.splitlines()
    skip, comment = 0, ""
    while skip < len(lines) and not lines[skip].strip():
        skip += 1
    if skip < len(lines) and (
        said := re.fullmatch(r'"?sep=(.|\\t)"?[;,\t]*', lines[skip].strip("\ufeff").rstrip("\r"))
    ):
        delimiter = said[1] if delimiter in (None, "auto") else delimiter
        skip += 1
    remarks = skip
    while remarks < len(lines) and (lines[remarks].startswith(("#", "%")) or not lines[remarks].strip()):
        remarks += 1
    if remarks < len(lines) and any(line.startswith(("#", "%")) for line in lines[skip:remarks]):
        comment = next(line[0] for line in lines[skip:remarks] if line.strip())
    body = lines[remarks:] if comment else lines[skip:]
    if delimiter is None:
        first = next((line for line in body if line.strip()), "")
        delimiter = max(",;\t", key=lambda mark: len(next(comma_separated.reader([first], delimiter=mark), [])))
    elif delimiter == "auto":
        delimiter = _delimiter(body)
    skip = remarks if comment else skip
    rows = []
    try:
        for line in lines_of("\n".join(body), delimiter, path, comment):
            rows.append(line.cells)
    except DataError:
        pass  # a quote in the head that closes below it; or never, which the reader says
    names = _commented_names(lines[:remarks], comment, delimiter, rows)
    decimal = _decimal(rows, delimiter) if asked.decimal == "auto" else asked.decimal
    if names is None and rows:
        has_header = looks_named(rows, decimal) if asked.header == "auto" else asked.header
        if asked.header == "auto" and not has_header:
            shown = ", ".join(f"'{cell}'" for cell in rows[0][:4])
            notes.append(
                f"{path} has no header: its first line, {shown}{', ...' if len(rows[0]) > 4 else ''}, looks like data; "
                "the columns are called by their positions, from 0 (dataset.header=true takes it for names)."
            )
        names = tuple(rows[0]) if has_header else None
    return Dialect(delimiter, skip, names, tuple(rows[0]) if rows else (), decimal, comment)


def end_of(text: str, lines: int) -> int:
    """Where the first `lines` lines end."""
    end = 0
    for _ in range(lines):
        found = text.find("\n", end)
        if found < 0:
            return len(text)
        end = found + 1
    return end


def _delimiter(lines: Sequence[str]) -> str:
    """The mark that parts the rows into as many cells each; semicolon, tab and bar before the comma of decimals."""
    rows = [line for line in lines if line.strip()]
    best, found = (0.0, 0, 0), ","
    for rank, mark in enumerate(("\t", ";", "|", ",")):
        counts = Counter(len(row) for row in _parted(rows, mark))
        if not counts:
            continue
        width, times = max(counts.items(), key=lambda item: (item[1], item[0]))
        share = times / sum(counts.values())
        score = (round(share, 1) if width > 1 else 0.0, 1 if width > 1 else 0, -rank)
        if width > 1 and score > best:
            best, found = score, mark
    if best[0] >= 0.8:
        return found
    spaced = Counter(len(line.split()) for line in rows)
    if spaced:
        width, times = spaced.most_common(1)[0]
        if width > 1 and times / sum(spaced.values()) >= 0.9:
            return SPACES
    return found


def _parted(rows: Sequence[str], mark: str) -> list[list[str]]:
    try:
        return [row for row in comma_separated.reader(rows, delimiter=mark, skipinitialspace=True) if row]
    except comma_separated.Error:
        return []


def _commented_names(
    lines: Sequence[str], comment: str, delimiter: str, rows: Sequence[Sequence[str]]
) -> tuple[str, ...] | None:
    """The header that numpy.savetxt writes behind its mark of a comment."""
    if not comment or not rows or any(number_of(cell) is None for cell in rows[0][:-1]):
        return None
    for line in reversed(lines):
        if line.startswith(comment):
            cells = next(iter(_parted([line.lstrip(comment).strip()], delimiter)), [])
            named = len(cells) == len(rows[0]) and all(cell.strip() and number_of(cell) is None for cell in cells)
            return tuple(cell.strip() for cell in cells) if named else None
    return None


def _decimal(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    """A comma, where the numbers below the first row have commas that cannot part thousands, and no points."""
    if delimiter == ",":
        cells = [cell for row in rows[1:] for cell in row if "," in cell]
        numbers = [cell for cell in cells if re.fullmatch(r"[+-]?\d+,\d+", cell)]
        return "," if numbers and any(len(cell.split(",")[1]) != 3 for cell in numbers) else "."
    commas = points = 0
    for row in rows[1:] or rows:
        for cell in row:
            commas += bool(re.fullmatch(r"[+-]?(\d{1,3}(\.\d{3})+|\d*),\d+([eE][+-]?\d+)?", cell))
            points += bool(re.fullmatch(r"[+-]?(\d{1,3}(,\d{3})+|\d*)\.\d+([eE][+-]?\d+)?", cell))
    return "," if commas > points else "."


def looks_named(rows: Sequence[Sequence[str]], decimal: str) -> bool:
    """Whether the first row names the columns: there are words above numbers, or words that stand nowhere below.

    >>> looks_named([["a", "b"], ["1", "x"]], "."), looks_named([["5.1", "rose"], ["4.9", "iris"]], ".")
    (True, False)
    """
    first, below = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])] or rows[1:]
    numbers = [number_of(cell, decimal) for cell in first]
    amounts = [number for number in numbers if number is not None and number == number]
    if not below:
        return not amounts
    for place, cell in enumerate(first):
        column = [row[place] for row in below if place < len(row) and not is_missing(row[place])]
        if not is_missing(cell) and numbers[place] is None and column and days_of(cell, "ymd") is None:
            typed = sum(number_of(other, decimal) is not None or days_of(other, "ymd") is not None for other in column)
            if typed > 0.8 * len(column):
                return True
    if amounts:  # numbers above numbers: 0, 1, 2 ... are the names that pandas gives; others are data
        return (
            len(amounts) > 2
            and amounts in ([*range(len(amounts))], [*range(1, len(amounts) + 1)])
            and len(amounts) >= len(first) - 1
        )
    if len(set(first)) < len(first) and sum(not cell for cell in first) < 2:
        return False
    repeated = sum(any(place < len(row) and row[place] == cell for row in below) for place, cell in enumerate(first))
    return repeated <= len(first) / 2
