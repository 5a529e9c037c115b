"""A table as it was read: columns of cells by their names, and where each row stood."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from datasets.encoding import MISSING_WORDS, is_missing
from datasets.types import DataError

Decimal = Literal["auto", ".", ","]
Header = bool | Literal["auto"]


@dataclass(frozen=True)
class Format:
    """How a file is to be read; what is `auto` is found in the file. `usual` is how a run of before read it."""

    delimiter: str | None = "auto"
    header: Header = "auto"
    encoding: str = "auto"
    decimal: Decimal = "auto"
    missing: tuple[str, ...] = MISSING_WORDS


@dataclass(frozen=True)
class Sheet:
    """`columns` by name: texts, numbers (n,) with NaN where there is none, or cells that stand once each.

    `lines` are the numbers of the rows' lines in the file, where it has lines, or what finds them; `notes` what was
    found in the file that the user should know; `index` the columns that only number the rows, each with why; `header`
    whether the first line named the columns.
    """

    path: Path
    columns: Mapping[str, Any]
    rows: int
    lines: Sequence[int] | Callable[[int], int] | None = None
    notes: tuple[str, ...] = ()
    index: Mapping[str, str] = field(default_factory=dict)
    header: bool = True
    first: tuple[str, ...] = ()  # the cells of the first line, where it is taken for data
    decimal: str = "."

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.columns)

    def place(self, row: int) -> str:
        """Where row `row` (from 0) stands in the file."""
        if self.lines is None:
            return f"row {row} (counted from 0)"
        return f"line {self.lines(row) if callable(self.lines) else self.lines[row]}"


def named(path: Path, names: Sequence[str], notes: list[str]) -> list[str]:
    """The names of the columns, all different: of one that stands twice the second is called x.1, as pandas does."""
    found: dict[str, None] = {}
    for name in names:
        new, number = name, 0
        while new in found:
            number += 1
            new = f"{name}.{number}"
        if new != name:
            notes.append(f"{path}: the header has '{name}' more than once; the next of them is called '{new}'.")
        found[new] = None
    return list(found)


def words_of(na: Any) -> tuple[str, ...]:
    """The words that stand for no value, in small letters: `auto`, also in a list, are the usual ones; !word is none.

    >>> words_of([-999, "Unknown"]), words_of(["auto", -999]) == (*MISSING_WORDS, "-999"), "na" in words_of(["!NA"])
    (('-999', 'unknown'), True, False)
    """
    said = [str(each).strip().lower() for each in ([na] if isinstance(na, str) else na)]
    found = [word for each in said for word in (MISSING_WORDS if each == "auto" else (each,)) if word[:1] != "!"]
    if said and all(each.startswith("!") for each in said):
        found = list(MISSING_WORDS)
    return tuple(word for word in found if f"!{word}" not in said)


def kept_as_text(names: Sequence[str], text: Collection[str | int]) -> set[int]:
    """The positions of the columns that are to stay as they are spelled, from their names or positions."""
    positions = {names.index(name) for name in text if isinstance(name, str) and name in names}
    for place in text:
        if isinstance(place, str) and place.lstrip("-").isdigit():
            place = int(place)
        if isinstance(place, int) and -len(names) <= place < len(names):
            positions.add(place % len(names))
    return positions


def refuse_none(path: Path, rows: int) -> None:
    if rows == 0:
        raise DataError(f"{path} has no rows; expected two or more.")


def numbers_of(cells: list[str], decimal: str, missing: tuple[str, ...]) -> Any:
    """The cells as numbers (n,), where all of them are written plainly or missing; else as they are."""
    joined = "".join(cells)
    if not joined.isascii() or "_" in joined or (decimal == "," and ("." in joined or "," in joined)):
        return cells
    try:
        return np.array(list(map(float, cells)))
    except ValueError:
        pass
    gone = [is_missing(cell, missing) for cell in cells]
    try:
        return np.array([float("nan") if lost else float(cell) for cell, lost in zip(cells, gone, strict=True)])
    except ValueError:
        return cells
