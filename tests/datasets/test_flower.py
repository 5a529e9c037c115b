import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.flower import flower


def course(seed, m=400):
    """load_planar_dataset of the course, in its own words, from the description in the reference."""
    random = np.random.RandomState(seed)
    N, a = m // 2, 4
    X, Y = np.zeros((m, 2)), np.zeros(m)
    for j in range(2):
        ix = range(N * j, N * (j + 1))
        t = np.linspace(j * 3.12, (j + 1) * 3.12, N) + random.randn(N) * 0.2
        r = a * np.sin(4 * t) + random.randn(N) * 0.2
        X[ix] = np.c_[r * np.sin(t), r * np.cos(t)]
        Y[ix] = j
    return X, Y


@pytest.mark.parametrize("seed", [1, 2, 17])
def test_the_legacy_draw_is_the_course_bit_for_bit(seed):
    X, Y = course(seed)
    dataset = flower(seed=seed)
    assert np.array_equal(dataset.train.X, X)
    assert np.array_equal(dataset.train.y, Y)


def test_the_networks_of_the_reference_have_their_published_cost_before_training():
    X, y = flower().train

    def cost(activation, scales, seed):
        random = np.random.RandomState(seed)
        W1, W2 = random.randn(4, 2) * scales[0], random.randn(1, 4) * scales[1]
        Z = (activation(X @ W1.T) @ W2.T).ravel()
        return float(np.mean(np.logaddexp(0, Z) - y * Z))

    relu = cost(lambda Z: np.maximum(Z, 0), (np.sqrt(2 / 2), np.sqrt(2 / 4)), seed=1)  # s003.posted
    tanh = cost(np.tanh, (0.01, 0.01), seed=2)  # course.c1w3.flower_v1
    assert relu == pytest.approx(0.9897586239010666, rel=1e-12)
    assert tanh == pytest.approx(0.6930480201239823, rel=1e-12)


@pytest.mark.parametrize("rng", ["legacy", "default"])
def test_the_test_draw_is_the_training_draw_of_another_seed(rng):
    dataset = flower(n=40, seed=3, rng=rng, test_n=60)
    assert np.array_equal(dataset.test.X, flower(n=60, seed=1003, rng=rng).train.X)
    assert not np.array_equal(dataset.train.X, flower(n=40, seed=4, rng=rng).train.X)


def test_the_two_generators_draw_differently():
    assert not np.array_equal(flower().train.X, flower(rng="default").train.X)


@given(n=st.integers(2, 101))
def test_any_number_of_rows_is_shared_by_the_two_classes(n):
    dataset = flower(n=n)
    assert dataset.train.X.shape == (n, 2)
    assert np.bincount(dataset.train.y).tolist() == [n // 2, n - n // 2]


def test_without_noise_no_point_is_further_out_than_a_petal_is_long():
    X = flower(noise=0.0, radius=2.0, petals=3).train.X
    assert 1.99 < np.linalg.norm(X, axis=1).max() <= 2.0 + 1e-12
