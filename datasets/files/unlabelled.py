"""Rows to predict: the inputs of a file, as the rows that a network was trained on had them. Targets are not needed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets import npz
from datasets.encoding import Column, Encoding, Problem
from datasets.files.content import content_of
from datasets.files.formats import read_sheet
from datasets.files.h5file import array_at, opened
from datasets.files.sheet import Format, Sheet
from datasets.files.tables import as_inputs, existing, listed, nearest
from datasets.fitting import unseen
from datasets.types import Array, DataError


class Unlabelled(NamedTuple):
    """Rows of a file as a network takes them: `X` (m, d) of those rows that can be answered, and what is to be told.

    `usable` (n,) says which rows of the file these are, `problems` what is wrong with the others; `places` are where
    rows stand; `kept` the columns that go through to the answers, as text; `notes` what was found.
    """

    X: Array
    usable: NDArray[np.bool_]
    problems: tuple[tuple[str, Problem], ...] = ()
    kept: tuple[tuple[str, list[str]], ...] = ()
    notes: tuple[str, ...] = ()


def rows_of(
    path: str,
    width: int,
    encoding: Encoding | None = None,
    target: Sequence[str] = (),
    inputs: str = "X",
    asked: Format | None = None,
    keep: Sequence[str] = (),
    names: Sequence[str] = (),
) -> Unlabelled:
    """The rows of a table, or of an array in an .npz or .h5 file, in the units of the file.

    Arguments:
        path: the file, of any kind that trains.
        width: how many inputs the network takes.
        encoding: what the columns of its table were; they are found by name, in any order.
        target: the columns that were learned; a table may have them, and they are not read.
        inputs: name of the array, in an .npz or .h5 file.
        asked: how the table is written, as in training.
        keep: columns of the table that go through.
        names: of a run without an encoding, what its columns are called.

    Raises DataError where the file, or a column, is missing or not expected. Rows with a cell that cannot be used are
    not in X.

    >>> import tempfile
    >>> file = tempfile.mkdtemp() + "/new.csv"
    >>> with open(file, "w") as out:
    ...     _ = out.write("weight,height\\n4.5,30\\n")
    >>> rows_of(file, 2, Encoding((Column("height"), Column("weight")))).X
    array([[30. ,  4.5]])
    """
    file = existing(path, "--data")
    kind, _ = content_of(file)
    if kind not in ("npz", "hdf5", "npy", "mat"):
        return _table(path, width, encoding, target, asked or Format(), keep, names)
    if keep:
        raise DataError(f"--keep={keep[0]} names a column of a table, and {file} holds arrays.")
    X, _ = as_inputs(_array(kind, file, inputs), f"'{inputs}' in {file}", fewest=1, missing=encoding is not None)
    asks = width if encoding is None else len(encoding.columns)
    if X.shape[1] != asks:
        raise DataError(
            f"'{inputs}' in {file} has {X.shape[1]} values a row; expected {asks}, as the network was trained on."
        )
    if encoding is None:
        return Unlabelled(X, np.ones(len(X), dtype=bool))
    return _encoded(encoding, X, [], lambda row: f"row {row} (counted from 0)", len(X))


def _array(kind: str, file: Path, name: str) -> Any:
    if kind == "hdf5":
        with opened(file) as archive:
            return array_at(archive, name, file)
    with npz.opened(file) as archive:
        return npz.array_at(archive, name, file)


def _table(
    path: str,
    width: int,
    encoding: Encoding | None,
    target: Sequence[str],
    asked: Format,
    keep: Sequence[str],
    names: Sequence[str],
) -> Unlabelled:
    text = [column.name for column in encoding.columns if column.kind == "category"] if encoding else []
    sheet = read_sheet(existing(path, "--data"), asked, [*text, *keep])
    if encoding is None:
        encoding = Encoding(tuple(Column(name) for name in (names or [n for n in sheet.names if n not in target])))
        if len(encoding.columns) != width:
            raise DataError(
                f"{path} has {len(encoding.columns)} columns: {listed(sheet.names)}; expected {width}, "
                f"as the network was trained on."
            )
    sheet = _renumbered(sheet, encoding, target)
    absent = [column.name for column in encoding.columns if column.name not in sheet.names and not column.empty]
    if absent:
        raise DataError(
            f"{path} has no column {listed(absent)}, which the network was trained on{nearest(absent[0], sheet.names)}."
        )
    for name in keep:
        if name not in sheet.names:
            raise DataError(f"--keep={name} is no column of {path}: {listed(sheet.names)}{nearest(name, sheet.names)}.")
    known = {column.name for column in encoding.columns} | {name for name, _ in encoding.left_out} | {*target, *keep}
    extra = [name for name in sheet.names if name not in known and name not in sheet.index]
    notes = [f"{path}: the network was not trained on {listed(extra)}: not used."] if extra else []
    raw, problems = encoding.read(sheet.columns)
    found = _encoded(encoding, raw, problems, sheet.place, sheet.rows)
    kept = tuple((name, _as_text(sheet.columns[name])) for name in keep)
    return found._replace(kept=kept, notes=(*sheet.notes, *notes, *found.notes))


def _renumbered(sheet: Sheet, encoding: Encoding, target: Sequence[str]) -> Sheet:
    """A table without header: where the target's column is not in it, the columns behind it stand one place nearer."""
    all_names = {column.name for column in encoding.columns} | {name for name, _ in encoding.left_out} | set(target)
    if sheet.header or not all(name.isdigit() for name in all_names) or not target:
        return sheet
    names = [str(place) for place in range(len(sheet.names) + len(target)) if str(place) not in target]
    if max(map(int, all_names)) < len(sheet.names) or len(names) != len(sheet.names):
        return sheet
    return replace(sheet, columns=dict(zip(names, sheet.columns.values(), strict=True)))


def _encoded(encoding: Encoding, raw: Array, problems: list[Problem], place: Any, n: int) -> Unlabelled:
    bad = {(cell.row, cell.column) for cell in problems}
    problems = problems + [cell for cell in encoding.refused(raw) if (cell.row, cell.column) not in bad]
    usable = np.ones(n, dtype=bool)
    usable[[cell.row for cell in problems]] = False
    new = unseen(encoding, raw)
    notes = []
    if new:
        columns = listed(sorted({name for _, name in new}))
        notes.append(
            f"{len(new)} labels, in {columns}, stand in no row that was trained on (the first in "
            f"{place(new[0][0])}): all zeros there."
        )
    said = tuple((place(cell.row), cell) for cell in sorted(problems))
    return Unlabelled(encoding.apply(raw[usable]), usable, said, (), tuple(notes))


def _as_text(cells: Any) -> list[str]:
    """A column that goes through, as it is spelled."""
    if hasattr(cells, "codes"):
        values = ["" if value is None else str(value) for value in cells.values] + [""]
        return [values[code] for code in cells.codes.tolist()]
    values = cells.tolist() if hasattr(cells, "tolist") else cells
    return [
        "" if value is None or value != value else f"{value:g}" if isinstance(value, float) else str(value)
        for value in values
    ]
