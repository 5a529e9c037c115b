from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datasets import DataError, Dataset, Rows, check, prepare
from datasets.flower import flower
from datasets.parity import parity
from datasets.spiral import spiral
from datasets.xor import xor

FLOWER = flower(n=100)
REGRESSION = Dataset("line", Rows(np.arange(20.0)[:, None], np.arange(20.0)))


def rows_of(X):
    return [tuple(row) for row in X]


fractions = st.floats(0.05, 0.45)


class TestSplit:
    @given(test=fractions, validation=fractions, seed=st.integers(0, 1000))
    def test_parts_are_a_partition_of_the_rows(self, test, validation, seed):
        prepared = prepare(FLOWER, test_fraction=test, validation=validation, split_seed=seed)
        together = [row for part in prepared.parts.values() for row in rows_of(part.X)]
        assert sorted(together) == sorted(rows_of(FLOWER.train.X))
        label = dict(zip(rows_of(FLOWER.train.X), FLOWER.train.y, strict=True))
        for part in prepared.parts.values():
            assert [label[row] for row in rows_of(part.X)] == part.y.tolist()

    @given(fraction=fractions, sizes=st.lists(st.integers(10, 60), min_size=2, max_size=6))
    def test_every_class_gives_its_share_to_within_one_row_and_the_total_is_rounded(self, fraction, sizes):
        y = np.repeat(np.arange(len(sizes)), sizes)
        rows = Rows(np.arange(float(len(y)))[:, None], y)
        dataset = Dataset("made", rows, classes=tuple(map(float, range(len(sizes)))))
        counts = np.bincount(prepare(dataset, test_fraction=fraction).test.y, minlength=len(sizes))
        assert (np.abs(counts - fraction * np.array(sizes)) < 1 + 1e-9).all()
        assert abs(counts.sum() - fraction * sum(sizes)) <= 0.5 + 1e-9

    def test_regression_rows_are_split_without_strata(self):
        prepared = prepare(REGRESSION, test_fraction=0.25, validation=0.2)
        assert {name: len(part.y) for name, part in prepared.parts.items()} == {
            "train": 12,
            "validation": 3,
            "test": 5,
        }

    def test_rows_keep_their_order(self):
        prepared = prepare(REGRESSION, test_fraction=0.25, validation=0.2)
        assert all((np.diff(part.y) > 0).all() for part in prepared.parts.values())

    @given(seed=st.integers(0, 2**32))
    def test_the_same_seed_gives_the_same_data(self, seed):
        first, second = (
            prepare(FLOWER, test_fraction=0.2, validation=0.1, scaling="unit", split_seed=seed) for _ in range(2)
        )
        assert first.digest() == second.digest()

    def test_another_seed_gives_other_parts(self):
        digests = {prepare(FLOWER, test_fraction=0.2, split_seed=seed).digest() for seed in range(5)}
        assert len(digests) == 5

    def test_without_options_nothing_changes(self):
        assert prepare(FLOWER).digest() == FLOWER.digest()
        assert prepare(FLOWER).scaling is None

    def test_the_dataset_that_comes_in_is_left_alone(self):
        before = FLOWER.digest()
        prepare(FLOWER, test_fraction=0.3, validation=0.3, scaling="standardise")
        assert FLOWER.digest() == before

    def test_a_given_test_set_is_kept_and_not_split_again(self):
        dataset = parity(test_to=20)
        with pytest.raises(DataError, match="parity brings its own test set of 10 rows; expected 0"):
            prepare(dataset, test_fraction=0.2)
        assert len(prepare(dataset, validation=0.2).test.y) == 10

    def test_a_class_without_a_training_row_is_refused(self):
        with pytest.raises(DataError, match=r"class 0\.0 has no row among the 1 to train on \(3 rows are held"):
            prepare(xor(), test_fraction=0.75)

    def test_a_single_class_is_refused_even_without_a_split(self):
        with pytest.raises(DataError, match=r"class 0\.0 has no row among the 1 to train on"):
            prepare(parity(n=1))

    @pytest.mark.parametrize(("fraction", "held_out"), [(0.01, 0), (0.99, 20)])
    def test_a_fraction_that_leaves_one_side_empty_is_refused(self, fraction, held_out):
        with pytest.raises(DataError, match=rf"validation={fraction} of 20 rows holds out {held_out};"):
            prepare(REGRESSION, validation=fraction)


tables = arrays(np.float64, (12, 3), elements=st.integers(-1000, 1000).map(float))


