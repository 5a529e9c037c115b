"""A twin: our own arrays that make a script's steps, and recipes that are tried on it."""

from pathlib import Path

import numpy as np
import pytest

from runner.diagnosis.script.explain import explain
from runner.diagnosis.script.twin import Start, Twin, sharpest, twin_of
from runner.training.script.understand import Told


def data() -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(30, 2))
    return X, (X[:, :1] * X[:, 1:] > 0).astype(float)


def stepped(rate: float, momentum: float, d: int = 2) -> Start:
    """The first states of a network of tanh and a sigmoid, (out, in), trained by hand."""
    rng = np.random.default_rng(1)
    X, Y = data()
    X = X if d == 2 else rng.normal(size=(30, d))
    W1, b1, W2, b2 = rng.normal(size=(3, d)), np.zeros((3, 1)), rng.normal(size=(1, 3)), np.zeros((1, 1))
    states, moved = [], [np.zeros_like(each) for each in (W1, b1, W2, b2)]
    for _ in range(3):
        states.append([each.copy() for each in (W1, b1, W2, b2)])
        A1 = np.tanh(W1 @ X.T + b1)  # (3, n)
        dZ2 = (1 / (1 + np.exp(-(W2 @ A1 + b2))) - Y.T) / len(X)  # (1, n)
        dZ1 = (W2.T @ dZ2) * (1 - A1**2)
        gradients = [dZ1 @ X, dZ1.sum(1, keepdims=True), dZ2 @ A1.T, dZ2.sum(1, keepdims=True)]
        moved = [momentum * each + g for each, g in zip(moved, gradients, strict=True)]
        W1, b1, W2, b2 = (each - rate * g for each, g in zip((W1, b1, W2, b2), moved, strict=True))
    return Start(("W1", "b1", "W2", "b2"), states, X, Y)


def test_the_steps_of_a_script_tell_its_activations_and_its_rate() -> None:
    found = twin_of(stepped(0.3, 0.0), "binary cross-entropy", 1.0)
    assert isinstance(found, Twin)
    assert (found.shape.hidden, found.shape.output, found.shape.order.across) == ("tanh", "sigmoid", True)
    assert found.rate == pytest.approx(0.3)


def test_there_is_no_twin_of_steps_that_are_not_the_gradient() -> None:
    assert twin_of(stepped(0.3, 0.9), "binary cross-entropy", 1.0) is None


def test_a_twin_makes_the_same_steps_as_the_script() -> None:
    start = stepped(0.3, 0.0)
    found = twin_of(start, "binary cross-entropy", 1.0)
    assert found is not None
    np.testing.assert_allclose(found.trained(2).W[0].T, start.states[2][0], rtol=1e-12)


def test_with_more_features_than_rows_it_is_trained_on_their_coordinates() -> None:
    found = twin_of(stepped(0.3, 0.0, d=100), "binary cross-entropy", 1.0)
    assert found is not None
    assert found.W[0].shape == (30, 3)


def test_the_curvature_of_a_line_is_known() -> None:
    X, Y = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [4.0]])
    W, b = np.array([[0.5]]), np.array([0.0])
    states = []
    for _ in range(3):
        states.append([W.T.copy(), b.copy()])
        d = (X @ W + b - Y) / 3
        W, b = W - 0.1 * X.T @ d, b - 0.1 * d.sum(0)
    found = twin_of(Start(("W", "b"), states, X, Y), "squared error", 1.0)
    assert found is not None
    inputs = np.hstack([X, np.ones((3, 1))])
    assert sharpest(found, 50) == pytest.approx(np.linalg.eigvalsh(inputs.T @ inputs / 3).max(), rel=1e-4)


def test_cures_are_named_with_their_parts(tmp_path: Path) -> None:
    path = tmp_path / "slow.py"
    path.write_text(SLOW)
    report = explain(path, Told(), 120)
    assert report.cure is not None
    assert (report.cure.reached, report.cure.of) == (5, 5)
    assert any("rate" in finding.cause for finding in report.findings)


SLOW = """import numpy as np

np.random.seed(0)
X = np.random.randn(60, 2)
Y = X[:, :1] + 2 * X[:, 1:] + 0.5
W = np.zeros((2, 1))
b = np.zeros(1)
lr = 1e-4
for i in range(300):
    A = X @ W + b
    cost = np.mean((A - Y) ** 2)
    dZ = 2 * (A - Y) / 60
    W = W - lr * X.T @ dZ
    b = b - lr * dZ.sum(0)
    print(cost)
"""
