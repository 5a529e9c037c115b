"""Faults: the mistakes that people make, and that a gradient check finds them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.nn import activations, faults, initializers, losses, optimizers, schedules
from runner.nn.types import Array
from runner.schema import options
from runner.stack import Data, Plan, Recipe, Stack

FAULTS = options(faults, "Fault")
n = 5


def stack(fault: str, activation: str = "tanh", loss: str = "cross_entropy", X: Array | None = None) -> Stack:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 3)) if X is None else X
    y = rng.integers(0, 2, n)
    recipe = Recipe(
        sets={"train": Data(X, y[:, None].astype(float), y)},
        widths=(3, 4, 1),
        activation=getattr(activations, activation)(),
        head=getattr(losses, loss)("sigmoid"),
        score=lambda A, data: np.zeros(len(A)),
        optimizer=optimizers.gd,
        schedule=schedules.constant(),
        plan=Plan(iterations=1, batch_size=n, log_every=1),
        initializer=initializers.xavier_normal(),
        fault=FAULTS[fault](),
        optimizer_arguments={"lr": 0.1},
    )
    return Stack.start([recipe])


def gradient_error(fault: str, **arguments) -> float:
    """|g - numeric| / |numeric|, by central differences of the cost that is logged."""
    at = stack(fault, **arguments)
    numeric, h = np.empty_like(at.g), 1e-5
    for p in range(numeric.size):
        costs = []
        for sign in (1, -1):
            at.theta[0, p] += sign * h
            costs.append(at.measure().values["train/cost"][0])
            at.theta[0, p] -= sign * h
        numeric[0, p] = (costs[0] - costs[1]) / (2 * h)
    return float(np.linalg.norm(at.gradient() - numeric) / np.linalg.norm(numeric))


def test_without_a_fault_the_gradient_passes_the_check():
    assert FAULTS["none"]() == faults.Fault()
    assert gradient_error("none") < 1e-8


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "none" and FAULTS[name]().derivative is None])
@pytest.mark.parametrize("loss", ["cross_entropy", "cross_entropy_from_probabilities"])
def test_a_faulty_gradient_fails_the_check(name: str, loss: str):
    assert gradient_error(name, loss=loss) > 0.1


@pytest.mark.parametrize("name", [name for name in FAULTS if FAULTS[name]().derivative is not None])
def test_a_faulty_derivative_of_the_activation_shows_at_the_kink_and_only_there(name: str):
    """With X = 0 and b = 0 every hidden z is 0 exactly: the right gradient of the hidden biases is 0."""
    somewhere = [stack(fault, activation="relu").gradient() for fault in ("none", name)]
    at_zero = [stack(fault, activation="relu", X=np.zeros((n, 3))).gradient() for fault in ("none", name)]
    np.testing.assert_array_equal(*somewhere)
    assert (at_zero[0][0, 12:16] == 0).all()
    assert (at_zero[1][0, 12:16] != 0).all()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_leaves_the_cost_alone(name: str):
    costs = [stack(fault).measure().values["train/cost"] for fault in ("none", name)]
    np.testing.assert_array_equal(*costs)


@given(a=st.floats(0.01, 0.99), y=st.sampled_from([0.0, 1.0]))
def test_the_posts_derivatives_are_wrong_by_their_one_sign_or_factor(a: float, y: float):
    """By the output a, -(y/a - (1-y)/(1-a)) is right: -1/a for the label 1, 1/(1-a) for the label 0."""
    missing, flipped = faults.missing_one_minus_a().dA, faults.flipped_sign().dA
    assert missing is not None
    assert flipped is not None
    A, Y = np.array([a]), np.array([y])
    right = -1 / a if y else 1 / (1 - a)
    assert missing(A, Y)[0] == pytest.approx(-1 / a if y else 1 / a)
    assert flipped(A, Y)[0] == pytest.approx(right if y else -right)


@pytest.mark.parametrize(("name", "factor"), [("summed_gradient", n), ("halved_gradient", 0.5)])
def test_the_whole_gradient_is_a_multiple_of_the_right_one(name: str, factor: float):
    np.testing.assert_allclose(stack(name).gradient(), factor * stack("none").gradient(), rtol=1e-14)
