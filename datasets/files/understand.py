"""What the columns of a sheet are: which are inputs, of which kind, and which are left out, each with why."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

import numpy as np

from datasets.encoding import Column, Encoding, Order, coded_of, days_of, is_missing, label_of, number_of, without
from datasets.files.sheet import Sheet
from datasets.files.tables import listed, na_with, nearest, override
from datasets.types import DataError

Encode = Literal["auto", "none"]

PAIRS = (("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"))
MOST_LABELS = 100  # a text column of more different labels is left out
MOST_NAMED = 60  # columns that an override leaves out by their names
MARKS = {-999.0, -9999.0, -99999.0, -99.0, 999.0, 9999.0, 99999.0}  # what people write where there is no value
FIRST = 1000  # rows that are looked at before all are
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
    sheet: Sheet,
    names: Sequence[str],
    patterns: Sequence[str | int] | None,
    encode: Encode,
    words: tuple[str, ...],
    target: Any = None,
) -> Understood:
    """The kinds of the columns `names`, which the `patterns` of `dataset.columns` chose.

    What a pattern names as it is, is taken, also where it would be left out. `target` (n,) holds the coded target, to
    be told apart from an input that is the same. Raises DataError that lists every column that cannot be an input, with
    the override that gets on.
    """
    left: list[tuple[str, str]] = []
    columns, missing, odd = [], {}, []
    refused: dict[str, _Found] = {}
    asked = named_in(sheet.names, patterns)
    for name in names:
        found = _kind(sheet, name, words, name in asked)
        missing[name] = found.missing
        if found.column is None and found.why and encode == "auto":
            left.append((name, found.why + _taken(sheet, name, words, patterns)))
        elif found.column is None or (encode == "none" and found.column.kind != "number"):
            refused[name] = found
        else:
            columns.append(found.column)
            odd += suspicious(name, found, target, patterns, words)
    if refused:
        raise DataError(_refusal(sheet, refused, patterns, encode, words))
    if not columns:
        every = "; ".join(f"{name!r}: {why}" for name, why in left[:8])
        raise DataError(f"{sheet.path} has no column to learn from: {every}.")
    return Understood(Encoding(tuple(columns), tuple(left), words, sheet.decimal), missing, tuple(odd))


def named_in(names: Sequence[str], patterns: Sequence[str | int] | None) -> set[str]:
    """The columns that are named as they are, or by their position."""
    plain = [pattern for pattern in patterns or () if not str(pattern).startswith("!")]
    return {
        name
        for pattern in plain
        for name in matching(names, pattern)
        if name == str(pattern) or "*" not in str(pattern)
    }


class _Found(NamedTuple):
    column: Column | None
    missing: int
    why: str = ""  # it is left out
    wrong: str = ""  # it is refused
    values: Any = None  # of a number (n,)
    strays: tuple[Any, ...] = ()  # what is refused among numbers


def _refusal(
    sheet: Sheet,
    refused: dict[str, _Found],
    patterns: Sequence[str | int] | None,
    encode: Encode,
    words: tuple[str, ...],
) -> str:
    """What is wrong with the columns that are no inputs, and what gets on."""
    name, found = next(iter(refused.items()))
    many = f" {len(refused)} columns are no numbers: {listed(refused)}." if len(refused) > 1 else ""
    ways = ["dataset.encode=auto makes numbers of labels, dates and yes/no"] * (encode == "none")
    if len(refused) <= MOST_NAMED:
        ways.append(f"{_without(patterns, list(refused))} leaves {'it' if len(refused) == 1 else 'them'} out")
    else:
        ways.append("dataset.columns names the inputs")
    strays = list(dict.fromkeys(stray for each in refused.values() for stray in each.strays))
    if strays and all(each.strays for each in refused.values()):
        ways.append(f"{na_with(words, *strays)} takes {listed(map(str, strays), 3)} for no value")
    return (
        f"{sheet.path}, {found.wrong or _first_wrong(sheet, name, words)}; expected a finite number.{many} "
        f"{'; '.join(ways)}."
    )


def _without(patterns: Sequence[str | int] | None, names: Sequence[str]) -> str:
    """The override that leaves these columns out, too."""
    return override("columns", [*(patterns or ()), *(f"!{name}" for name in names)])


def _taken(sheet: Sheet, name: str, words: tuple[str, ...], patterns: Sequence[str | int] | None) -> str:
    """The override that takes a column all the same, where it can be taken."""
    found = _kind(sheet, name, words, True)
    if found.column is None:
        return ""
    whole = (
        patterns
        if patterns and not all(str(pattern).startswith("!") for pattern in patterns)
        else ["*", *(patterns or ())]
    )
    return f" ({override('columns', [*whole, name])} takes it)"


def _kind(sheet: Sheet, name: str, words: tuple[str, ...], asked: bool) -> _Found:
    """What a column is; `asked`: it was chosen by its name, and is not left out."""
    cells = sheet.columns[name]
    if name in sheet.index and not asked:
        return _Found(None, 0, sheet.index[name])
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "f":
        return _numbers(sheet, name, without(cells, words), asked)
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
        wrong = f"{sheet.place(row)}, column '{name}' is '{label_of(stray[0])}' among numbers"
        return _Found(None, lost, wrong=wrong, strays=tuple(map(label_of, stray)))
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
        wrong = f"{sheet.place(row)}, column '{name}' is {values[row]}"
        return _Found(
            None, lost, wrong=wrong, strays=tuple(map(label_of, np.unique(values[np.isinf(values)]).tolist()))
        )
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


def suspicious(
    name: str, found: _Found, target: Any, patterns: Sequence[str | int] | None, words: tuple[str, ...]
) -> list[str]:
    """What of a column of numbers should make a user look twice, each with the override that gets on."""
    values = found.values
    if values is None or len(values) < 10:
        return []
    odd, whole = [], values[~np.isnan(values)] if found.missing else values
    first, last = values[0], values[-1]
    if not found.missing and first in (0, 1) and last == first + len(values) - 1 and (np.diff(values) == 1).all():
        leave = f"{_without(patterns, [name])} leaves it out"
        odd.append(f"column '{name}' only counts the rows, from {first:g} to {last:g}: {leave}.")
    if target is not None and not found.missing and _same(values, target):
        leave = f"{_without(patterns, [name])} leaves it out"
        odd.append(f"column '{name}' is the target over again: what is learned from it is nothing new. {leave}.")
    low, high = whole.min(), whole.max()
    for mark in MARKS & {low, high}:
        share = float((whole == mark).mean())
        rest = whole[whole != mark]
        if 0.005 < share < 0.5 and len(rest) > 2:
            spread = rest.max() - rest.min()
            if min(abs(mark - rest.min()), abs(mark - rest.max())) > 3 * max(spread, 1e-9):
                odd.append(
                    f"column '{name}' is {mark:g} in {share:.0%} of the rows, far from all other values: where that "
                    f"stands for no value, {na_with(words, mark)} says so."
                )
    return odd


def _same(values: np.ndarray, target: np.ndarray) -> bool:
    """Whether a column tells the target without fail: each is a name for the other."""
    if np.array_equal(values, target):
        return bool(target.min() < target.max())
    few = len(values) // 2  # a column of which every value is another tells everything, and means nothing
    return _paired(values[:FIRST], target[:FIRST], FIRST) and _paired(values, target, few)


def _paired(values: np.ndarray, target: np.ndarray, most: int) -> bool:
    """Whether each value stands beside one target and each target beside one value, and there are fewer than `most`."""
    distinct = len(np.unique(values))
    if not 1 < distinct < most or distinct != len(np.unique(target)):
        return False
    return len(np.unique(np.stack([values, target]), axis=1).T) == distinct


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
