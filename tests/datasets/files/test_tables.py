import numpy as np
import pytest

from datasets import DataError
from datasets.files.tables import as_inputs, as_labels, encode, encode_as, existing, listed, nearest


def encoded(values, task="auto"):
    values = np.array(values)
    return encode(as_labels(values, len(values), "'y'"), task, "'y'")


class TestTask:
    def test_text_is_sorted_into_classes(self):
        y, classes = encoded(["dog", "cat", "dog"])
        assert (y.tolist(), classes) == ([1, 0, 1], ("cat", "dog"))

    def test_few_integers_are_classes_as_they_were_in_the_source(self):
        y, classes = encoded([7, -1, 7])
        assert (y.tolist(), classes) == ([1, 0, 1], (-1.0, 7.0))

    def test_whole_floats_and_booleans_are_integers(self):
        assert encoded([1.0, 2.0])[1] == (1.0, 2.0)
        assert encoded([True, False])[1] == (0.0, 1.0)

    def test_twenty_distinct_integers_are_classes_and_twenty_one_are_amounts(self):
        assert len(encoded(range(20))[1]) == 20
        y, classes = encoded(range(21))
        assert classes is None
        assert y.tolist() == list(range(21))
        assert y.dtype == np.float64

    def test_fractions_are_a_regression(self):
        y, classes = encoded([0.5, 1.0, 0.5])
        assert (y.tolist(), classes) == ([0.5, 1.0, 0.5], None)

    def test_the_task_can_be_said(self):
        assert encoded([0, 1], "regression")[1] is None
        assert encoded(range(30), "classification")[1] == tuple(map(float, range(30)))

    def test_classes_are_plain_python_values(self):
        assert [type(c) for c in encoded([0, 1])[1] + encoded(["a", "b"])[1]] == [float, float, str, str]

    def test_text_is_no_regression(self):
        with pytest.raises(DataError, match="holds text such as 'a'; expected numbers for task=regression"):
            encoded(["a", "b"], "regression")

    def test_a_single_class_is_refused(self):
        with pytest.raises(DataError, match=r"single class 3\.0; expected two or more"):
            encoded([3, 3])


class TestLabels:
    @pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 4)])
    def test_may_stand_in_a_row_or_in_a_column(self, shape):
        assert as_labels(np.arange(4).reshape(shape), 4, "'y'").codes.tolist() == [0, 1, 2, 3]

    @pytest.mark.parametrize("shape", [(2, 2), (3,), (4, 2), ()])
    def test_are_one_for_each_row(self, shape):
        with pytest.raises(DataError, match=r"expected \(4,\), one target for each of the 4 rows of X"):
            as_labels(np.zeros(shape), 4, "'y'")

    def test_bytes_are_text(self):
        assert as_labels(np.array(["né".encode(), b"a"]), 2, "'y'").distinct.tolist() == ["a", "né"]
        with pytest.raises(DataError, match="not UTF-8"):
            as_labels(np.array([b"\xff", b"a"]), 2, "'y'")

    @pytest.mark.parametrize(("bad", "shown"), [(np.nan, "nan"), (np.inf, "inf")])
    def test_are_finite(self, bad, shown):
        with pytest.raises(DataError, match=rf"'y': row 1 \(counted from 0\) is {shown}"):
            as_labels(np.array([0.0, bad]), 2, "'y'")

    def test_are_not_empty_text(self):
        with pytest.raises(DataError, match=r"row 1 .* is ' '"):
            as_labels(np.array(["a", " "]), 2, "'y'")

    def test_of_the_test_set_take_the_indices_of_training(self):
        labels = as_labels(np.array(["c", "a"]), 2, "'y'")
        assert encode_as(labels, ("a", "b", "c"), str).tolist() == [2, 0]

    def test_unknown_in_training_are_refused_with_the_nearest(self):
        labels = as_labels(np.array(["cat", "dgo"]), 2, "'y'")
        with pytest.raises(DataError, match=r"row 1 is 'dgo'.*expected one of 'cat', 'dog' .did you mean 'dog'"):
            encode_as(labels, ("cat", "dog"), lambda row: f"row {row}")

    def test_text_cannot_test_a_regression(self):
        labels = as_labels(np.array(["b", "a"]), 2, "'y'")
        with pytest.raises(DataError, match="row 0 is 'b'; expected a number"):
            encode_as(labels, None, lambda row: f"row {row}")


class TestInputs:
    def test_one_dimension_is_one_column(self):
        assert as_inputs(np.arange(3), "'X'")[0].tolist() == [[0], [1], [2]]

    @pytest.mark.parametrize(
        ("shape", "image"),
        [
            ((5, 4, 3, 3), (4, 3, 3)),
            ((5, 4, 3, 1), (4, 3, 1)),
            ((5, 4, 3, 2), None),
            ((5, 4, 3), None),
            ((5, 4), None),
        ],
    )
    def test_more_dimensions_are_flattened_and_pictures_remembered(self, shape, image):
        array = np.arange(np.prod(shape)).reshape(shape)
        X, image_shape = as_inputs(array, "'X'")
        assert np.array_equal(X, array.reshape(5, -1))
        assert X.dtype == np.float64
        assert image_shape == image

    @pytest.mark.parametrize(
        ("array", "message"),
        [
            (np.array(["a", "b"]), "holds <U1; expected numbers"),
            (np.array([1j, 2]), "holds complex128"),
            (np.zeros((0, 3)), r"shape \(0, 3\); expected 2 or more rows"),
            (np.zeros((1, 3)), r"shape \(1, 3\); expected 2 or more rows"),
            (np.zeros((3, 0)), "of one or more values"),
            (np.array(1.0), r"shape \(\)"),
            (np.array([[0, 1], [2, np.nan]]), r"row 1, column 1 \(counted from 0\) is nan"),
        ],
    )
    def test_are_two_or_more_rows_of_finite_numbers(self, array, message):
        with pytest.raises(DataError, match=message):
            as_inputs(array, "'X'")


class TestPaths:
    def test_a_missing_file_is_named_with_its_neighbour(self, tmp_path):
        (tmp_path / "train.csv").write_text("")
        with pytest.raises(DataError, match=r"trian\.csv is not there .*did you mean 'train\.csv'"):
            existing(str(tmp_path / "trian.csv"))

    def test_a_directory_is_no_file(self, tmp_path):
        with pytest.raises(DataError, match="is a directory; expected a file"):
            existing(str(tmp_path))

    def test_the_home_directory_may_be_abbreviated(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "own.csv").write_text("")
        assert existing("~/own.csv") == tmp_path / "own.csv"


def test_names_for_messages():
    assert nearest("xyz", ["train"]) == ""
    assert listed([]) == "nothing"
    assert listed("abcd", most=2) == "'a', 'b' and 2 more"