class TestScaling:
    @given(tables)
    def test_standardised_columns_have_mean_0_and_deviation_1_or_are_0_where_constant(self, X):
        Z = prepare(Dataset("made", Rows(X, np.zeros(12))), scaling="standardise").train.X
        constant = np.ptp(X, axis=0) == 0
        assert np.allclose(Z.mean(axis=0), 0, atol=1e-9)
        assert np.allclose(Z.std(axis=0), np.where(constant, 0, 1), atol=1e-9)

    @given(tables)
    def test_unit_columns_reach_from_0_to_1_or_are_0_where_constant(self, X):
        Z = prepare(Dataset("made", Rows(X, np.zeros(12))), scaling="unit").train.X
        constant = np.ptp(X, axis=0) == 0
        assert (Z.min(axis=0) == 0).all()
        assert np.array_equal(Z.max(axis=0), np.where(constant, 0.0, 1.0))

    def test_a_constant_that_binary_cannot_write_is_constant_all_the_same(self):
        X = np.full((10, 1), 0.1)  # its computed deviation is 1e-17
        assert not prepare(Dataset("made", Rows(X, np.arange(10.0))), scaling="standardise").train.X.any()

    @pytest.mark.parametrize("scaling", ["standardise", "unit"])
    @given(seed=st.integers(0, 100))
    def test_it_is_fitted_on_the_remaining_training_rows_alone(self, scaling, seed):
        options = {"test_fraction": 0.3, "validation": 0.3, "split_seed": seed}
        raw, scaled = prepare(FLOWER, **options), prepare(FLOWER, scaling=scaling, **options)
        alone = prepare(replace(raw, test=None, validation=None), scaling=scaling)
        assert np.array_equal(scaled.train.X, alone.train.X)
        for part, rows in raw.parts.items():
            assert np.array_equal(scaled.parts[part].X, alone.scaling.apply(rows.X))
            assert np.array_equal(scaled.parts[part].y, rows.y)

    def test_standardising_is_the_textbook_formula(self):
        X = spiral().train.X
        Z = prepare(spiral(), scaling="standardise").train.X
        assert np.array_equal(Z, (X - X.mean(axis=0)) / X.std(axis=0))

    def test_dividing_is_bit_for_bit_the_division(self):
        X = np.arange(256.0)[:, None]
        prepared = prepare(Dataset("bytes", Rows(X, X.ravel())), scaling="divide", divisor=255)
        assert np.array_equal(prepared.train.X, X / 255)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"scaling": "divide"}, "scaling=divide needs dataset.divisor"),
            (
                {"scaling": "unit", "divisor": 2.0},
                "divisor=2 is for dataset.scaling=divide; expected null with unit",
            ),
            ({"divisor": 255.0}, "divisor=255 is for dataset.scaling=divide; expected null with none"),
        ],
    )
    def test_a_divisor_belongs_to_divide(self, options, message):
        with pytest.raises(DataError, match=message):
            prepare(xor(), **options)

    @pytest.mark.parametrize("scaling", ["standardise", "unit"])
    def test_values_that_overflow_are_refused_with_their_column(self, scaling):
        X = np.array([[0.0, -1.7e308], [1.0, 1.7e308]])
        dataset = Dataset("huge", Rows(X, np.zeros(2)), inputs=("small", "large"))
        with pytest.raises(DataError, match=f"huge: column 'large' cannot be scaled by {scaling}"):
            prepare(dataset, scaling=scaling)


def broken(part="train", **changes):
    """Exclusive or with a test set, where one array of one part is another."""
    dataset = replace(xor(), test=xor().train)
    return replace(dataset, **{part: getattr(dataset, part)._replace(**changes)})


def with_value(value):
    X = xor().train.X.copy()
    X[2, 1] = value
    return X


class TestCheck:
    @pytest.mark.parametrize(
        ("dataset", "message"),
        [
            (broken(X=np.zeros(4)), r"xor, train: X is float64 of shape \(4,\); expected a float64 array"),
            (broken(X=np.zeros((4, 2), int)), "X is int64 of shape"),
            (broken(X=[[0.0]]), "X is a list; expected a float64 array"),
            (broken(X=np.zeros((0, 2))), r"X has shape \(0, 2\); expected at least one row and one column"),
            (broken(X=np.zeros((4, 0))), r"X has shape \(4, 0\)"),
            (broken("test", X=np.zeros((4, 3))), "xor, test: X has 3 columns; expected 2, as in train"),
            (replace(xor(), inputs=("a",)), "X has 2 columns; expected 1, one for each name"),
            (broken(X=with_value(np.nan)), r"train: row 2 \(counted from 0\), column 'x2' is nan"),
            (broken("test", X=with_value(-np.inf)), r"test: row 2 \(counted from 0\), column 'x2' is -inf"),
            (broken(X=np.zeros((3, 2))), "X has 3 rows and y has 4"),
            (
                broken(y=np.zeros(4)),
                r"y is float64 of shape \(4,\); expected indices of classes, a int64 array",
            ),
            (
                broken(y=np.array([0, 1, 2, 0])),
                r"y in row 2 \(counted from 0\) is 2; expected an index in 0..1",
            ),
            (broken("test", y=np.array([0, -1, 0, 0])), "test: y in row 1 .* is -1"),
            (replace(xor(), classes=None), "y is int64 .* expected regression targets, a float64 array"),
            (replace(xor(), classes=(1.0,)), r"classes \(1.0,\); expected two or more"),
            (replace(xor(), classes=("a", "a")), "all different"),
        ],
    )
    def test_what_training_could_not_use_is_refused_with_its_place(self, dataset, message):
        with pytest.raises(DataError, match=message):
            check(dataset)
        with pytest.raises(DataError, match=message):
            prepare(dataset)

    def test_columns_without_names_are_counted(self):
        with pytest.raises(DataError, match=r"column 1 is nan"):
            check(replace(broken(X=with_value(np.nan)), inputs=()))

    def test_regression_targets_are_finite(self):
        y = np.array([0.0, np.nan])
        with pytest.raises(DataError, match=r"y in row 1 \(counted from 0\) is nan; expected a finite number"):
            check(Dataset("made", Rows(np.zeros((2, 1)), y)))
