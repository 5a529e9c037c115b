"""Heads: an output function with a loss. The cost is the published one, and dZ is its derivative."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.experiment.schema import options
from runner.nn import losses
from runner.nn.losses import OUTPUTS, PROBABILITIES, constant_cost, softmax
from runner.nn.types import Array

LOSSES = options(losses, "Head")
# Cross-entropy is of probabilities: with tanh or identity there is no such loss, and the configuration refuses it.
HEADS = [
    (output, loss)
    for output, loss in product(OUTPUTS, LOSSES)
    if output in PROBABILITIES or not loss.startswith("cross_entropy")
]
heads = pytest.mark.parametrize(("output", "loss"), HEADS)


def targets(rng: np.random.Generator, output: str, n: int, outputs: int) -> Array:
    if output == "softmax":
        return np.eye(outputs)[rng.integers(0, outputs, n)]
    return rng.integers(0, 2, (n, outputs)).astype(float) if output == "sigmoid" else rng.uniform(-1, 1, (n, outputs))


def case(seed: int, output: str, n: int, outputs: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return 2 * rng.standard_normal((2, n, outputs)), targets(rng, output, n, outputs)


def one_output(output: str, z: list[float]) -> list[float]:
    """The output function on one row, in plain Python."""
    if output == "softmax":
        total = math.fsum(math.exp(value) for value in z)
        return [math.exp(value) / total for value in z]
    one = {"sigmoid": lambda v: 1 / (1 + math.exp(-v)), "tanh": math.tanh, "identity": lambda v: v}[output]
    return [one(value) for value in z]


def one_loss(loss: str, output: str, a: list[float], y: list[float]) -> float:
    """The loss of one row, in plain Python."""
    pairs = list(zip(a, y, strict=True))
    if loss.startswith("cross_entropy"):
        other = 0 if output == "softmax" else 1
        return -math.fsum(v * math.log(p) + other * (1 - v) * math.log(1 - p) for p, v in pairs)
    squares = math.fsum((p - v) ** 2 for p, v in pairs)
    return squares / len(pairs) if loss == "mean_squared_error" else squares / 2


@heads
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 6), outputs=st.integers(1, 4))
def test_the_cost_is_the_mean_over_the_rows_of_the_published_loss(output: str, loss: str, seed: int, n: int, outputs):
    outputs += output == "softmax"
    Z, Y = case(seed, output, n, outputs)
    head = LOSSES[loss](output)
    found = head.cost(Z, head.output.value(Z), Y)
    for k in range(2):
        rows = [
            one_loss(loss, output, one_output(output, z), y) for z, y in zip(Z[k].tolist(), Y.tolist(), strict=True)
        ]
        assert found[k] == pytest.approx(math.fsum(rows) / n, rel=1e-10, abs=1e-14)


@heads
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 6), outputs=st.integers(1, 4))
def test_dz_is_the_derivative_of_the_cost(output: str, loss: str, seed: int, n: int, outputs: int):
    outputs += output == "softmax"
    Z, Y = case(seed, output, n, outputs)
    head = LOSSES[loss](output)
    h, steps = 1e-4, np.eye(n * outputs).reshape(-1, n, outputs)  # one member for each entry of Z that is moved

    def cost(factor: int) -> Array:
        moved = Z[0] + factor * h * steps
        return head.cost(moved, head.output.value(moved), Y)

    numeric = (8 * (cost(1) - cost(-1)) - (cost(2) - cost(-2))) / (12 * h)
    found = head.dZ(Z, head.output.value(Z), Y)[0].ravel()
    assert np.linalg.norm(found - numeric) <= 1e-7 * np.linalg.norm(numeric) + 1e-11


@pytest.mark.parametrize("output", PROBABILITIES)
@given(seed=st.integers(0, 2**32 - 1))
def test_both_cross_entropies_agree_where_both_can_be_computed(output: str, seed: int):
    Z, Y = case(seed, output, 5, 3)
    logits, textbook = losses.cross_entropy(output), losses.cross_entropy_from_probabilities(output)
    A = logits.output.value(Z)
    np.testing.assert_allclose(logits.cost(Z, A, Y), textbook.cost(Z, A, Y), rtol=1e-10)
    np.testing.assert_allclose(logits.dZ(Z, A, Y), textbook.dZ(Z, A, Y), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("output", PROBABILITIES)
@given(z=st.floats(-1e5, 1e5), label=st.integers(0, 1))
def test_cross_entropy_from_the_logits_is_finite_whatever_they_are(output: str, z: float, label: int):
    outputs = 2 if output == "softmax" else 1
    Z = np.array([[[z, 0.0][:outputs]]])
    Y = np.eye(2)[[1 - label]] if output == "softmax" else np.array([[float(label)]])
    head = losses.cross_entropy(output)
    A = head.output.value(Z)
    # log(1 + e^-z) for the label 1: |z| where it is wrong by far, 0 where it is right by far.
    margin = z if label else -z
    expected = -margin if margin < -700 else math.log1p(math.exp(-min(margin, 700)))
    assert head.cost(Z, A, Y)[0] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert np.isfinite(head.dZ(Z, A, Y)).all()


def test_cross_entropy_from_probabilities_leaves_the_numbers_where_a_sigmoid_saturates():
    """z = 36.74 is where 1 / (1 + e^-z) rounds to 1: the cost is log(0) and the derivative 1/0."""
    head = losses.cross_entropy_from_probabilities("sigmoid")
    for z, saturated in [(36.0, False), (37.5, True)]:
        Z, Y = np.array([[[z]]]), np.zeros((1, 1))
        A = head.output.value(Z)
        assert (A == 1).all() == saturated
        with np.errstate(all="ignore"):
            assert np.isfinite(head.cost(Z, A, Y)[0]) != saturated
            assert np.isfinite(head.dZ(Z, A, Y)[0, 0, 0]) != saturated


@pytest.mark.parametrize(("z", "ratio"), [(-11.5, 0.50), (-20, 2e-4)])
def test_an_epsilon_in_the_logarithm_starves_the_gradient_of_the_rows_that_are_most_wrong(z: float, ratio: float):
    """The accepted answer to the flower post adds 1e-5: a row with y = 1 and a far below it hardly moves any more."""
    Z, Y = np.array([[[z]]]), np.ones((1, 1))
    right, hidden = losses.cross_entropy("sigmoid"), losses.cross_entropy_from_probabilities("sigmoid", epsilon=1e-5)
    A = right.output.value(Z)
    assert (hidden.dZ(Z, A, Y) / right.dZ(Z, A, Y)).item() == pytest.approx(ratio, rel=0.04)


def test_an_epsilon_keeps_a_saturated_cost_finite():
    head = losses.cross_entropy_from_probabilities("sigmoid", epsilon=1e-5)
    Z = np.array([[[50.0]]])
    assert head.cost(Z, head.output.value(Z), np.zeros((1, 1)))[0] == pytest.approx(-math.log(1e-5), rel=1e-4)


@given(st.lists(st.floats(-700, 700), min_size=1, max_size=6), st.floats(-1e3, 1e3))
def test_softmax_sums_to_one_keeps_the_order_and_ignores_a_common_shift(z: list[float], shift: float):
    Z = np.array([[z]])
    A = softmax(Z)
    assert A.sum() == pytest.approx(1, rel=1e-12)
    np.testing.assert_allclose(softmax(Z + shift), A, rtol=1e-9, atol=1e-300)
    order = np.argsort(z)
    assert (np.diff(A[0, 0, order]) >= 0).all()


def test_softmax_does_not_overflow():
    np.testing.assert_array_equal(softmax(np.array([[[8e307, 0.0, -8e307]]])), [[[1, 0, 0]]])


@pytest.mark.parametrize("output", OUTPUTS)
@given(z=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=5))
def test_an_outputs_values_lie_between_its_bounds(output: str, z: list[float]):
    function = OUTPUTS[output]
    A = function.value(np.array([[z]]))
    assert function.low <= A.min() <= A.max() <= function.high


@heads
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 12))
def test_no_constant_output_is_cheaper_than_the_constant_cost(output: str, loss: str, seed: int, n: int):
    _, Y = case(seed, output, n, 3)
    mean = np.broadcast_to(Y.mean(axis=0), (1, n, 3))
    # The cost of outputs as they are, not of logits; the epsilon only keeps log(0) away where p is 0 or 1.
    head = LOSSES["cross_entropy_from_probabilities" if loss == "cross_entropy" else loss](output, 1e-300)
    least = head.cost(mean, mean, Y)[0]
    assert constant_cost(loss, output, Y) == pytest.approx(least, rel=1e-9, abs=1e-12)
    rng = np.random.default_rng(seed)
    other = mean + 0.2 * (rng.dirichlet(np.ones(3)) - mean) if output in PROBABILITIES else mean + rng.normal(size=3)
    assert head.cost(other, other, Y)[0] >= least - 1e-12


def test_the_constant_cost_of_the_cats_is_the_entropy_of_their_labels():
    Y = np.repeat([1.0, 0.0], [72, 137])[:, None]
    assert constant_cost("cross_entropy", "sigmoid", Y) == pytest.approx(0.643974, abs=5e-7)
