"""Random tables with a random schema: what is understood equals what was generated."""

from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import prepare
from datasets.csv import csv

LABELS = ("red", "dark green", "blue", "Ångström", 'the "best"', "a;b", "x,y")
GONE = ("", "NA", "?", "null", "n/a", "-")


class Made(NamedTuple):
    """A column as it was meant: its kind, its cells as values (None: missing), and how they are spelled."""

    kind: str
    values: list[Any]
    cells: list[str]


def spelled(values: list[Any], write: Any, gone: str) -> list[str]:
    return [gone if value is None else write(value) for value in values]


@st.composite
def columns(draw: Any, n: int, decimal: str) -> Made:
    kind = draw(st.sampled_from(["number", "whole", "boolean", "date", "category", "names"]))
    gone = draw(st.sampled_from(GONE))
    lost = draw(st.lists(st.booleans(), min_size=n, max_size=n)) if draw(st.booleans()) else [False] * n
    lost[draw(st.integers(0, n - 1))] = False
    spell = str
    match kind:
        case "number":
            values = draw(st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=n, max_size=n))
            values = [value + 0.5 if value.is_integer() else value for value in values]
            spell = lambda value: repr(value).replace(".", decimal)  # noqa: E731
        case "whole":
            values = draw(st.lists(st.integers(-(10**6), 10**6), min_size=n, max_size=n))
        case "boolean":
            pair = draw(st.sampled_from([("yes", "no"), ("True", "False"), ("T", "F"), ("y", "n")]))
            values = draw(st.lists(st.booleans(), min_size=n, max_size=n))
            spell = lambda value: pair[0] if value else pair[1]  # noqa: E731
        case "date":
            days = draw(st.lists(st.integers(0, 40_000), min_size=n, max_size=n))
            values = [date(1930, 1, 1) + timedelta(days=day) for day in days]
        case "category":
            labels = draw(st.lists(st.sampled_from(LABELS), min_size=2, max_size=4, unique=True))
            values = [labels[place % len(labels)] for place in draw(st.permutations(range(n)))]
            lost = [gone_too and place % 5 == 0 for place, gone_too in enumerate(lost)]
        case _:
            values = [f"person {place}" for place in range(n)]
            lost = [False] * n
    values = [None if away else value for value, away in zip(values, lost, strict=True)]
    return Made(kind, values, spelled(values, spell, gone))


@st.composite
def tables(draw: Any) -> tuple[str, list[Made]]:
    n = draw(st.integers(12, 30))
    delimiter, decimal = draw(st.sampled_from([(",", "."), (";", "."), (";", ","), ("\t", "."), ("|", ".")]))
    made = draw(st.lists(columns(n, decimal), min_size=1, max_size=5))
    made.insert(0, Made("number", [k + 0.25 for k in range(n)], [f"{k}{decimal}25" for k in range(n)]))
    head = [f"column {place}" for place in range(len(made))]
    rows = [[one.cells[row] for one in made] + ["ab"[row % 2]] for row in range(n)]
    lines = [[*head, "target"], *rows]
    quoted = [
        delimiter.join('"' + cell.replace('"', '""') + '"' if set(cell) & set(';,"|\t') else cell for cell in line)
        for line in lines
    ]
    return draw(st.sampled_from(["\n", "\r\n"])).join(quoted) + "\n", made


def understood(kind: str) -> str:
    return {"whole": "number"}.get(kind, kind)


@settings(max_examples=100)
@given(tables())
def test_what_is_understood_is_what_was_meant(tmp_path_factory: Any, table: tuple[str, list[Made]]) -> None:
    text, made = table
    path = tmp_path_factory.mktemp("random") / "own.csv"
    path.write_bytes(text.encode())
    auto: dict[str, Any] = dict.fromkeys(("delimiter", "header", "decimal", "na", "missing", "encode"), "auto")
    raw = csv(str(path), "target", **auto)
    found = prepare(raw)
    assert found.encoding is not None
    columns = {column.name: column for column in found.encoding.columns}
    left = dict(found.encoding.left_out)
    assert found.classes == ("a", "b")
    for place, one in enumerate(made):
        name = f"column {place}"
        if one.kind == "names":
            assert "names each row" in left[name] or "different texts" in left[name]
            continue
        column = columns[name]
        assert column.kind == understood(one.kind), (name, one)
        gone = np.array([value is None for value in one.values])
        assert found.lacking[name] == gone.sum()
        assert column.indicator == gone.any()
        if one.kind == "category":
            assert set(column.labels) == {value for value in one.values if value is not None}
            for label in column.labels:
                here = found.train.X[:, found.inputs.index(f"{name}={label}")]
                assert np.array_equal(here, [value == label for value in one.values])
        else:
            there = [_number(value) for value in one.values if value is not None]
            assert np.array_equal(raw.train.X[~gone, raw.inputs.index(name)], there)
            filled = found.train.X[gone, found.inputs.index(name)]
            middle = np.round(np.median(there)) if one.kind == "boolean" else np.median(there)
            assert (filled == middle).all()


def _number(value: Any) -> float:
    return float((value - date(1970, 1, 1)).days) if isinstance(value, date) else float(value)
