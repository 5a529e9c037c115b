"""Where a backward pass goes wrong is found on its tape alone, and proved by putting the right adjoint there."""

import inspect
from typing import Any

import numpy as np
import pytest

from runner.diagnosis.line.locate import Located, locate
from runner.diagnosis.line.trace import recording


def backward(X: Any, Y: Any, W1: Any, W2: Any, mistake: str) -> tuple[Any, Any, Any]:
    A1 = np.tanh(X @ W1)
    A2 = 1 / (1 + np.exp(-(A1 @ W2)))
    cost = -np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2))
    dZ2 = A2 - Y
    dW2 = A1.T @ dZ2 / len(X)
    if mistake == "mean":
        dW2 = A1.T @ dZ2  # the mean is missing
    dA1 = dZ2 @ W2.T
    if mistake == "sign":
        dA1 = -dZ2 @ W2.T  # the sign is wrong
    slope = 1 - A1**2
    if mistake == "slope":
        slope = 1 - A1  # the slope is that of nothing
    dZ1 = dA1 * slope
    return cost, X.T @ dZ1 / len(X), dW2


def found(mistake: str) -> Located:
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(7, 3)), rng.integers(0, 2, (7, 1)).astype(float)
    with recording() as tape:
        W1, W2 = tape.watch(rng.normal(size=(3, 4)), "W1"), tape.watch(rng.normal(size=(4, 1)), "W2")
        cost, dW1, dW2 = backward(tape.watch(X, "X"), tape.watch(Y, "Y"), W1, W2, mistake)
        return locate(tape, cost, {"W1": W1, "W2": W2}, {"W1": dW1, "W2": dW2})


def test_a_right_backward_pass_is_right() -> None:
    right = found("none")
    assert right.ok
    assert [each.rho for each in right.arrays] == [1, 1]


@pytest.mark.parametrize(
    ("mistake", "wrong", "line"),
    [
        ("mean", ["W2"], "the mean is missing"),
        ("sign", ["W1"], "the sign is wrong"),
        ("slope", ["W1"], "slope is that"),
    ],
)
def test_the_line_is_found(mistake: str, wrong: list[str], line: str) -> None:
    located = found(mistake)
    assert [each.name for each in located.arrays if not each.right] == wrong
    lines, start = inspect.getsourcelines(backward)
    texts = [lines[each.node.line - start] for each in located.suspects]
    assert any(line in text for text in texts[:3]), texts
    assert located.proof is not None
