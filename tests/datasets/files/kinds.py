"""Tables as people have them: each function writes one, and says what must be understood of it.

The kinds are those of public bug reports of loaders: Excel's exports, R's, pandas' and NumPy's; packed files, other
encodings, other marks for nothing. All hold the same 60 rows, unless they say otherwise: two amounts and a label.
"""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

RNG = np.random.default_rng(7)
ROWS = 60
A, B = RNG.normal(size=ROWS).round(3), (RNG.normal(size=ROWS) * 3).round(2)
KIND = np.array(["red", "green", "blue"])[RNG.integers(0, 3, ROWS)]
X = np.stack([A, B], axis=1)


class Kind(NamedTuple):
    """A file, how it is trained on, and what comes out: `X` as given, or a refusal that matches `refused`."""

    path: Path
    target: Any = "kind"
    more: dict[str, Any] = {}  # noqa: RUF012 - a NamedTuple of a test
    X: np.ndarray = X
    refused: str = ""
    said: str = ""  # a note that must be told


def frame() -> pd.DataFrame:
    return pd.DataFrame({"a": A, "b": B, "kind": KIND})


def text(folder: Path, content: str, name: str = "own.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(content.encode(encoding))
    return path


def plain(**options: Any) -> str:
    return frame().to_csv(index=False, **options)


def as_written_by_pandas(folder: Path) -> Kind:
    return Kind(text(folder, plain()))


def with_pandas_index(folder: Path) -> Kind:
    return Kind(text(folder, frame().to_csv()))


def with_rs_row_names(folder: Path) -> Kind:
    rows = [f'"{i + 1}",{line}' for i, line in enumerate(plain().splitlines()[1:])]
    return Kind(text(folder, "\n".join(['"a","b","kind"', *rows])))


def with_rs_write_csv(folder: Path) -> Kind:
    rows = [f'"{i + 1}",{line}' for i, line in enumerate(plain().splitlines()[1:])]
    return Kind(text(folder, "\n".join(['"","a","b","kind"', *rows])))


def with_a_separator_behind_every_row(folder: Path) -> Kind:
    return Kind(text(folder, plain().replace("\n", ",\n")))


def with_a_separator_behind_every_row_but_the_header(folder: Path) -> Kind:
    head, rest = plain().split("\n", 1)
    return Kind(text(folder, head + "\n" + rest.replace("\n", ",\n")))


def with_semicolons_and_decimal_commas(folder: Path) -> Kind:
    return Kind(text(folder, plain(sep=";", decimal=",")))


def with_excels_line_of_the_separator(folder: Path) -> Kind:
    return Kind(text(folder, "sep=;\r\n" + plain(sep=";", decimal=",").replace("\n", "\r\n")))


def with_tabs(folder: Path) -> Kind:
    return Kind(text(folder, plain(sep="\t"), "own.tsv"))


def with_tabs_and_decimal_commas(folder: Path) -> Kind:
    return Kind(text(folder, plain(sep="\t", decimal=","), "own.txt"))


def with_bars(folder: Path) -> Kind:
    return Kind(text(folder, plain(sep="|")))


def with_spaces_between(folder: Path) -> Kind:
    rows = [f"  {a:8.3f}   {b:8.2f}  {kind}" for a, b, kind in zip(A, B, KIND, strict=True)]
    return Kind(text(folder, "\n".join(["  a  b  kind", *rows]), "own.dat"))


def without_a_header(folder: Path) -> Kind:
    return Kind(text(folder, plain(header=False), "own.data"), target=-1, said="has no header")


def without_a_header_and_the_label_first(folder: Path) -> Kind:
    return Kind(text(folder, frame()[["kind", "a", "b"]].to_csv(index=False, header=False)), target=0)


def with_spaces_behind_the_commas(folder: Path) -> Kind:
    return Kind(text(folder, plain().replace(",", ", ")))


def with_comments(folder: Path) -> Kind:
    return Kind(text(folder, "# measured in May\n# by hand\n" + plain()))


def as_savetxt_writes_it(folder: Path) -> Kind:
    codes = np.searchsorted(sorted(set(KIND)), KIND)
    file = io.StringIO()
    np.savetxt(file, np.column_stack([A, B, codes]), delimiter=",", header="a,b,kind", fmt=["%.3f", "%.2f", "%d"])
    return Kind(text(folder, file.getvalue()))


def with_a_row_of_units(folder: Path) -> Kind:
    head, rest = plain().split("\n", 1)
    return Kind(text(folder, f"{head}\ncm,kg,\n{rest}"), said="holds units")


def with_a_mark_in_front(folder: Path) -> Kind:
    return Kind(text(folder, "\ufeff" + plain()))


def in_utf_16(folder: Path) -> Kind:
    return Kind(text(folder, plain(), encoding="utf-16"))


def in_utf_16_without_a_mark(folder: Path) -> Kind:
    return Kind(text(folder, plain(), encoding="utf-16-le"))


def as_windows_wrote_it(folder: Path) -> Kind:
    return Kind(text(folder, plain().replace("kind", "größe"), encoding="cp1252"), target="größe", said="cp1252")


def with_returns_only(folder: Path) -> Kind:
    return Kind(text(folder, plain().replace("\n", "\r")))


def with_empty_lines(folder: Path) -> Kind:
    return Kind(text(folder, "\n\n" + plain().replace("\n", "\n\n")))


def packed_by_gzip(folder: Path) -> Kind:
    path = folder / "own.csv.gz"
    path.write_bytes(gzip.compress(plain().encode()))
    return Kind(path)


def packed_by_gzip_under_another_name(folder: Path) -> Kind:
    path = folder / "own.csv"
    path.write_bytes(gzip.compress(plain().encode()))
    return Kind(path)


def packed_by_bzip2(folder: Path) -> Kind:
    path = folder / "own.csv.bz2"
    path.write_bytes(bz2.compress(plain().encode()))
    return Kind(path)


def packed_by_xz(folder: Path) -> Kind:
    path = folder / "own.csv.xz"
    path.write_bytes(lzma.compress(plain().encode()))
    return Kind(path)


def packed_by_zip(folder: Path) -> Kind:
    with zipfile.ZipFile(folder / "own.zip", "w") as archive:
        archive.writestr("data/own.csv", plain())
        archive.writestr("__MACOSX/._own.csv", b"\0")
    return Kind(folder / "own.zip")


def as_parquet(folder: Path) -> Kind:
    frame().to_parquet(folder / "own.parquet")
    return Kind(folder / "own.parquet")


def as_parquet_with_an_index_and_categories(folder: Path) -> Kind:
    table = frame().set_index(pd.Index(range(100, 100 + ROWS), name="__index_level_0__"))
    table["kind"] = table["kind"].astype("category")
    table.to_parquet(folder / "own.parquet")
    return Kind(folder / "own.parquet")


def as_feather(folder: Path) -> Kind:
    frame().to_feather(folder / "own.feather")
    return Kind(folder / "own.feather")


def as_json_lines(folder: Path) -> Kind:
    frame().to_json(folder / "own.jsonl", orient="records", lines=True)
    return Kind(folder / "own.jsonl")


def as_json_records(folder: Path) -> Kind:
    frame().to_json(folder / "own.json", orient="records")
    return Kind(folder / "own.json")


def as_json_columns(folder: Path) -> Kind:
    frame().to_json(folder / "own.json")
    return Kind(folder / "own.json")


def as_json_split(folder: Path) -> Kind:
    frame().to_json(folder / "own.json", orient="split")
    return Kind(folder / "own.json")


def as_excel(folder: Path) -> Kind:
    frame().to_excel(folder / "own.xlsx", index=False)
    return Kind(folder / "own.xlsx")


def as_excel_with_an_index_and_a_second_sheet(folder: Path) -> Kind:
    with pd.ExcelWriter(folder / "own.xlsx") as book:
        frame().to_excel(book, sheet_name="first")
        frame().to_excel(book, sheet_name="second")
    return Kind(folder / "own.xlsx", said="the first of 2")


def as_arff(folder: Path) -> Kind:
    head = "% made by hand\n@relation t\n@attribute a numeric\n@attribute b numeric\n"
    head += "@attribute kind {red,green,blue}\n@data\n"
    return Kind(text(folder, head + plain(header=False), "own.arff"))


def as_libsvm(folder: Path) -> Kind:
    rows = [f"{i % 2} 1:{a} 2:{b}" for i, (a, b) in enumerate(X.tolist())]
    return Kind(text(folder, "\n".join(rows), "own.libsvm"), target="label")


def with_thousands(folder: Path) -> Kind:
    big = (A * 1e6).round().astype(int)
    table = frame().assign(a=[f"{value:,}" for value in big])
    return Kind(text(folder, table.to_csv(index=False)), X=np.stack([big.astype(float), B], axis=1))


def with_currencies_and_percents(folder: Path) -> Kind:
    table = frame().assign(a=[f"${value:.2f}" for value in abs(A)], b=[f"{value}%" for value in B])
    return Kind(
        text(folder, table.to_csv(index=False)), X=np.stack([[float(f"{value:.2f}") for value in abs(A)], B], axis=1)
    )


def with_a_name_twice(folder: Path) -> Kind:
    return Kind(text(folder, plain().replace("a,b,kind", "a,a,kind")), said="more than once")


def with_pandas_names_of_columns(folder: Path) -> Kind:
    table = pd.DataFrame(np.column_stack([X, A, B]))
    table[4] = KIND
    return Kind(text(folder, table.to_csv(index=False)), target="4", X=np.column_stack([X, A, B]))


def with_booleans(folder: Path) -> Kind:
    truths = A > 0
    return Kind(
        text(folder, frame().assign(a=truths, b=np.where(B > 0, "yes", "no")).to_csv(index=False)),
        X=np.stack([truths, B > 0], axis=1).astype(float),
    )


def with_dates(folder: Path) -> Kind:
    days = pd.date_range("2024-01-01", periods=ROWS)
    expected = np.stack([np.arange(ROWS) + 19723.0, B], axis=1)
    return Kind(text(folder, frame().assign(a=days).to_csv(index=False)), X=expected)


def with_dates_as_germans_write_them(folder: Path) -> Kind:
    days = pd.date_range("2024-01-01", periods=ROWS).strftime("%d.%m.%Y")
    return Kind(
        text(folder, frame().assign(a=days).to_csv(index=False)), X=np.stack([np.arange(ROWS) + 19723.0, B], axis=1)
    )


def with_an_id(folder: Path) -> Kind:
    table = frame()
    table.insert(0, "customer_id", np.arange(ROWS) * 7 + 1000)
    return Kind(text(folder, table.to_csv(index=False)))


def with_free_text(folder: Path) -> Kind:
    table = frame()
    table.insert(1, "remark", [f"seen at noon, {i}" for i in range(ROWS)])
    return Kind(text(folder, table.to_csv(index=False)))


def with_a_column_without_values(folder: Path) -> Kind:
    table = frame()
    table.insert(1, "nothing", "")
    return Kind(text(folder, table.to_csv(index=False)))


def with_numbers_in_quotes(folder: Path) -> Kind:
    return Kind(text(folder, frame().astype(str).to_csv(index=False, quoting=1)))


def a_pickle(folder: Path) -> Kind:
    frame().to_pickle(folder / "own.pkl")
    return Kind(folder / "own.pkl", refused="pickle.*to_parquet")


def a_web_page(folder: Path) -> Kind:
    return Kind(text(folder, "<!DOCTYPE html>\n<html>404</html>"), refused="web page")


def a_pointer_of_git_lfs(folder: Path) -> Kind:
    content = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    return Kind(text(folder, content), refused="git lfs pull")


def a_damaged_gzip(folder: Path) -> Kind:
    path = folder / "own.csv.gz"
    path.write_bytes(gzip.compress(plain().encode())[:-30])
    return Kind(path, refused="damaged")


def a_damaged_parquet(folder: Path) -> Kind:
    frame().to_parquet(folder / "own.parquet")
    path = folder / "own.parquet"
    path.write_bytes(path.read_bytes()[:-30])
    return Kind(path, refused="damaged")


def a_damaged_workbook(folder: Path) -> Kind:
    with zipfile.ZipFile(folder / "own.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "not xml")
    return Kind(folder / "own.xlsx", refused="damaged")


def a_ragged_row(folder: Path) -> Kind:
    return Kind(text(folder, plain() + "1,2\n"), refused=f"line {ROWS + 2}: it has 2 values; expected 3")


def an_open_quote(folder: Path) -> Kind:
    return Kind(text(folder, plain() + '1,2,"red\n'), refused=f"line {ROWS + 2}: a quote is out of place")


def no_rows(folder: Path) -> Kind:
    return Kind(text(folder, "a,b,kind\n"), refused="empty below its header")


def an_empty_file(folder: Path) -> Kind:
    return Kind(text(folder, ""), refused="is empty")


def broken_json(folder: Path) -> Kind:
    return Kind(text(folder, '{"a": 1, "kind": "x"}\n{"a": \n', "own.jsonl"), refused="line 2: this is no JSON")


def json_that_is_no_table(folder: Path) -> Kind:
    return Kind(text(folder, json.dumps([1, 2, 3]), "own.json"), refused="no table")


def one_class(folder: Path) -> Kind:
    return Kind(text(folder, frame().assign(kind="red").to_csv(index=False)), refused="single class")


def as_many_classes_as_rows(folder: Path) -> Kind:
    table = frame().assign(kind=[f"name {i}" for i in range(ROWS)])
    return Kind(text(folder, table.to_csv(index=False)), refused=r"too many classes.*dataset\.task=classification")


def a_missing_target(folder: Path) -> Kind:
    table = frame()
    table.loc[3, "kind"] = None
    return Kind(text(folder, table.to_csv(index=False)), refused=r"line 5.*'kind'.*missing.*dataset\.missing=drop")


def a_word_among_numbers(folder: Path) -> Kind:
    table = frame().astype({"a": str})
    table.loc[4, "a"] = "broken"
    return Kind(
        text(folder, table.to_csv(index=False)),
        refused=r"line 6, column 'a' is 'broken'.*dataset\.columns.*dataset\.na",
    )


KINDS: dict[str, Callable[[Path], Kind]] = {
    name: function
    for name, function in list(globals().items())
    if getattr(function, "__annotations__", {}).get("return") is Kind
}
