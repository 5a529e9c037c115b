"""The network: the forward pass is the textbook's, and backpropagation is its derivative, whatever it is built of."""

import math
from collections.abc import Sequence
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.experiment.schema import options
from runner.nn import activations, losses
from runner.nn.losses import OUTPUTS, PROBABILITIES
from runner.nn.network import Network, Pass, backward, forward, make_pass, penalty, with_ones
from runner.nn.types import Affine, Array, affine_of, layers_of, spans

ACTIVATIONS = options(activations, "Activation")
LOSSES = options(losses, "Head")
# Left out: cross-entropy with tanh or identity, which is no loss: its logarithms need probabilities (refused by build).
HEADS = [
    (output, loss)
    for output, loss in product(OUTPUTS, LOSSES)
    if output in PROBABILITIES or not loss.startswith("cross_entropy")
]
h = 1e-4


class Case(NamedTuple):
    """A point at which to take a gradient: one member's parameters (1, P), the data, and dropout's masks."""

    network: Network
    theta: Array
    X: Array
    Y: Array
    masks: list[Array]


def case(activation: str, output: str, loss: str, outputs: int, l2: float, dropout: float, seed: int) -> Case:
    """A random network with two hidden layers on five random rows.

    All of them are away from the activations' kinks, and from outputs so near to 0 or 1 that log(1 - a) has few digits.
    """
    widths, n = (3, 4, 3, outputs), 5
    for attempt in range(100):
        rng = np.random.default_rng([seed, attempt])
        column = np.full((1, 1, 1), l2) if l2 else None
        network = Network(widths, ACTIVATIONS[activation](), LOSSES[loss](output), column)
        theta = 0.7 * rng.standard_normal((1, spans(widths)[-1].stop))
        X = rng.standard_normal((n, 3))
        Y = rng.uniform(-1, 1, (n, outputs))
        if output in PROBABILITIES:
            Y = np.eye(outputs)[rng.integers(0, outputs, n)] if output == "softmax" else (Y > 0).astype(float)
        keep = 1 - dropout
        masks = [(rng.random((1, n, width)) < keep) / keep for width in widths[1:-1]] if dropout else []
        passed = passed_through(network, affine_of(theta, widths), X, masks)
        if min(abs(Z).min() for Z in passed.Z[:-1]) > 1e-2 and abs(passed.Z[-1]).max() < 6:
            return Case(network, theta, X, Y, masks)
    raise AssertionError("no point away from the kinks in 100 tries")


def passed_through(network: Network, layers: Affine, X: Array, masks: Sequence[Array] = ()) -> Pass:
    """A forward pass in arrays of its own. What they hold before is written over: they start as NaN."""
    passed = make_pass(network.widths, with_ones(X), len(layers.Wb[0]), bool(masks))
    for array in (*passed.Z, *passed.A, *passed.dZ, *passed.slope):
        array.fill(np.nan)
    return forward(network, layers, passed, masks)


def cost(at: Case, theta: Array) -> Array:
    """J with L2 of each row of `theta` (K, P)."""
    layers = affine_of(theta, at.network.widths)
    passed = passed_through(at.network, layers, at.X, at.masks)
    return at.network.head.cost(passed.Z[-1], passed.A[-1], at.Y) + penalty(at.network, layers)


def numeric_gradient(at: Case) -> Array:
    """Central differences over five points: every parameter is moved by a member of its own, all members at once."""
    steps = h * np.eye(at.theta.size)
    once, twice = (cost(at, at.theta + f * steps) - cost(at, at.theta - f * steps) for f in (1, 2))
    return (8 * once - twice) / (12 * h)


def gradient(at: Case) -> Array:
    g = np.empty_like(at.theta)
    layers, g_layers = affine_of(at.theta, at.network.widths), affine_of(g, at.network.widths)
    backward(at.network, layers, passed_through(at.network, layers, at.X, at.masks), at.Y, g_layers, at.masks)
    return g[0]


