import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets import DataError, prepare
from datasets.parity import parity


def cross_entropy(A, y):
    return float(np.mean(-np.where(y == 1, np.log(A), np.log(1 - A))))


def sigmoid(Z):
    return 1 / (1 + np.exp(-Z))


def test_by_default_the_integers_one_to_ten():
    dataset = parity()
    assert dataset.train.X.ravel().tolist() == list(range(1, 11))
    assert dataset.train.y.tolist() == [1, 0] * 5
    assert dataset.test is None


def test_the_test_set_goes_on_where_training_stops():
    test = parity(test_to=20).test
    assert test.X.ravel().tolist() == list(range(11, 21))
    assert test.y.tolist() == [1, 0] * 5


@given(n=st.integers(1, 200), more=st.integers(1, 100))
def test_the_binary_code_is_the_integer_with_its_least_bit_first(n, more):
    dataset = parity(n, code="binary", test_to=n + more)
    d = (n + more).bit_length()
    assert dataset.n_features == d == len(dataset.inputs)
    assert (dataset.train.X @ 2.0 ** np.arange(d)).tolist() == list(range(1, n + 1))
    assert (dataset.test.X @ 2.0 ** np.arange(d)).tolist() == list(range(n + 1, n + more + 1))
    assert np.array_equal(dataset.train.X[:, 0], dataset.train.y)


def test_a_wider_binary_code_has_zeros_on_the_right():
    assert parity(n=3, code="binary", width=4).train.X[2].tolist() == [1, 1, 0, 0]


@given(n=st.integers(1, 10))
def test_bits_are_all_strings_and_signs_are_the_same_with_minus_one_for_zero(n):
    bits, signs = parity(n, code="bits"), parity(n, code="signs")
    assert len(np.unique(bits.train.X, axis=0)) == 2**n
    assert np.array_equal(bits.train.X, (signs.train.X + 1) / 2)
    assert np.array_equal(bits.train.y, bits.train.X.sum(axis=1) % 2)
    assert np.array_equal(bits.train.y, signs.train.y)


def test_bit_k_of_row_v_is_column_k():
    assert parity(n=3, code="bits").train.X[6].tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 21, "code": "bits"}, r"2\^21 strings; expected at most 20"),
        (
            {"n": 3, "code": "signs", "test_to": 5},
            "test_to=5 of parity is for code=integer or binary, not signs",
        ),
        ({"n": 3, "code": "bits", "width": 5}, "width=5 of parity is for code=integer or binary"),
        ({"width": 5}, "width=5 of parity is for code=binary"),
        ({"test_to": 10}, "test_to=10 of parity must be above dataset.n=10"),
        ({"code": "binary", "width": 4, "test_to": 16}, "width=4 of parity is too narrow: 16 needs 5 bits"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(DataError, match=message):
        parity(**options)


def test_the_five_bit_code_has_the_reference_cost_before_training():
    # reference.json: golden.parity1..10 5-bit code logistic gd lr1, seed 0
    X, y = parity(code="binary", width=5).train
    W = np.random.RandomState(0).randn(1, 5) * 0.01
    assert cross_entropy(sigmoid(X @ W.T).ravel(), y) == pytest.approx(0.6901278877402951, rel=1e-12)


def test_standardised_integers_have_the_reference_cost_before_training():
    # reference.json: golden.parity1..10 tanh 16-16 xavier adam.01 std, seed 0
    X, y = prepare(parity(), scaling="standardise").train
    random = np.random.RandomState(0)
    A = X
    for fan_in, fan_out in ((1, 16), (16, 16), (16, 1)):
        Z = A @ (random.randn(fan_out, fan_in) / np.sqrt(fan_in)).T
        A = np.tanh(Z)
    assert cross_entropy(sigmoid(Z).ravel(), y) == pytest.approx(0.6909766030315256, rel=1e-12)
