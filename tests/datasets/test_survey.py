from dataclasses import replace

import numpy as np
import pytest

from datasets import Dataset, Rows, Scaling
from datasets.survey import overview, warnings


def made_of(X, y=None, classes=("no", "yes"), **more):
    y = np.arange(len(X)) % 2 if y is None else y
    return Dataset("csv", Rows(np.asarray(X, dtype=float), y), classes=classes, source="own.csv", **more)


def test_the_rows_of_each_class_are_counted():
    dataset = made_of(np.ones((4, 1)), np.array([0, 1, 1, 1]))
    assert overview(dataset) == "classes: no (1 rows, 25%), yes (3 rows, 75%)"


def test_many_classes_are_not_all_named():
    dataset = made_of(np.ones((20, 1)), np.arange(20), classes=tuple(float(label) for label in range(20)))
    assert "7 (1 rows, 5%) and 12 more" in overview(dataset)
    assert "dataset.task=regression" in overview(dataset)  # the way out, where they are amounts


def test_a_regression_is_said_to_be_one():
    dataset = made_of(np.ones((2, 1)), np.array([1.0, 4.0]), classes=None)
    assert overview(dataset).startswith("targets: 1 to 4, mean 2.5; numbers, so a regression: its score is r2, R²")


@pytest.mark.parametrize("factor", [1e-5, 1e4])
def test_columns_far_from_1_are_named_with_the_override(factor):
    X = np.random.default_rng(0).normal(size=(50, 3)) * [1, factor, 1]
    (said,) = warnings(made_of(X, inputs=("a", "income", "c")))
    assert said.startswith("1 column is far from 1: 'income'")
    assert "dataset.scaling=standardise" in said


def test_columns_near_1_constant_ones_of_0_and_scaled_ones_are_not():
    X = np.random.default_rng(0).normal(size=(50, 3)) * [0.1, 10, 0]
    assert warnings(made_of(X)) == ()
    assert warnings(made_of(X * 1e6, scaling=Scaling(np.zeros(3), np.ones(3)))) == ()


def test_data_that_the_program_makes_is_as_it_is():
    assert warnings(replace(made_of(np.full((4, 1), 1e6)), source="made")) == ()


def test_large_targets_are_named():
    (said,) = warnings(made_of(np.ones((2, 1)), np.array([2e5, 3e5]), classes=None))
    assert said.startswith("the targets are of a size of 2.55e+05")
