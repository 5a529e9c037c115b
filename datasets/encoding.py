"""What the columns of a table are, and the numbers that they become: fitted once on training rows, the same ever after.

A table goes through three stages, and prediction and serving go through the same two last ones:

    Encoding            each column's kind: number, boolean, date or category; what a missing value becomes
    raw (n, columns)    one number a column: a category is the number of its label, NaN is a missing value
    X (n, d)            what the network sees: a category is one column of 0 and 1 for each label

An encoding is plain data and is kept as JSON with its run. This file needs NumPy and nothing of the project: a copy of
it lies beside every model, and the model reads the rows that it is sent by that copy.
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Kind = Literal["number", "boolean", "date", "category"]
Order = Literal["", "ymd", "dmy", "mdy"]

# The words that people write where there is no value; capitals do not matter.
MISSING_WORDS = (
    *("", "na", "n/a", "n.a.", "nan", "-nan", "nat", "null", "none", "nil", "?", "-", "--", "---", ".", "..", "..."),
    *("<na>", "#n/a", "#na", "#null!", "#value!", "#ref!", "#name?", "#num!", "#div/0!", "(null)", "(blank)", "\\n"),
    *("-1.#ind", "1.#ind", "-1.#qnan", "1.#qnan", "missing", "—", "–"),
)
TRUTHS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "t": 1.0, "f": 0.0, "y": 1.0, "n": 0.0}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
BLOCK = 2048  # rows
UNSEEN = -1.0  # the raw number of a label that the training rows do not have
GROUPED = {  # numbers with marks between the thousands, by their decimal mark
    ".": re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?|[+-]?\d{1,3}(?:[ '\u00a0\u202f]\d{3})+(?:\.\d*)?"),
    ",": re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?|[+-]?\d{1,3}(?:[ '\u00a0\u202f]\d{3})+(?:,\d*)?"),
}
DAY = re.compile(
    r"(\d{1,4})([-/.])(\d{1,2}|[A-Za-z]{3})\2(\d{1,4})"
    r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?(?: ?(Z|UTC|[+-]\d{2}:?\d{2}))?)?"
)


class Column(NamedTuple):
    """A column of a table. `labels` are those of a category, sorted; `order` is that of a date's day, month and year.

    `fill` is what a missing value becomes; None refuses it. `indicator`: a column of its own says what was missing; of
    a category it stands beside the labels, all of which are 0 then. `empty`: no training row has a value, and nothing
    is made of the column.
    """

    name: str
    kind: Kind = "number"
    labels: tuple[str, ...] = ()
    order: Order = ""
    fill: float | None = None
    indicator: bool = False
    empty: bool = False

    @property
    def outputs(self) -> list[str]:
        """The names of the columns of X that this one becomes."""
        if self.empty:
            return []
        own = [f"{self.name}={label}" for label in self.labels] if self.kind == "category" else [self.name]
        return own + [f"{self.name} missing"] * self.indicator


class Coded(NamedTuple):
    """The cells of a column, `values[codes]`: each different value stands once; `codes` (n,) of -1 are missing."""

    values: Sequence[Any]
    codes: Array


class Problem(NamedTuple):
    """A cell that cannot be used: in row `row` (from 0) of column `column` stands `value`; `expected` says what may."""

    row: int
    column: str
    value: str
    expected: str

    @property
    def said(self) -> str:
        """What is wrong, to stand after the place.

        >>> Problem(3, "age", "", "a number").said
        'the value is missing; expected a number'
        """
        what = f"it is '{self.value}'" if self.value else "the value is missing"
        return f"{what}; expected {self.expected}"


class Unusable(ValueError):
    """Rows that cannot be used; `problems` says which cells."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = list(problems)
        shown = [f"row {cell.row} (counted from 0), column '{cell.column}': {cell.said}" for cell in problems[:5]]
        more = [f"and {len(problems) - 5} more"] * (len(problems) > 5)
        super().__init__("; ".join([*shown, *more]) + ".")


