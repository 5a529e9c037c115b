"""What the columns of a sheet are: which are inputs, of which kind, and which are left out, each with why."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

import numpy as np

from datasets.encoding import (
    PAIRS,
    Column,
    Encoding,
    Order,
    coded_of,
    days_of,
    is_missing,
    label_of,
    number_of,
)
from datasets.files.sheet import Sheet
from datasets.files.tables import listed, nearest
from datasets.types import DataError

Encode = Literal["auto", "none"]

MOST_LABELS = 100  # a text column of more different labels is left out
FEW_WORDS = 3  # so many words in a column of many numbers are slips, and not labels
NAMED_ID = re.compile(
    r"(?:.*[_\W])?(?:id|uuid|guid|index|idx|rownames|rowid|row_?num(?:ber)?)|.*[a-z]I[dD]|unnamed:? ?\d*", re.I
)
ORDERS: tuple[Order, ...] = ("ymd", "dmy", "mdy")


class Understood(NamedTuple):
    """The inputs as an encoding, not fitted yet; `missing`: how many values each lacks; `odd`: what is suspicious."""

    encoding: Encoding
    missing: dict[str, int]
    odd: tuple[str, ...]


def chosen(names: Sequence[str], patterns: Sequence[str | int] | None, where: str) -> list[str]:
    """The names that `dataset.columns` chooses, in the order of the file: names, positions, globs, and !name for not.

    >>> chosen(["id", "age", "fare"], ["!id"], "t.csv"), chosen(["id", "age", "fare"], ["a*", -1], "t.csv")
    (['age', 'fare'], ['age', 'fare'])
    """
    if patterns is None:
        return list(names)
    taken: set[str] = set() if any(not str(pattern).startswith("!") for pattern in patterns) else set(names)
    for pattern in patterns:
        out = str(pattern).startswith("!")
        found = matching(names, str(pattern)[1:] if out else pattern)
        if not found:
            raise DataError(
                f"dataset.columns: {str(pattern)!r} is no column of {where}: {listed(names)}"
                f"{nearest(str(pattern).lstrip('!'), names)}. Expected names, positions from 0, or patterns with *."
            )
        taken = taken - set(found) if out else taken | set(found)
    return [name for name in names if name in taken]


def matching(names: Sequence[str], pattern: str | int) -> list[str]:
    """The columns that a name, a position or a glob means; a name that there is means itself."""
    if str(pattern) in names:
        return [str(pattern)]
    if re.fullmatch(r"-?\d+", str(pattern)):
        place = int(pattern)
        return [names[place]] if -len(names) <= place < len(names) else []
    return [name for name in names if fnmatchcase(name, str(pattern))]


def understand(
    sheet: Sheet, names: Sequence[str], asked: bool, encode: Encode, words: tuple[str, ...], target: Any = None
) -> Understood:
    """The kinds of the columns `names`; `asked`: they were chosen by name, and none of them is left out.

    `target` (n,) holds the coded target, to be told apart from an input that is the same. Raises DataError that lists
    every column that cannot be an input, with the override that gets on.
    """
    left: list[tuple[str, str]] = []
    columns, missing, odd = [], {}, []
    refused: list[tuple[str, str]] = []
    for name in names:
        cells = sheet.columns[name]
        if name in sheet.index and not asked:
            left.append((name, sheet.index[name]))
            continue
        found = _kind(sheet, name, cells, words, asked)
        missing[name] = found.missing
        if found.column is None and found.why and encode == "auto" and not found.wrong:
            left.append((name, found.why))
        elif found.column is None or (encode == "none" and found.column.kind != "number"):
            refused.append((name, found.wrong or _first_wrong(sheet, name, words)))
        else:
            columns.append(found.column)
            odd += suspicious(name, found, target)
    if refused:
        out = ",".join(f'"!{name}"' for name, _ in refused[:12])
        many = f" {len(refused)} columns are no numbers: {listed(name for name, _ in refused)}." * (len(refused) > 1)
        way = "dataset.encode=auto makes numbers of labels, dates and yes/no; " if encode == "none" else ""
        raise DataError(
            f"{sheet.path}, {refused[0][1]}; expected a finite number.{many} {way}'dataset.columns=[{out}]' leaves "
            f"{'it' if len(refused) == 1 else 'them'} out; dataset.na=[WORD,...] names words that stand for no value."
        )
    if not columns:
        raise DataError(
            f"{sheet.path} has no column to learn from: {'; '.join(f'{name!r}: {why}' for name, why in left[:8])}. "
            "dataset.columns=[NAME,...] takes those that it names."
        )
    return Understood(Encoding(tuple(columns), tuple(left), words, sheet.decimal), missing, tuple(odd))


class _Found(NamedTuple):
    column: Column | None
    missing: int
    why: str = ""  # it is left out
    wrong: str = ""  # it is refused
    values: Any = None  # of a number (n,)


def _kind(sheet: Sheet, name: str, cells: Any, words: tuple[str, ...], asked: bool) -> _Found:
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "f":
        return _numbers(sheet, name, cells, asked)
    coded = coded_of(cells)
    counts = np.bincount(coded.codes[coded.codes >= 0], minlength=len(coded.values))
    gone = [is_missing(value, words) for value in coded.values]
    lost = int(counts[np.array(gone, dtype=bool)].sum()) + int((coded.codes < 0).sum())
    values = [(place, value) for place, value in enumerate(coded.values) if not gone[place]]
    if not values:
        return _Found(None, lost, "it has no values")
    numbers = [_as_number(value, sheet.decimal) for _, value in values]
    if None not in numbers:
        table = np.full(len(coded.values) + 1, np.nan)
        table[[place for place, _ in values]] = numbers
        return _numbers(sheet, name, table[coded.codes], asked)
    texts = {label_of(value).lower() for _, value in values}
    if any(texts <= set(pair) for pair in PAIRS):
        return _Found(Column(name, "boolean"), lost)
    order, ambiguous = date_order([value for _, value in values])
    if order:
        return _Found(Column(name, "date", order=order), lost)
    if ambiguous:
        return _Found(None, lost, "its dates can be day or month first: written as 2024-12-31 they are read")
    stray = [value for (_, value), number in zip(values, numbers, strict=True) if number is None]
    if len(stray) <= FEW_WORDS and len(values) - len(stray) > 10 * len(stray):
        codes = {place for (place, _), number in zip(values, numbers, strict=True) if number is None}
        row = int(np.argmax(np.isin(coded.codes, list(codes))))
        return _Found(None, lost, wrong=f"{sheet.place(row)}, column '{name}' is '{label_of(stray[0])}' among numbers")
    labels = sorted({label_of(value) for _, value in values})
    n = len(coded.codes) - lost
    if len(labels) < 2 and not asked:
        return _Found(None, lost, f"it is '{labels[0]}' in every row that has a value")
    if not asked and (len(labels) > MOST_LABELS or len(labels) > max(2, n / 2)):
        what = "names each row" if len(labels) == n else f"has {len(labels)} different texts in {n} rows"
        return _Found(None, lost, f"it {what}")
    return _Found(Column(name, "category", tuple(labels)), lost)


def _as_number(value: Any, decimal: str) -> float | None:
    if isinstance(value, str):
        return number_of(value, decimal)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _numbers(sheet: Sheet, name: str, values: np.ndarray, asked: bool) -> _Found:
    gone = np.isnan(values)
    lost = int(gone.sum())
    if lost == len(values):
        return _Found(None, lost, "it has no values")
    if np.isinf(values).any():
        row = int(np.argmax(np.isinf(values)))
        return _Found(None, lost, wrong=f"{sheet.place(row)}, column '{name}' is {values[row]}")
    if not asked and NAMED_ID.fullmatch(name) and not lost and len(values) > 2 and _all_differ(values):
        return _Found(None, lost, "it is called an id, and is another in each row")
    return _Found(Column(name), lost, values=values)


def _all_differ(values: np.ndarray) -> bool:
    return bool((values == np.floor(values)).all()) and len(np.unique(values)) == len(values)


def date_order(values: Sequence[Any]) -> tuple[Order, bool]:
    """The order of day, month and year that all values have; and whether two orders fit and differ."""
    fitting = [
        order
        for order in ORDERS
        if all(not isinstance(v, int | float) and days_of(v, order) is not None for v in values)
    ]
    if len(fitting) == 2:
        same = all(days_of(value, fitting[0]) == days_of(value, fitting[1]) for value in values)
        return (fitting[0], False) if same else ("", True)
    return (fitting[0], False) if fitting else ("", False)


def suspicious(name: str, found: _Found, target: Any) -> list[str]:
    """What of a column of numbers should make a user look twice."""
    values = found.values
    if values is None or len(values) < 10:
        return []
    odd, whole = [], values[~np.isnan(values)]
    with np.errstate(over="ignore"):
        steps = np.diff(values)
    leave = f"dataset.columns=['!{name}'] leaves it out"
    if not found.missing and (steps == 1).all() and values[0] in (0, 1):
        odd.append(f"column '{name}' only counts the rows, from {values[0]:g} to {values[-1]:g}: {leave}.")
    if target is not None and not found.missing and _same(values, target):
        odd.append(f"column '{name}' is the target over again: what is learned from it is nothing new. {leave}.")
    low, high = whole.min(), whole.max()
    for mark in (-999.0, -9999.0, -99999.0, -99.0, -1.0, 999.0, 9999.0, 99999.0):
        share = float((whole == mark).mean())
        rest = whole[whole != mark]
        if mark in (low, high) and 0.005 < share < 0.5 and len(rest) > 2 and abs(mark) > 90:
            spread = rest.max() - rest.min()
            if min(abs(mark - rest.min()), abs(mark - rest.max())) > 3 * max(spread, 1e-9):
                odd.append(
                    f"column '{name}' is {mark:g} in {share:.0%} of the rows, far from all other values: where that "
                    f"stands for no value, dataset.na=[{mark:g}] says so."
                )
    return odd


def _same(values: np.ndarray, target: np.ndarray) -> bool:
    """Whether a column tells the target without fail: each is a name for the other."""
    if len(np.unique(target)) < 2:
        return False
    if np.array_equal(values, target):
        return True
    pairs = len(np.unique(np.stack([values, target]), axis=1).T)
    return pairs == len(np.unique(values)) == len(np.unique(target)) and len(np.unique(target)) < len(values) / 2


def _first_wrong(sheet: Sheet, name: str, words: tuple[str, ...]) -> str:
    """The first cell of a column that is no number, with its place."""
    cells = sheet.columns[name]
    if isinstance(cells, np.ndarray):
        return f"column '{name}' has no values"
    coded = coded_of(cells)
    wrong = [
        not is_missing(value, words) and _as_number(value, sheet.decimal) in (None, np.inf, -np.inf)
        for value in coded.values
    ]
    table = np.array([*wrong, False])
    row = int(np.argmax(table[coded.codes]))
    return f"{sheet.place(row)}, column '{name}' is '{label_of(coded.values[coded.codes[row]])}'"