def relative_error(at: Case) -> float:
    """The largest over the arrays W_1, b_1, W_2 ... of |g - numeric| / |numeric|."""
    found, numeric, errors = gradient(at), numeric_gradient(at), []
    for span in spans(at.network.widths):
        for part in (slice(span.start, span.bias), slice(span.bias, span.stop)):
            size = np.linalg.norm(numeric[part])
            errors.append(np.linalg.norm(found[part] - numeric[part]) / max(float(size), 1e-4))
    return float(max(errors))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize(("output", "loss"), HEADS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_gradient_equals_central_differences(activation: str, output: str, loss: str, l2: float, dropout: float):
    for outputs, seed in product((2, 3) if output == "softmax" else (1, 2), range(3)):
        assert relative_error(case(activation, output, loss, outputs, l2, dropout, seed)) < 1e-7


def spoilt(at: Case, what: str) -> Case:
    """The same point with one mistake in what the backward pass is made of; the cost stays as it was."""
    network = at.network
    derivative = network.activation.derivative
    if what == "activation":
        network = network._replace(
            activation=network.activation._replace(derivative=lambda Z, A, out: 1.01 * derivative(Z, A))
        )
    elif what == "head":
        dZ = network.head.dZ
        wrong = lambda Z, A, Y, out: dZ(Z, A, Y) * len(Y) / (len(Y) - 1)  # noqa: E731
        network = network._replace(head=network.head._replace(dZ=wrong))
    elif what == "bias":
        dZ = network.head.dZ
        network = network._replace(head=network.head._replace(dZ=lambda Z, A, Y, out: dZ(Z, A, Y) + 1e-6))
    return at._replace(network=network)


@pytest.mark.parametrize("what", ["activation", "head", "bias"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_backward_pass_with_a_mistake_fails_that_check(activation: str, what: str):
    at = case(activation, "sigmoid", "cross_entropy", 1, l2=0.1, dropout=0.0, seed=0)
    assert relative_error(at) < 1e-7 < relative_error(spoilt(at, what))


def test_an_l2_that_is_left_out_of_the_gradient_fails_that_check():
    at = case("tanh", "sigmoid", "cross_entropy", 1, l2=0.1, dropout=0.0, seed=0)
    without = at._replace(network=at.network._replace(l2=None))
    assert np.linalg.norm(gradient(without) - numeric_gradient(at)) > 1e-2 * np.linalg.norm(numeric_gradient(at))


def test_masks_that_backward_is_not_told_of_fail_that_check():
    at = case("tanh", "sigmoid", "cross_entropy", 1, l2=0.0, dropout=0.3, seed=0)
    assert np.linalg.norm(gradient(at._replace(masks=[])) - numeric_gradient(at)) > 1e-2


@given(seed=st.integers(0, 2**32 - 1), hidden=st.lists(st.integers(1, 4), max_size=3), n=st.integers(1, 5))
def test_the_forward_pass_is_the_textbooks(seed: int, hidden: list[int], n: int):
    """Z = A W + b and A = tanh(Z), one sum after the other in plain Python."""
    widths, rng = (2, *hidden, 1), np.random.default_rng(seed)
    network = Network(widths, activations.tanh(), losses.cross_entropy("sigmoid"))
    theta = rng.standard_normal((2, spans(widths)[-1].stop))
    layers, X = layers_of(theta, widths), rng.standard_normal((n, 2))
    passed = passed_through(network, affine_of(theta, widths), X)
    for k, row in product(range(2), range(n)):
        a = X[row].tolist()
        for depth, layer in enumerate(layers):
            W, b = layer.W[k].tolist(), layer.b[k, 0].tolist()
            z = [math.fsum(a[i] * W[i][j] for i in range(len(a))) + b[j] for j in range(len(b))]
            last = depth == len(layers) - 1
            a = [1 / (1 + math.exp(-value)) if last else math.tanh(value) for value in z]
            np.testing.assert_allclose(passed.Z[depth][k, row], z, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(passed.A[depth][k, row], a, rtol=1e-10, atol=1e-12)


def test_rows_of_their_own_for_each_member_give_what_shared_rows_give():
    widths, rng = (3, 4, 1), np.random.default_rng(0)
    network = Network(widths, activations.tanh(), losses.cross_entropy("sigmoid"))
    layers, X1 = affine_of(rng.standard_normal((3, 21)), widths), with_ones(rng.standard_normal((6, 3)))
    shared, own = (forward(network, layers, make_pass(widths, rows, 3)) for rows in (X1, np.stack([X1] * 3)))
    for a, b in zip(shared.A, own.A, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_unit_that_is_dropped_hands_nothing_on_and_gets_no_gradient():
    at = case("tanh", "sigmoid", "cross_entropy", 1, l2=0.0, dropout=0.3, seed=1)
    masks = [np.ones((1, 5, 4)), np.ones((1, 5, 3))]
    masks[0][..., 2] = 0
    first, second, _ = layers_of(gradient(at._replace(masks=masks))[None], at.network.widths)
    assert (first.W[0, :, 2] == 0).all()
    assert (first.b[0, 0, 2] == 0).all()
    assert (second.W[0, 2] == 0).all()
    assert (first.W[0, :, [0, 1, 3]] != 0).all()


def test_the_penalty_is_half_lambda_times_the_squared_weights_without_the_biases():
    widths, rng = (3, 4, 1), np.random.default_rng(0)
    theta = rng.standard_normal((2, 21))
    layers, affine = layers_of(theta, widths), affine_of(theta, widths)
    l2 = np.array([0.1, 3.0]).reshape(2, 1, 1)
    network = Network(widths, activations.tanh(), losses.cross_entropy("sigmoid"), l2)
    squares = [sum((layer.W[k] ** 2).sum() for layer in layers) for k in range(2)]
    np.testing.assert_allclose(penalty(network, affine), [0.05 * squares[0], 1.5 * squares[1]])
    np.testing.assert_array_equal(penalty(network._replace(l2=None), affine), [0, 0])


@given(widths=st.lists(st.integers(1, 6), min_size=2, max_size=5), K=st.integers(1, 4))
def test_layers_are_views_that_cover_the_flat_parameters_without_overlap(widths: list[int], K: int):
    size = sum(fan_in * fan_out + fan_out for fan_in, fan_out in pairwise(widths))
    theta = np.zeros((K, size))
    for layer in layers_of(theta, tuple(widths)):
        for part in layer:
            assert np.shares_memory(part, theta)
            part += 1
    np.testing.assert_array_equal(theta, 1)
    assert spans(tuple(widths))[-1].stop == size


@given(widths=st.lists(st.integers(1, 6), min_size=2, max_size=5), K=st.integers(1, 4))
def test_a_layer_as_one_matrix_is_its_weights_over_its_bias(widths: list[int], K: int):
    theta = np.random.default_rng(0).standard_normal((K, spans(tuple(widths))[-1].stop))
    affine = affine_of(theta, tuple(widths))
    for (W, b), Wb, WT in zip(layers_of(theta, tuple(widths)), *affine, strict=True):
        np.testing.assert_array_equal(Wb, np.concatenate([W, b], axis=1))
        np.testing.assert_array_equal(WT, W.swapaxes(1, 2))
        assert np.shares_memory(Wb, theta)
        assert np.shares_memory(WT, theta)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_pass_that_was_used_before_gives_what_a_new_one_gives(dropout: float):
    """The arrays of a pass are written to again and again; the column of ones must outlive that."""
    first, second = (case("tanh", "sigmoid", "cross_entropy", 1, 0.0, dropout, seed) for seed in (0, 1))
    layers = [affine_of(at.theta, at.network.widths) for at in (first, second)]
    passed = passed_through(first.network, layers[0], first.X, first.masks)
    g = np.empty_like(first.theta)
    backward(first.network, layers[0], passed, first.Y, affine_of(g, first.network.widths), first.masks)
    passed.inputs[0][...] = with_ones(second.X)
    forward(second.network, layers[1], passed, second.masks)
    backward(second.network, layers[1], passed, second.Y, affine_of(g, first.network.widths), second.masks)
    np.testing.assert_array_equal(g[0], gradient(second))
