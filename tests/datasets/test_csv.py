import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.csv import read_csv

from datasets import DataError, prepare
from datasets.csv import csv
from datasets.encoding import Column, Encoding, coded_of
from datasets.files import text
from datasets.files.sheet import Format


@pytest.fixture
def write(tmp_path):
    """Writes a table and returns its path."""

    def written(text, name="own.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return str(path)

    return written


TABLE = "height,weight,pet\n30,4.5,cat\n60,25,dog\n25,4,cat\n"


def test_the_header_names_inputs_and_target(write):
    dataset = csv(write(TABLE), "pet")
    assert dataset.inputs == ("height", "weight")
    assert dataset.train.X.tolist() == [[30, 4.5], [60, 25], [25, 4]]
    assert dataset.train.y.tolist() == [0, 1, 0]
    assert dataset.classes == ("cat", "dog")
    prepare(dataset, scaling="standardise")


@pytest.mark.parametrize("target", ["height", "weight", "pet"])
def test_the_target_may_be_any_column(write, target):
    table = TABLE.replace("cat", "0").replace("dog", "1")
    dataset = csv(write(table), target)
    assert target not in dataset.inputs
    assert dataset.train.X.shape == (3, 2)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_delimiter_is_found_in_the_header(write, mark):
    assert csv(write(TABLE.replace(",", mark)), "pet").train.X[0].tolist() == [30, 4.5]


@pytest.mark.parametrize(("mark", "said"), [("|", "|"), (" ", " "), ("\t", "tab"), ("\t", "\t"), ("\t", "\\t")])
def test_the_delimiter_may_be_said(write, mark, said):
    assert csv(write(TABLE.replace(",", mark)), "pet", delimiter=said).train.X[0].tolist() == [30, 4.5]


@pytest.mark.parametrize("said", ["", "ab", "a", '"', "\n", "."])
def test_what_cannot_part_columns_is_refused(write, said):
    with pytest.raises(DataError, match="cannot part columns; expected one character, or tab"):
        csv(write(TABLE), "pet", delimiter=said)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + TABLE,  # as spreadsheets begin it
        TABLE.replace("\n", "\r\n"),
        TABLE.replace("\n", "\n\n"),
        "\n" + TABLE,
        TABLE.rstrip(),
        '"height", weight ,"pet"\n30 , 4.5,"cat"\n"60",25,dog\n25,4, cat \n',
    ],
    ids=["mark", "crlf", "empty lines", "empty first", "no last newline", "quotes and spaces"],
)
def test_the_same_table_as_other_programs_write_it(write, text):
    assert csv(write(text), "pet").digest() == csv(write(TABLE), "pet").digest()


def test_quoted_names_and_labels_may_hold_delimiters_and_line_ends(write):
    dataset = csv(write('"a,b",y\n1,"x, or ""y"""\n2,"two\nlines"\n'), "y")
    assert dataset.inputs == ("a,b",)
    assert dataset.classes == ("two\nlines", 'x, or "y"')


def test_numbers_written_differently_are_one_class(write):
    dataset = csv(write("x,y\n1,0\n2,0.0\n3,1e0\n"), "y")
    assert dataset.classes == (0.0, 1.0)
    assert dataset.train.y.tolist() == [0, 0, 1]


def test_numbers_with_fractions_are_a_regression(write):
    dataset = csv(write("x,y\n1,0.5\n2,0.25\n3,0.5\n"), "y")
    assert dataset.classes is None
    assert dataset.train.y.tolist() == [0.5, 0.25, 0.5]


@given(st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 2)), min_size=3))
def test_numbers_are_read_as_they_were_written(tmp_path_factory, rows):
    if len({label for _, label in rows}) < 2:
        rows = [*rows, (0.0, 3)]
    path = tmp_path_factory.mktemp("csv") / "own.csv"
    path.write_text("x,y\n" + "".join(f"{x!r},{label}\n" for x, label in rows))
    dataset = csv(str(path), "y")
    assert dataset.train.X.ravel().tolist() == [x for x, _ in rows]
    assert [dataset.classes[index] for index in dataset.train.y] == [label for _, label in rows]


@pytest.fixture
def large(monkeypatch):
    """Every table counts as a large one."""
    monkeypatch.setattr(text, "LARGE", 0)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(repr)
