"""Tables that are not plain text, each read by the library that knows it: columns with types of their own."""

import io
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datasets.encoding import Coded
from datasets.files.content import EXPECTED, content_of, decoded
from datasets.files.sheet import Format, Sheet, kept_as_text, named
from datasets.files.tables import override
from datasets.files.text import read_text
from datasets.types import DataError

SPARSE = re.compile(
    r"[-+]?[\d.]+(?:[eE][-+]?\d+)?(?:,[\d.]+)*(?:\s+qid:\d+)?(?:\s+\d+:[-+]?[\d.]+(?:[eE][-+]?\d+)?)+\s*"
)
INDEX = re.compile(r"__index_level_\d+__")  # what pandas calls the index in a parquet file


def read_sheet(path: Path, asked: Format, text: Collection[str | int] = ()) -> Sheet:
    """The table in a file, whatever kind of file it is; the columns `text` stay as they are spelled.

    Raises DataError where it is none, or is damaged.
    """
    kind, inside = content_of(path)
    match kind:
        case "text":
            raw = path.read_bytes() if inside is None else inside
            return _text(path, raw, asked, text)
        case "parquet" | "arrow":
            return _arrow(path, kind, inside, text)
        case "xlsx":
            return _excel(path, text)
        case "xls":
            raise DataError(f"{path} is an Excel file of before 2007; save it as .xlsx or as csv, and name that.")
        case "npz" | "npy" | "mat":
            what = {"npz": "a NumPy archive", "npy": "a NumPy array", "mat": "a MATLAB file"}[kind]
            raise DataError(f"{path} is {what} and no table: dataset=npz {override('path', str(path))} reads it.")
        case "hdf5":
            raise DataError(f"{path} is an HDF5 file and no table: dataset=h5 {override('path', str(path))} reads it.")
    raise DataError(f"{path} cannot be read. {EXPECTED}")


def _text(path: Path, raw: bytes, asked: Format, text: Collection[str | int]) -> Sheet:
    start = raw[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] in (b"{", b"["):
        return _json(path, decoded(raw, asked.encoding, path, []), text)
    if re.match(rb"(?:%[^\n]*\n|\s)*@relation", start, re.IGNORECASE):
        return _arff(path, raw, text)
    lines = [line for line in start.decode("latin-1").splitlines()[:-1] if line.strip()][:20]
    if lines and all(SPARSE.fullmatch(line) for line in lines):
        return _libsvm(path, raw)
    return read_text(path, raw, asked, text)


def _arrow(path: Path, kind: str, inside: bytes | None, text: Collection[str | int]) -> Sheet:
    import pyarrow as pa
    from pyarrow import feather, parquet, types

    source = path if inside is None else pa.BufferReader(inside)
    try:
        table = parquet.read_table(source) if kind == "parquet" else feather.read_table(source)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is damaged or no {kind} file ({error}). Fetch or write it again.") from None
    nested = [field.name for field in table.schema if types.is_nested(field.type) or types.is_binary(field.type)]
    notes = [f"{path}: column '{name}' holds lists, records or bytes: left out." for name in nested]
    names = [name for name in table.column_names if not INDEX.fullmatch(name) and name not in nested]
    kept = kept_as_text(names, text)
    columns: dict[str, Any] = {}
    for place, name in enumerate(names):
        columns[name] = _typed(table[name], place in kept)
    left = [name for name in table.column_names if INDEX.fullmatch(name)]
    notes += [f"{path}: column '{name}' is the index of a pandas table: left out." for name in left]
    return Sheet(path, columns, table.num_rows, None, tuple(notes))


def _typed(column: Any, as_text: bool) -> Any:
    """An Arrow column as numbers (n,) with NaN for none, or as cells that stand once each."""
    import pyarrow as pa
    from pyarrow import types

    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if types.is_decimal(kind):
        column = column.cast(pa.float64())
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    if types.is_null(kind):
        return np.full(len(column), np.nan)
    if number and not as_text and not types.is_dictionary(column.type):
        return column.cast(pa.float64(), safe=False).to_numpy().astype(np.float64)
    if not types.is_dictionary(column.type):
        column = column.dictionary_encode()
    cells = column.unify_dictionaries().combine_chunks()
    cells = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    codes = cells.indices.fill_null(-1).to_numpy().astype(np.int64)
    return Coded(cells.dictionary.to_pylist(), codes)


def from_cells(
    path: Path, names: Sequence[str], columns: Iterable[Sequence[Any]], text: Collection[str | int] = (), **more: Any
) -> Sheet:
    """A sheet of columns of Python's own values: numbers become an array."""
    notes = list(more.pop("notes", ()))
    names = named(path, [str(name).strip() for name in names], notes)
    kept = kept_as_text(names, text)
    found = {}
    for place, (name, cells) in enumerate(zip(names, columns, strict=True)):
        plain = place not in kept and all(
            value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in cells
        )
        found[name] = (
            np.array([np.nan if value is None else value for value in cells], dtype=np.float64)
            if plain
            else list(cells)
        )
    rows = len(next(iter(found.values()))) if found else 0
    return Sheet(path, found, rows, notes=tuple(notes), **more)


