"""Optimizers: each is its published equation, each gets down a long valley, and members do not mix."""

import inspect
from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from runner.experiment.schema import options
from runner.nn import optimizers
from runner.nn.optimizers import Optimizer, clip_by_norm
from runner.nn.types import Array

OPTIMIZERS = options(optimizers, "Optimizer")
each = pytest.mark.parametrize("name", OPTIMIZERS)


def steps(optimizer: Optimizer, gradients: list[Array], theta: Array) -> list[Array]:
    """The parameters after each of the updates that these gradients make."""
    state, found = optimizer.init(theta), []
    for g in gradients:
        step = np.full_like(theta, np.nan)  # an update writes all of it
        state = optimizer.update(g, state, theta, optimizer.lr, step)
        theta = theta - step
        found.append(theta)
    return found


# The published equations on one number, written apart from the code: parameters after each gradient.
def by_hand_gd(theta: float, gradients: list[float], lr: float) -> Iterator[float]:
    for g in gradients:
        theta -= lr * g
        yield theta


def by_hand_momentum(theta: float, gradients: list[float], lr: float, momentum: float) -> Iterator[float]:
    v = 0.0
    for g in gradients:
        v = momentum * v + g
        theta -= lr * v
        yield theta


def by_hand_nesterov(theta: float, gradients: list[float], lr: float, momentum: float) -> Iterator[float]:
    v = 0.0
    for g in gradients:
        v = momentum * v + g
        theta -= lr * (g + momentum * v)
        yield theta


def by_hand_adagrad(theta: float, gradients: list[float], lr: float, epsilon: float) -> Iterator[float]:
    s = 0.0
    for g in gradients:
        s += g**2
        theta -= lr * g / (sqrt(s) + epsilon)
        yield theta


def by_hand_rmsprop(theta: float, gradients: list[float], lr: float, rho: float, epsilon: float) -> Iterator[float]:
    s = 0.0
    for g in gradients:
        s = rho * s + (1 - rho) * g**2
        theta -= lr * g / (sqrt(s) + epsilon)
        yield theta


def by_hand_adam(
    theta: float, gradients: list[float], lr: float, beta1: float, beta2: float, epsilon: float
) -> Iterator[float]:
    return by_hand_adamw(theta, gradients, lr, beta1, beta2, epsilon, weight_decay=0.0)


def by_hand_adamw(
    theta: float, gradients: list[float], lr: float, beta1: float, beta2: float, epsilon: float, weight_decay: float
) -> Iterator[float]:
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        theta -= lr * ((m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + epsilon) + weight_decay * theta)
        yield theta


RANGES = {"lr": (1e-3, 2), "epsilon": (1e-10, 1e-2), "weight_decay": (0, 0.5)}  # all else is a share: 0 to .99


@st.composite
def arguments_of(draw: st.DrawFn, name: str) -> dict[str, float]:
    names = [key for key in inspect.signature(OPTIMIZERS[name]).parameters if key != "clip_norm"]
    return {key: draw(st.floats(*RANGES.get(key, (0, 0.99)))) for key in names}


@each
@given(data=st.data(), theta=st.floats(-10, 10), gradients=st.lists(st.floats(-10, 10), min_size=2, max_size=6))
def test_the_updates_are_the_published_equation(name: str, data: st.DataObject, theta: float, gradients: list[float]):
    assert f"by_hand_{name}" in globals(), f"write down what {name} computes, on one number in plain Python"
    arguments = data.draw(arguments_of(name))
    expected = list(globals()[f"by_hand_{name}"](theta, gradients, **arguments))
    found = steps(OPTIMIZERS[name](**arguments), [np.array([[g]]) for g in gradients], np.array([[theta]]))
    np.testing.assert_allclose([step[0, 0] for step in found], expected, rtol=1e-10, atol=1e-12)


def descent(optimizer: Optimizer, lr: float) -> float:
    """The share of J = (x² + 100 y²) / 2 that is left of its value at (1, 1) after 3,000 updates."""
    curvature, theta = np.array([[1.0, 100.0]]), np.ones((1, 2))
    state = optimizer.init(theta)
    for _ in range(3000):
        step = np.empty_like(theta)
        state = optimizer.update(curvature * theta, state, theta, lr, step)
        theta = theta - step
    return float((curvature * theta**2).sum() / curvature.sum())


@each
def test_it_gets_down_a_valley_a_hundred_times_steeper_across_than_along(name: str):
    """At .01, half of what gradient descent bears there; or at .3, which those bear that divide by past gradients."""
    with np.errstate(all="ignore"):  # at .3 the others leave the numbers, as they must
        left = [descent(OPTIMIZERS[name](lr=lr), lr) for lr in (0.01, 0.3)]
    assert np.nanmin(left) < 1e-3


def test_gradient_descent_leaves_the_valley_where_its_rate_is_above_two_over_the_curvature():
    assert descent(optimizers.gd(), 0.0199) < 1 < descent(optimizers.gd(), 0.0201)


