import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets import DataError
from datasets.spiral import spiral


def post(seed):
    """The data of the post, from the description in the reference: one random.random() a point."""
    state = random.getstate()
    random.seed(seed)
    r, theta = np.linspace(0, 5, 1000), np.linspace(0, 8 * np.pi, 1000)
    X, y = [], []
    for i in range(1000):
        radius = r[i] + random.random()
        X.append([radius * np.cos(theta[i]), radius * np.sin(theta[i])])
        y.append(0 if i < 333 else 1 if i < 666 else 2)
    random.setstate(state)
    return np.array(X), np.array(y)


@pytest.mark.parametrize("seed", [0, 1, 1019])
def test_the_legacy_draw_is_that_of_the_post(seed):
    X, y = post(seed)
    dataset = spiral(seed=seed)
    # NumPy's sine of an array and of a scalar may differ in the last bit
    np.testing.assert_allclose(dataset.train.X, X, rtol=0, atol=1e-14)
    assert np.array_equal(dataset.train.y, y)


def test_the_posted_network_has_its_published_cost_before_training():
    # reference.json: s004.posted, seed 0; drawn in the order W1, W2, b1, b2
    X, y = spiral(seed=0).train
    draw = np.random.RandomState(0).randn
    W1, W2, b1, b2 = draw(2, 5), draw(5, 1), draw(5), draw(1)

    def sigmoid(Z):
        return 1 / (1 + np.exp(-Z))

    A = sigmoid(sigmoid(X @ W1 + b1) @ W2 + b2).ravel()
    assert np.mean((A - y) ** 2) / 2 == pytest.approx(0.5920390929275725, rel=1e-12)


@pytest.mark.parametrize("rng", ["legacy", "default"])
def test_the_test_draw_is_the_training_draw_of_another_seed(rng):
    dataset = spiral(seed=3, rng=rng, test_n=500)
    assert np.array_equal(dataset.test.X, spiral(n=500, seed=1003, rng=rng).train.X)
    assert np.array_equal(dataset.test.y, spiral(n=500).train.y)


def test_drawing_leaves_the_global_generator_of_python_alone():
    before = random.getstate()
    spiral()
    assert random.getstate() == before


@given(n=st.integers(2, 300), classes=st.integers(2, 20))
def test_classes_are_consecutive_and_of_nearly_equal_size(n, classes):
    if n < classes:
        with pytest.raises(DataError, match=f"n={n} rows of spiral cannot hold dataset.classes={classes}"):
            spiral(n=n, classes=classes)
        return
    y = spiral(n=n, classes=classes).train.y
    assert np.array_equal(y, np.sort(y))
    counts = np.bincount(y, minlength=classes)
    assert counts.sum() == n
    assert np.ptp(counts) <= 1


def test_without_noise_the_rim_is_at_the_radius():
    X = spiral(noise=0.0, radius=2.0).train.X
    assert np.linalg.norm(X[-1]) == pytest.approx(2.0)