def _json(path: Path, whole: str, text: Collection[str | int]) -> Sheet:
    """Records as a list or a line each; or columns by name, as pandas writes them."""
    lines: list[int] | None = None
    try:
        said = json.loads(whole)
        if isinstance(said, dict) and not any(isinstance(value, dict | list) for value in said.values()):
            said, lines = [said], [1]
    except json.JSONDecodeError as error:
        said, lines = _json_lines(path, whole, error)
    if isinstance(said, dict) and {"columns", "data"} <= set(said):
        said = [dict(zip(said["columns"], row, strict=False)) for row in said["data"]]
    elif isinstance(said, dict) and isinstance(said.get("data"), list):
        said = said["data"]
    elif isinstance(said, dict):
        parts = {str(key): list(v.values()) if isinstance(v, dict) else v for key, v in said.items()}
        if all(isinstance(v, list) for v in parts.values()) and len({len(v) for v in parts.values()}) == 1:
            return from_cells(path, list(parts), parts.values(), text)
    if not isinstance(said, list) or not said or not all(isinstance(record, dict) for record in said):
        raise DataError(f"{path} is JSON, and no table; expected a list of records, or a record on each line.")
    names = list(dict.fromkeys(str(key) for record in said for key in record))
    nested = [name for name in names if any(isinstance(record.get(name), dict | list) for record in said)]
    notes = [f"{path}: column '{name}' holds lists or records: left out." for name in nested]
    names = [name for name in names if name not in nested]
    cells = ([record.get(name) for record in said] for name in names)
    return from_cells(path, names, cells, text, lines=lines, notes=notes)


def _json_lines(path: Path, whole: str, first: json.JSONDecodeError) -> tuple[list[Any], list[int]]:
    records, lines = [], []
    for number, line in enumerate(io.StringIO(whole), 1):
        if line.strip():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError as error:
                where, why = (number, error.msg) if len(records) else (first.lineno, first.msg)
                raise DataError(f"{path}, line {where}: this is no JSON ({why}); expected a record.") from None
            lines.append(number)
    return records, lines


def _excel(path: Path, text: Collection[str | int]) -> Sheet:
    try:
        from openpyxl import load_workbook
    except ModuleNotFoundError:
        raise DataError(
            f"{path} is an Excel file, and openpyxl, which reads it, is not installed: uv sync --extra excel, or "
            "uv pip install openpyxl; or save the table as csv."
        ) from None
    try:
        book = load_workbook(path, read_only=True, data_only=True)
        sheets = [sheet.title for sheet in book.worksheets]
        rows = [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]
        book.close()
    except Exception as error:  # openpyxl raises what its parts raise
        raise DataError(f"{path} is damaged: openpyxl cannot read it ({error}). Save it again.") from None
    numbered = [(n, row) for n, row in enumerate(rows, 1) if any(cell not in (None, "") for cell in row)]
    if len(numbered) < 2:
        raise DataError(f"{path}: the sheet '{sheets[0]}' has no rows; expected a line with names, and rows below.")
    first = numbered[0][1]
    places = [p for p in range(len(first)) if any(row[p] not in (None, "") for _, row in numbered)]
    names = [str(first[p] if first[p] is not None else "(row)" if p == 0 else f"column {p + 1}") for p in places]
    notes = [f"{path}: read from the sheet '{sheets[0]}', the first of {len(sheets)}."] if len(sheets) > 1 else []
    index = {"(row)": "it has no name and numbers the rows"} if "(row)" in names and first[0] is None else {}
    columns = [[row[p] for _, row in numbered[1:]] for p in places]
    return from_cells(path, names, columns, text, lines=[n for n, _ in numbered[1:]], notes=notes, index=index)


def _arff(path: Path, raw: bytes, text: Collection[str | int]) -> Sheet:
    from scipy.io import arff

    try:
        data, about = arff.loadarff(io.StringIO(decoded(raw, "auto", path, [])))
    except NotImplementedError as error:
        raise DataError(f"{path} is ARFF with {error}, which SciPy does not read; write it as csv.") from None
    except Exception as error:  # scipy raises what its parts raise
        raise DataError(f"{path} is damaged or no ARFF file ({error}).") from None
    columns: list[Any] = []
    for name in about.names():
        cells = data[name]
        columns.append([cell.decode() for cell in cells] if cells.dtype.kind == "S" else cells.tolist())
    return from_cells(path, about.names(), columns, text)


def _libsvm(path: Path, raw: bytes) -> Sheet:
    """Rows of `label place:value ...`: the label is the column "label", at position 0, a value that is left out 0."""
    from sklearn.datasets import load_svmlight_file

    try:
        X, y = load_svmlight_file(io.BytesIO(raw))
    except ValueError as error:
        raise DataError(f"{path} is damaged or no libsvm file ({error}).") from None
    dense = X.toarray()
    columns: Mapping[str, Any] = {"label": y, **{str(place + 1): dense[:, place] for place in range(dense.shape[1])}}
    note = f"{path} is in libsvm's format: dataset.target=label, and what a row leaves out is 0."
    return Sheet(path, columns, len(y), None, (note,))