@each
@given(data=st.data())
def test_members_with_their_own_numbers_move_as_they_would_alone(name: str, data: st.DataObject):
    K, P = 3, 5
    members = [data.draw(arguments_of(name)) for _ in range(K)]
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    theta, gradients = rng.standard_normal((K, P)), list(rng.standard_normal((4, K, P)))
    columns: dict[str, Any] = {key: np.array([[member[key]] for member in members]) for key in members[0]}
    together = steps(OPTIMIZERS[name](**columns), gradients, theta)
    for k in range(K):
        numbers: dict[str, Any] = {key: np.array(value) for key, value in members[k].items()}  # as a stack of one does
        alone = steps(OPTIMIZERS[name](**numbers), [g[k : k + 1] for g in gradients], theta[k : k + 1])
        for step, own in zip(together, alone, strict=True):
            np.testing.assert_array_equal(step[k : k + 1], own)


@each
def test_gradient_and_parameters_are_not_written_to_and_a_new_state_shares_nothing_with_the_step(name: str):
    optimizer = OPTIMIZERS[name]()
    theta, g, step = np.ones((1, 3)), np.full((1, 3), 2.0), np.empty((1, 3))
    state = optimizer.init(theta)
    for _ in range(3):
        state = optimizer.update(g, state, theta, 0.1, step)
        assert not any(np.shares_memory(part, step) for part in state if isinstance(part, np.ndarray))
    np.testing.assert_array_equal(theta, 1)
    np.testing.assert_array_equal(g, 2)


@each
def test_a_state_can_be_copied_and_gone_on_from(name: str):
    """An update overwrites the arrays of the state that it is given: a copy is another state."""
    rng = np.random.default_rng(0)
    optimizer, theta, gradients = OPTIMIZERS[name](), np.ones((2, 3)), rng.standard_normal((4, 2, 3))
    state, step, again = optimizer.init(theta), np.empty((2, 3)), np.empty((2, 3))
    for g in gradients[:2]:
        state = optimizer.update(g, state, theta, 0.1, step)
    copied = type(state)(*(np.copy(part) if isinstance(part, np.ndarray) else part for part in state))
    for g in gradients[2:]:
        state = optimizer.update(g, state, theta, 0.1, step)
    for g in gradients[2:]:
        copied = optimizer.update(g, copied, theta, 0.1, again)
    np.testing.assert_array_equal(step, again)


@each
def test_float32_stays_float32(name: str):
    column = np.full((2, 1), 0.01, dtype=np.float32)
    theta = np.ones((2, 3), dtype=np.float32)
    optimizer = OPTIMIZERS[name](lr=column)
    step = np.empty_like(theta)
    state = optimizer.update(theta, optimizer.init(theta), theta, column, step)
    assert np.isfinite(step).all()
    assert all(part.dtype == np.float32 for part in state if isinstance(part, np.ndarray))


@each
def test_the_rate_of_the_step_counts_and_not_the_one_it_was_made_with(name: str):
    theta, g = np.ones((1, 2)), np.full((1, 2), 0.5)
    slow, fast = OPTIMIZERS[name](lr=0.1), OPTIMIZERS[name](lr=7.0)
    made = np.empty((2, 1, 2))
    for optimizer, step in zip((slow, fast), made, strict=True):
        optimizer.update(g, optimizer.init(theta), theta, 0.3, step)
    np.testing.assert_array_equal(made[0], made[1])


rows = hnp.arrays(float, (3, 4), elements=st.integers(-(10**9), 10**9).map(lambda i: i / 1000))


@given(g=rows, limit=st.floats(1e-3, 1e3))
def test_clipping_shortens_to_the_limit_and_keeps_the_direction(g: Array, limit: float):
    lengths = np.linalg.norm(g, axis=1)
    with np.errstate(over="ignore"):  # limit / |g| where g is 0
        clipped = clip_by_norm(g, limit)
    np.testing.assert_allclose(np.linalg.norm(clipped, axis=1), np.minimum(lengths, limit), rtol=1e-12)
    np.testing.assert_allclose(clipped * lengths[:, None], g * np.linalg.norm(clipped, axis=1)[:, None], rtol=1e-9)


@given(g=rows)
def test_clipping_leaves_alone_to_the_last_bit_what_is_short_enough(g: Array):
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(clip_by_norm(g, 1e9), g)


def test_each_member_is_clipped_by_its_own_norm_and_its_own_limit():
    g = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0], [30.0, 40.0]])
    limit = np.array([[1.0], [1.0], [1.0], [100.0]])
    np.testing.assert_allclose(clip_by_norm(g, limit), [[0.6, 0.8], [0.3, 0.4], [0, 0], [30, 40]], rtol=1e-15)


@pytest.mark.parametrize(("dtype", "size"), [("float64", 1e160), ("float32", 1e25)])
def test_a_gradient_whose_squares_overflow_is_still_clipped_to_the_limit(dtype: str, size: float):
    with np.errstate(over="ignore"):
        clipped = clip_by_norm(np.array([[3.0, 4.0]], dtype=dtype) * np.dtype(dtype).type(size), 1.0)
    np.testing.assert_allclose(clipped, [[0.6, 0.8]], rtol=1e-6)