class Encoding(NamedTuple):
    """The columns that are inputs, in their order; `left_out` the others, each with why.

    `missing` are the words that stand for no value, in small letters; `decimal` the mark before the fractions.

    >>> pets = Encoding((Column("age", fill=3.0), Column("pet", "category", ("cat", "dog"))))
    >>> raw, problems = pets.read({"age": ["2", "?"], "pet": ["dog", "eel"]})
    >>> raw.tolist(), pets.names
    ([[2.0, 1.0], [nan, -1.0]], ('age', 'pet=cat', 'pet=dog'))
    >>> pets.apply(raw).tolist()
    [[2.0, 0.0, 1.0], [3.0, 0.0, 0.0]]
    """

    columns: tuple[Column, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = MISSING_WORDS
    decimal: str = "."

    @property
    def names(self) -> tuple[str, ...]:
        """The names of X's columns."""
        return tuple(name for column in self.columns for name in column.outputs)

    @property
    def plain(self) -> bool:
        """Whether X is raw as it is: numbers, and none of them missing."""
        return all(
            column.kind != "category" and column.fill is None and not (column.indicator or column.empty)
            for column in self.columns
        )

    @property
    def measured(self) -> Array:
        """Of each column of X, whether it is an amount, and no mark of 0 or 1 that the encoding made: bool (d,)."""
        marks = [
            [column.kind != "category"] + [False] * (len(column.outputs) - 1) if column.outputs else []
            for column in self.columns
        ]
        return np.array([mark for column in marks for mark in column], dtype=bool)

    def read(self, table: Mapping[str, Any]) -> tuple[Array, list[Problem]]:
        """The table's columns, found by name, as raw (n, columns), and the cells that cannot be used.

        A column is any sequence of numbers, texts, dates or None. Raises KeyError, naming the columns that are missing.
        """
        absent = [column.name for column in self.columns if column.name not in table and not column.empty]
        if absent:
            raise KeyError(", ".join(f"'{name}'" for name in absent))
        problems: list[Problem] = []
        read = [
            self._column(column, table[column.name], problems)
            for column in self.columns
            if column.name in table or not column.empty
        ]
        n = len(read[0]) if read else 0
        raw = np.full((n, len(self.columns)), np.nan)
        places = [i for i, column in enumerate(self.columns) if column.name in table or not column.empty]
        for place, values in zip(places, read, strict=True):
            raw[:, place] = values
        return raw, sorted(problems)

    def _column(self, column: Column, cells: Any, problems: list[Problem]) -> Array:
        """One column as raw numbers (n,)."""
        if isinstance(cells, np.ndarray) and cells.dtype.kind in "fiu" and column.kind == "number":
            values = without(np.asarray(cells, dtype=np.float64), self.missing)
            for row in np.flatnonzero(np.isinf(values)).tolist():
                problems.append(Problem(row, column.name, str(values[row]), "a finite number"))
        else:
            coded = coded_of(cells)
            found = [self.cell(column, value) for value in coded.values]
            table = np.array([math.nan if value is None else value for value in found] + [math.nan])
            values = table[coded.codes]
            wrong = np.array([value is None for value in found] + [False])
            if wrong.any():
                expected = EXPECTED[column.kind]
                problems += [
                    Problem(row, column.name, str(coded.values[coded.codes[row]]).strip(), expected)
                    for row in np.flatnonzero(wrong[coded.codes]).tolist()
                ]
        return values

    def cell(self, column: Column, value: Any) -> float | None:
        """The raw number of a cell: NaN where it is missing, None where it cannot be one of this column."""
        if is_missing(value, self.missing):
            return math.nan
        if column.kind == "category":
            label = label_of(value)
            return float(column.labels.index(label)) if label in column.labels else UNSEEN
        if column.kind == "date":
            return days_of(value, column.order)
        if isinstance(value, str):
            text = value.strip()
            if column.kind == "boolean" and text.lower() in TRUTHS:
                return TRUTHS[text.lower()]
            number = number_of(text, self.decimal)
        else:
            try:
                number = float(value)
            except (TypeError, ValueError):
                return None
        if number is None or not math.isfinite(number) or (column.kind == "boolean" and number not in (0, 1)):
            return None
        return number

    def refused(self, raw: Array) -> list[Problem]:
        """The missing values of raw (n, columns) that nothing stands in for."""
        found = []
        for place, column in enumerate(self.columns):
            if column.fill is None and not column.indicator and not column.empty:
                rows = np.flatnonzero(np.isnan(raw[:, place])).tolist()
                why = f"{EXPECTED[column.kind]} (no training row lacks it)"
                found += [Problem(row, column.name, "", why) for row in rows]
        return sorted(found)

    def apply(self, raw: Array) -> Array:
        """X (n, d) of raw (n, columns): missing values filled in, each category as 0 and 1."""
        if self.plain:
            return np.ascontiguousarray(raw, dtype=np.float64)
        X = np.zeros((len(raw), len(self.names)))
        for start in range(0, len(raw), BLOCK):  # what is written together lies together: four times faster
            self._apply(raw[start : start + BLOCK], X[start : start + BLOCK])
        return X

    def _apply(self, raw: Array, X: Array) -> None:
        """X (n, d), which is all zeros, of raw (n, columns)."""
        place = 0
        for column, values in zip(self.columns, raw.T, strict=True):
            width = len(column.outputs)
            if not width:
                continue
            gone = np.isnan(values)
            if column.kind == "category":
                rows = np.flatnonzero(values >= 0)  # neither missing nor unseen
                X[rows, place + values[rows].astype(np.int64)] = 1
            else:
                X[:, place] = values if column.fill is None else np.where(gone, column.fill, values)
            if column.indicator:
                X[:, place + width - 1] = gone
            place += width

    def encoded(self, table: Mapping[str, Any]) -> Array:
        """X (n, d) of a table; Unusable where a cell cannot be used."""
        raw, problems = self.read(table)
        problems += self.refused(raw)
        if problems:
            raise Unusable(sorted(problems))
        return self.apply(raw)

    def as_json(self) -> dict[str, Any]:
        """Plain data; what is as it usually is stays out."""
        usual = Column._field_defaults
        columns = [
            {key: value for key, value in column._asdict().items() if key == "name" or value != usual[key]}
            for column in self.columns
        ]
        words = {} if self.missing == MISSING_WORDS else {"missing": self.missing}
        return {"columns": columns, "left_out": self.left_out, "decimal": self.decimal, **words}


def from_json(said: Mapping[str, Any]) -> Encoding:
    """The encoding that `as_json` wrote.

    >>> one = Encoding((Column("pet", "category", ("cat", "dog")),), (("id", "why"),))
    >>> from_json(one.as_json()) == one
    True
    """
    columns = tuple(Column(**{**column, "labels": tuple(column.get("labels", ()))}) for column in said["columns"])
    left_out = tuple((name, why) for name, why in said["left_out"])
    return Encoding(columns, left_out, tuple(said.get("missing", MISSING_WORDS)), said["decimal"])


EXPECTED = {
    "number": "a finite number",
    "boolean": "yes or no, true or false",
    "date": "a date",
    "category": "a label",
}


def coded_of(cells: Any) -> Coded:
    """The cells of a column, each different value once, in the order of appearance; of one type each."""
    if isinstance(cells, Coded):
        return cells
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "fiu":
        distinct, codes = np.unique(cells, return_inverse=True)
        return Coded(distinct.tolist(), codes)
    values = cells.tolist() if hasattr(cells, "tolist") else list(cells)
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "M":
        values = list(cells)  # tolist makes plain integers of nanoseconds
    numbers: dict[Any, int] = {}
    codes = np.array([numbers.setdefault((value.__class__, value), len(numbers)) for value in values], dtype=np.int64)
    return Coded([value for _, value in numbers], codes)


@lru_cache(maxsize=64)
def numbers_among(words: tuple[str, ...]) -> frozenset[float]:
    """The words that are numbers: however a cell spells one of them, it has no value."""
    found = [number_of(word) for word in words if word]
    return frozenset(number for number in found if number is not None and number == number)


def without(values: Array, words: tuple[str, ...]) -> Array:
    """Numbers (n,), with NaN for those that stand for no value."""
    marks = numbers_among(words)
    return np.where(np.isin(values, list(marks)), np.nan, values) if marks else values


def is_missing(value: Any, words: tuple[str, ...] = MISSING_WORDS) -> bool:
    """Whether a cell has no value: None, NaN, NaT, pandas' NA, an empty text or one of the words.

    >>> is_missing("?"), is_missing("-999.0", ("-999",)), is_missing(-999, ("-999",)), is_missing("NA", ("-999",))
    (True, True, True, False)
    """
    marks = numbers_among(words)
    if isinstance(value, str):
        text = value.strip()
        return not text or text.lower() in words or (bool(marks) and number_of(text) in marks)
    if value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value):
        return True
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return number and value in marks