SPELLINGS = st.one_of(NUMBERS, st.sampled_from(["+5", " 7 ", '"8"', "1e3", ".5", "5.", "-0", "1E-300", "007"]))


@given(st.lists(st.tuples(SPELLINGS, SPELLINGS, st.sampled_from(["cat", '"a, ""b"""', " dog", "é"])), min_size=2))
def test_a_large_table_gives_the_same_bits_by_arrow(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "own.csv"
    path.write_text("a,b,y\n" + "".join(",".join(row) + "\n" for row in [*rows, ("1", "2", "one"), ("1", "2", "two")]))
    slow, fast = _read_both_ways(path)
    assert slow.rows == fast.rows
    for name in ("a", "b"):
        columns = [Encoding((Column(name),)).read(sheet.columns)[0].tobytes() for sheet in (slow, fast)]
        assert columns[0] == columns[1]
    said = [[coded.values[code] for code in coded.codes] for coded in (coded_of(s.columns["y"]) for s in (slow, fast))]
    assert said[0] == said[1]


def _read_both_ways(path: Path):
    """The sheet as Python reads it, and as Arrow does."""
    sheets = []
    for large in (1 << 60, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(text, "LARGE", large)
            sheets.append(text.read_text(path, path.read_bytes(), Format(), ["y"]))
    return sheets


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("60,,dog", "line 3, column 'weight': the value is missing"),
        ("60,25", "line 3: it has 2 values; expected 3"),
        ("60,25,dog,1", "line 3: it has 4 values; expected 3"),
        ("60,2024-01-01,dog", "line 3, column 'weight' is '2024-01-01'"),
        ("60,inf,dog", "line 3, column 'weight' is inf"),
        ("60,25,", "line 3, column 'pet'.*expected a label"),
        ('60,25,"dog', "line 3: a quote is out of place"),
    ],
)
def test_a_large_table_is_refused_as_a_small_one_is(write, large, row, message):
    with pytest.raises(DataError, match=message):
        csv(write(TABLE.replace("60,25,dog", row)), "pet")


class TestTestTable:
    def test_may_have_its_columns_in_another_order(self, write):
        test = write("pet,weight,height\ndog,26,61\n", "test.csv")
        dataset = csv(write(TABLE), "pet", test_path=test)
        assert dataset.test.X.tolist() == [[61, 26]]
        assert dataset.test.y.tolist() == [1]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("height,wight,pet\n1,2,cat\n", r"test\.csv has no column 'weight', which .* mean 'wight'"),
            ("height,weight,age\n1,2,3\n", r"test\.csv has no column 'pet', the target.*runner\.predict RUN --data"),
            (
                "height,weight,pet\n1,2,cat\n\n3,4,cow\n",
                r"column 'pet' in line 4 of .*test\.csv is 'cow', no class",
            ),
        ],
    )
    def test_has_the_columns_and_classes_of_training(self, write, text, message):
        with pytest.raises(DataError, match=message):
            csv(write(TABLE), "pet", test_path=write(text, "test.csv"))

    def test_a_word_cannot_test_a_regression(self, write):
        test = write("x,y\n1,2\n2,many\n", "test.csv")
        with pytest.raises(DataError, match="expected a number"):
            csv(write("x,y\n1,0.5\n2,0.25\n"), "y", test_path=test)


