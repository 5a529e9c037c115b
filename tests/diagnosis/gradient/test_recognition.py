"""A network in somebody else's style is recognised by its costs, and then its mistakes have names."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from runner.diagnosis.gradient import measure as gradcheck
from runner.diagnosis.gradient import mistakes, naming
from runner.diagnosis.gradient.recognition import recognised
from runner.nn.types import Array, Part

RNG = np.random.default_rng(7)
X, labels = RNG.standard_normal((11, 3)), RNG.integers(0, 2, 11)
Y = labels[:, None].astype(float)
n, d, h = 11, 3, 4

# W x + b with samples as columns, as courses write it: W1 (h, d), b1 (h, 1), W2 (1, h), b2 (1, 1).
PARTS = [
    Part("W1", 1, "W", 0, 12, (h, d)),
    Part("b1", 1, "b", 12, 16, (h, 1)),
    Part("W2", 2, "W", 16, 20, (1, h)),
    Part("b2", 2, "b", 20, 21, (1, 1)),
]


def sigmoid(Z: Array) -> Array:
    return 1 / (1 + np.exp(-Z))


class Course:
    """A course's program: columns, dictionaries, cross-entropy from the probabilities, a sum divided by m by hand."""

    def __init__(self, mistake: str = "", l2: float = 0.0, scale: float = 1.0):
        self.mistake, self.l2, self.scale = mistake, l2, scale

    def forward(self, theta: Array) -> dict[str, Array]:
        p = {part.name: theta[part.start : part.stop].reshape(part.shape) for part in PARTS}
        Z1 = p["W1"] @ X.T + p["b1"]
        A1 = np.tanh(Z1)
        return p | {"Z1": Z1, "A1": A1, "A2": sigmoid(p["W2"] @ A1 + p["b2"])}

    def cost(self, theta: Array) -> float:
        c, y = self.forward(theta), Y.T
        penalty = self.l2 / 2 * float((c["W1"] ** 2).sum() + (c["W2"] ** 2).sum())
        entropy = -float(np.sum(y * np.log(c["A2"]) + (1 - y) * np.log(1 - c["A2"]))) / n
        return self.scale * entropy + penalty

    def gradient(self, theta: Array) -> Array:
        c, y, wrong = self.forward(theta), Y.T, self.mistake
        A1, A2 = c["A1"], c["A2"]
        dA2 = -(y / A2 - (1 - y) / (A2 if wrong == "missing 1 - A" else 1 - A2)) * self.scale
        if wrong == "sign in the loss":
            dA2 = -(y / A2 + (1 - y) / (1 - A2)) * self.scale
        dZ2 = dA2 * (1 if wrong == "output derivative missing" else A2 * (1 - A2))
        slopes = {
            "activation derivative missing": np.ones_like(A1),
            "activation derivative twice": (1 - A1**2) ** 2,
            "activation derivative at A": 1 - np.tanh(A1) ** 2,
            "activation derivative at Z": 1 - c["Z1"] ** 2,
            "another activation's derivative": A1 * (1 - A1),
        }
        dZ1 = c["W2"].T @ dZ2 * slopes.get(wrong, 1 - A1**2)
        inputs = c["Z1"] if wrong == "wrong inputs" else A1
        grads = [dZ1 @ X / n + self.l2 * c["W1"], dZ1.sum(axis=1) / n]
        grads += [dZ2 @ inputs.T / n + self.l2 * c["W2"], dZ2.sum(axis=1) / n]
        return np.concatenate([np.ravel(grad) for grad in grads])


def checked(network: Any) -> tuple[gradcheck.Check, mistakes.Structure | None]:
    costs, theta = gradcheck.one_by_one(network.cost), gradcheck.scratch(PARTS, 3)
    structure = recognised(costs, PARTS, X, Y)
    supposed = mistakes.hypotheses(structure) if structure else None
    found = gradcheck.check(costs, network.gradient, theta, PARTS)
    return naming.named(found, costs, theta, PARTS, n, supposed), structure


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("scale", [1.0, 0.5, 11.0])
def test_its_gradient_is_known_from_its_costs(l2: float, scale: float):
    network, theta = Course(l2=l2, scale=scale), gradcheck.scratch(PARTS, 3)
    found, structure = checked(network)
    assert found.ok
    assert structure is not None
    assert structure.turned
    assert structure.l2 == pytest.approx(l2, abs=1e-6)
    np.testing.assert_allclose(mistakes.right(structure, theta), network.gradient(theta), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("mistake", "layer"),
    [
        ("missing 1 - A", 2),
        ("sign in the loss", 2),
        ("output derivative missing", 2),
        ("wrong inputs", 2),
        ("activation derivative missing", 1),
        ("activation derivative twice", 1),
        ("activation derivative at A", 1),
        ("activation derivative at Z", 1),
        ("another activation's derivative", 1),
    ],
)
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_its_mistake_is_named(mistake: str, layer: int, l2: float):
    found, _ = checked(Course(mistake, l2))
    assert found.mistake is not None
    assert (found.mistake.kind, found.mistake.layer) == (mistake, layer)


@pytest.mark.parametrize(
    "cost",
    [
        lambda theta: float(np.abs(theta).sum()),
        lambda theta: 1.0,
        lambda theta: float("nan"),
        lambda theta: Course().cost(theta) ** 2,
    ],
)
def test_what_is_no_such_network_is_not_recognised(cost: Callable[[Array], float]):
    assert recognised(gradcheck.one_by_one(cost), PARTS, X, Y) is None


def test_parts_that_do_not_chain_are_not_recognised():
    odd = [PARTS[0]._replace(shape=(2, 6)), *PARTS[1:]]
    assert recognised(gradcheck.one_by_one(Course().cost), odd, X, Y) is None
    flat = [PARTS[0]._replace(shape=(12,)), *PARTS[1:]]
    assert recognised(gradcheck.one_by_one(Course().cost), flat, X, Y) is None
