"""Scores: the share of rows that are right, and R² where targets are numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.nn import scores

numbers = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20).filter(lambda y: max(y) - min(y) > 1e-2)


def test_the_most_probable_class_has_the_largest_output_and_ties_go_to_the_first():
    A = np.array([[[0.1, 0.7, 0.2], [0.4, 0.2, 0.4], [0.3, 0.3, 0.4]]])
    np.testing.assert_array_equal(scores.most_probable(A), [[1, 0, 2]])


def test_a_sigmoid_says_one_only_above_a_half():
    A = np.array([0.0, 0.5, np.nextafter(0.5, 1), 1.0]).reshape(1, 4, 1)
    np.testing.assert_array_equal(scores.nearest_label(A, np.array([0.0, 1.0])), [[0, 0, 1, 1]])


@given(
    labels=st.lists(st.integers(-5, 5), min_size=2, max_size=6, unique=True).map(sorted),
    outputs=st.lists(st.floats(-8, 8), min_size=1, max_size=9),
)
def test_the_nearest_label_has_no_nearer(labels: list[int], outputs: list[float]):
    A, values = np.array(outputs).reshape(1, -1, 1), np.array(labels, dtype=float)
    found = scores.nearest_label(A, values)[0]
    distances = np.abs(np.array(outputs)[:, None] - values)
    np.testing.assert_array_equal(distances[np.arange(len(outputs)), found], distances.min(axis=1))


def test_the_share_of_right_rows_is_each_members_own():
    predicted = np.array([[0, 1, 2, 1], [0, 0, 0, 0], [0, 1, 1, 1]])
    np.testing.assert_array_equal(scores.share_right(predicted, np.array([0, 1, 1, 1])), [0.75, 0.25, 1.0])


@given(y=numbers)
def test_r_squared_is_one_where_perfect_and_zero_at_the_mean(y: list[float]):
    Y = np.array(y)[:, None]
    A = np.stack([Y, np.full_like(Y, Y.mean())])
    np.testing.assert_allclose(scores.r_squared(A, Y), [1, 0], atol=1e-9)


@given(y=numbers, shift=st.floats(0.1, 10))
def test_r_squared_is_negative_for_a_constant_that_is_worse_than_the_mean(y: list[float], shift: float):
    Y = np.array(y)[:, None]
    [score] = scores.r_squared(np.full_like(Y, Y.mean() + shift)[None], Y)
    assert score == pytest.approx(-(shift**2) / Y.var(), rel=1e-6)
    assert score < 0


def test_r_squared_of_several_outputs_is_over_all_of_them():
    Y = np.array([[0.0, 10.0], [2.0, 10.0]])
    A = np.array([[[0.0, 10.0], [1.0, 10.0]]])
    np.testing.assert_allclose(scores.r_squared(A, Y), [0.5])