def label_of(value: Any) -> str:
    """A cell as the text of a label: 3.0 is '3', as the file that it came from had it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def number_of(text: str, decimal: str = ".") -> float | None:
    """The number that a text is, or None: with marks between the thousands, and before or behind it a currency or %.

    >>> number_of("1,234.5"), number_of("1.234,5", ","), number_of("1,5"), number_of("1_000"), number_of("$5")
    (1234.5, 1234.5, None, None, 5.0)
    """
    text = text.strip()
    if decimal == "." or not ("," in text or "." in text):
        found = _float(text)
        if found is not None:
            return found
    if text[:1] in "$€£¥" or text[-1:] in "$€£¥%":
        text = text.strip("$€£¥% ")
    if decimal != "." and re.fullmatch(r"[+-]?(?:\d+,\d*|,\d+)(?:[eE][+-]?\d+)?", text):
        return _float(text.replace(",", "."))
    if GROUPED[decimal].fullmatch(text):
        text = re.sub(r"[ '\u00a0\u202f.]" if decimal == "," else r"[ '\u00a0\u202f,]", "", text)
        return _float(text.replace(",", "."))
    return _float(text) if decimal == "." or "," not in text else None


def _float(text: str) -> float | None:
    """As NumPy's parser reads it: it knows no 1_000, and no digits but 0 to 9."""
    if "_" in text or not text.isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def days_of(value: Any, order: Order) -> float | None:
    """A day and time as days since 1970-01-01, or None where it is none in this order of day, month and year.

    >>> days_of("1970-01-02 12:00", "ymd"), days_of("02/01/1970", "dmy"), days_of("13/13/1970", "dmy")
    (1.5, 1.0, None)
    """
    if isinstance(value, np.datetime64):
        return float((value - np.datetime64(0, "D")) / np.timedelta64(1, "us")) / 86_400e6
    if isinstance(value, date):
        time = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        zone = time.utcoffset()
        return (time.replace(tzinfo=None) - datetime(1970, 1, 1) - (zone or timedelta())).total_seconds() / 86_400
    if isinstance(value, int | float):
        return float(value)  # a number of days already
    if (found := DAY.fullmatch(str(value).strip())) is None:
        return None
    parts = dict(zip(order, (found[1], found[3], found[4]), strict=True))
    if len(parts["y"]) not in (2, 4) or max(len(parts["m"]) if parts["m"].isdigit() else 0, len(parts["d"])) > 2:
        return None
    year = int(parts["y"]) if len(parts["y"]) == 4 else int(parts["y"]) + (1900 if int(parts["y"]) > 68 else 2000)
    month = parts["m"].lower()
    try:
        if not parts["d"].isdigit():
            return None
        day = date(year, int(month) if month.isdigit() else MONTHS.index(month) + 1, int(parts["d"]))
    except ValueError:
        return None
    hours, minutes, seconds = int(found[5] or 0), int(found[6] or 0), float(found[7] or 0)
    if hours > 23 or minutes > 59 or seconds >= 60:
        return None
    if (behind := found[8] or "Z") not in ("Z", "UTC"):
        minutes -= int(behind[0] + "1") * (int(behind[1:3]) * 60 + int(behind[-2:]))
    return (day - date(1970, 1, 1)).days + (hours * 3600 + minutes * 60 + seconds) / 86_400