class TestRefusal:
    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("tall", r"own\.csv, line 3, column 'height' is 'tall'; expected a finite number"),
            ("", r"own\.csv, line 3, column 'height': the value is missing; expected a finite number"),
            ("  ", r"line 3, column 'height': the value is missing"),
            ("nan", "line 3, column 'height': the value is missing; expected a finite number"),
            ("-inf", "line 3, column 'height' is -inf; expected a finite number"),
            ("1_000", "line 3, column 'height' is '1_000'"),
            ("٣", "line 3, column 'height' is '٣'"),
            ("1e999", "line 3, column 'height' is inf; expected a finite number"),
            ("1,5", "line 3: it has 4 values; expected 3"),
            ('"1,5"', "line 3, column 'height' is '1,5'"),
        ],
    )
    def test_of_an_input_names_line_and_column(self, write, value, message):
        with pytest.raises(DataError, match=message):
            csv(write(TABLE.replace("60", value)), "pet")

    @pytest.mark.parametrize("label", ["", " ", "nan", "inf"])
    def test_of_a_label_names_line_and_column(self, write, label):
        with pytest.raises(DataError, match=r"line 3, column 'pet'.*expected a label or a finite number"):
            csv(write(TABLE.replace("dog", label)), "pet")

    @pytest.mark.parametrize(("row", "count"), [("1,2", 2), ("1,2,cat,4", 4), ("1", 1), ("1,2,cat,", 4)])
    @pytest.mark.parametrize("line", [2, 3, 5])
    def test_of_a_ragged_row_names_the_line(self, write, row, count, line):
        lines = TABLE.splitlines()
        lines.insert(line - 1, row)
        with pytest.raises(DataError, match=f"line {line}: it has {count} values; expected 3"):
            csv(write("\n".join(lines)), "pet")

    def test_counts_lines_as_an_editor_does(self, write):
        text = 'x,y\n1,"two\nlines"\n\nbad,b\n'
        with pytest.raises(DataError, match="line 5, column 'x' is 'bad'"):
            csv(write(text), "y")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", r"own\.csv is empty; expected a line with the names"),
            ("\n\n", "is empty"),
            ("x,y\n", "empty below its header"),
            ("x,y\n1,2.5\n", "one row below its header; expected two or more"),
            ("x,y\n1,2\n2,2\n", r"column 'y' of .* single class 2\.0"),
            ("1,2\n3,4\n", "The first line is numbers: dataset.header=auto takes it for data"),
            ("y\n0\n1\n", "has the target 'y' and no other column"),
            ("x;label\n0,5;1\n", r"target=y is no column of .*: 'x', 'label'"),
        ],
    )
    def test_of_a_table_that_is_none(self, write, text, message):
        with pytest.raises(DataError, match=message):
            csv(write(text), "y")

    def test_of_an_unknown_target_proposes_the_nearest(self, write):
        with pytest.raises(DataError, match=r"target=wieght is no column .*did you mean 'weight'"):
            csv(write(TABLE), "wieght")

    @pytest.mark.parametrize("where", [0, 20_000])
    def test_of_what_is_no_text(self, write, where):
        table = "x,y\n" + "1,a\n" * where + "1,é\n"
        with pytest.raises(DataError, match="is not text in UTF-8"):
            csv(write(table, encoding="latin-1"), "y", encoding="utf-8")

    @pytest.mark.parametrize("row", ['3,"b', '"3,b'])
    def test_of_a_quote_that_is_never_closed_and_would_swallow_the_rows_below(self, write, row):
        with pytest.raises(DataError, match="line 4: a quote is out of place"):
            csv(write(f"x,y\n1,a\n2,b\n{row}\n4,a\n5,b\n"), "y")

    def test_of_a_word_among_amounts(self, write):
        rows = [f"{i},{i / 3}" for i in range(30)]
        rows[6] = "6,none"
        path = write("x,y\n" + "\n".join(rows))
        with pytest.raises(DataError, match=r"own\.csv, line 8, column 'y' is 'none'; expected a number"):
            csv(path, "y")
        assert len(csv(path, "y", task="classification").classes) == 30

    def test_of_a_word_in_a_regression(self, write):
        with pytest.raises(DataError, match="line 2, column 'pet' is 'cat'; expected a number"):
            csv(write(TABLE), "pet", task="regression")


@pytest.mark.slow
def test_a_million_rows_of_twenty_columns_take_a_few_times_what_pyarrow_takes(tmp_path):
    path = tmp_path / "own.csv"
    values = np.random.default_rng(0).standard_normal((1000, 20))
    lines = [",".join(map(repr, row)) + f",{'ab'[i % 2]}\n" for i, row in enumerate(values.tolist())]  # 17 digits
    with path.open("w") as file:
        file.write(",".join(f"x{i}" for i in range(20)) + ",y\n")
        for _ in range(1000):
            file.writelines(lines)
    began = time.process_time()
    read_csv(path)
    arrow = time.process_time() - began
    dataset = csv(str(path), "y")
    ours = time.process_time() - began - arrow
    print(f"{ours:.1f} s against {arrow:.1f} s")
    assert ours < 5 * arrow
    assert dataset.train.X.shape == (1_000_000, 20)
