"""The gradient check on networks of which it knows nothing but cost and gradient."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.diagnosis.gradient import measure as gradcheck
from runner.diagnosis.gradient import naming
from runner.nn import types
from runner.nn.types import Array

WIDTHS = (3, 5, 5, 4, 2)
n = 7
RNG = np.random.default_rng(4)
X, Y = RNG.standard_normal((n, WIDTHS[0])), RNG.integers(0, 2, (n, WIDTHS[-1])).astype(float)
PARTS = types.parts_of(WIDTHS)
THETA = gradcheck.scratch(PARTS, seed=1)
LAST = len(WIDTHS) - 1


def cut(theta: Array) -> list[tuple[Array, Array]]:
    arrays = [theta[part.start : part.stop].reshape(part.shape) for part in PARTS]
    return list(zip(arrays[::2], arrays[1::2], strict=True))


def forward(theta: Array) -> list[Array]:
    A = [X]
    for W, b in cut(theta):
        A.append(np.tanh(A[-1] @ W + b))
    return A


def cost(theta: Array) -> float:
    return float(((forward(theta)[-1] - Y) ** 2).sum() / 2 / n)


def gradient(theta: Array) -> Array:
    A, found = forward(theta), []
    dZ = (A[-1] - Y) / n * (1 - A[-1] ** 2)
    for layer in range(LAST, 0, -1):
        W = cut(theta)[layer - 1][0]
        found += [dZ.sum(axis=0), (A[layer - 1].T @ dZ).ravel()]
        dZ = dZ @ W.T * (1 - A[layer - 1] ** 2)
    return np.concatenate(found[::-1])


def checked(gradient, theta: Array = THETA, cost=cost) -> gradcheck.Check:
    costs = gradcheck.one_by_one(cost)
    return naming.named(gradcheck.check(costs, gradient, theta, PARTS), costs, theta, PARTS, rows=n)


def changed(layer: int, kinds: str, change):
    """The right gradient, but for the parts of `layer` and, where both kinds are named, of all below it."""

    def wrong(theta: Array) -> Array:
        g = gradient(theta)
        for part in PARTS:
            hit = part.layer == layer if len(kinds) == 1 else part.layer <= layer
            if hit and part.kind in kinds:
                g[part.start : part.stop] = np.ravel(change(g[part.start : part.stop].reshape(part.shape)))
        return g

    return wrong


def test_a_right_gradient_passes_with_rho_of_one_in_every_layer():
    found = checked(gradient)
    assert found.ok
    assert found.mistake is None
    for layer in found.layers:
        assert layer.rho == pytest.approx(1, abs=1e-6)
        assert layer.relative_error < 1e-7
        assert all(part.rho == pytest.approx(1, abs=1e-6) for part in layer.parts)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_it_passes_wherever_it_is_checked(seed: int):
    found = checked(gradient, gradcheck.scratch(PARTS, seed))
    assert found.ok
    assert found.relative_error < 1e-7


@pytest.mark.parametrize("layer", range(1, LAST + 1))
@pytest.mark.parametrize(
    ("kind", "kinds", "change"),
    [
        ("sign", "Wb", lambda g: -g),
        ("missing mean", "Wb", lambda g: n * g),
        ("doubled mean", "Wb", lambda g: g / n),
        ("factor", "Wb", lambda g: 1.7 * g),
        ("frozen", "Wb", lambda g: 0 * g),
        ("frozen", "W", lambda g: 0 * g),
        ("frozen bias", "b", lambda g: 0 * g),
        ("sign", "b", lambda g: -g),
        ("wrong bias", "b", lambda g: np.full_like(g, g.sum())),
        ("wrong bias", "b", lambda g: np.full_like(g, g.mean())),
        ("missing mean", "b", lambda g: n * g),
        ("transposed", "W", lambda g: g.T.reshape(g.shape)),
    ],
)
def test_a_mistake_is_found_and_its_layer_and_kind_are_named(layer: int, kind: str, kinds: str, change):
    found = checked(changed(layer, kinds, change))
    assert not found.ok
    assert found.mistake is not None
    assert (found.mistake.layer, found.mistake.kind) == (layer, kind)
    above = [each for each in found.layers if each.layer > layer]
    assert all(each.ok for each in above)
    assert f"layer {layer}" in found.mistake.sentence


def test_the_worst_coordinate_comes_first_with_its_index():
    def wrong(theta: Array) -> Array:
        g = gradient(theta)
        g[PARTS[3].start + 2] += 0.5
        return g

    [layer] = [each for each in checked(wrong).layers if not each.ok]
    assert layer.layer == 2
    assert (layer.worst[0].part, layer.worst[0].place) == ("b2", (2,))
    assert layer.worst[0].analytic - layer.worst[0].numeric == pytest.approx(0.5)


def test_errors_that_cancel_along_the_gradient_are_found_by_coordinates():
    def wrong(theta: Array) -> Array:
        g = gradient(theta)
        a, b = g[PARTS[0].start], g[PARTS[0].start + 1]
        g[PARTS[0].start : PARTS[0].start + 2] = (a - b) * a / (a - b) + 1e-3 * b, b - 1e-3 * a
        return g

    found = checked(wrong)
    assert found.layers[0].rho == pytest.approx(1, abs=gradcheck.RHO_TOLERANCE)
    assert not found.ok


def test_a_gradient_that_is_added_to_what_was_is_told_from_a_random_one():
    sums = np.zeros_like(THETA)

    def added(theta: Array) -> Array:
        sums[:] += gradient(theta)
        return sums

    rng = np.random.default_rng(0)
    found = checked(added).mistake, checked(lambda theta: gradient(theta) + rng.normal(size=theta.shape)).mistake
    assert [each.kind for each in found if each] == ["accumulated", "unsteady"]


@pytest.mark.parametrize(("where", "l2", "sentence"), [("gradient", 0.3, "not in the cost"), ("cost", -0.3, "in the")])
def test_l2_that_is_in_one_of_cost_and_gradient_is_named(where: str, l2: float, sentence: str):
    weights = np.concatenate([np.full(part.stop - part.start, float(part.kind == "W")) for part in PARTS])

    def penalty(theta: Array) -> float:
        return cost(theta) + 0.15 * float(weights @ theta**2)

    if where == "gradient":
        found = checked(lambda theta: gradient(theta) + 0.3 * weights * theta)
    else:
        found = checked(gradient, cost=penalty)
    assert found.mistake is not None
    assert (found.mistake.kind, found.mistake.layer) == ("l2", LAST)
    assert found.mistake.evidence["l2"] == pytest.approx(l2, rel=1e-4)
    assert sentence in found.mistake.sentence


def test_the_gradient_of_another_layer_is_named():
    def shifted(theta: Array) -> Array:
        g = gradient(theta)
        g[PARTS[2].start : PARTS[3].stop] = 0.5
        return g

    parts = types.parts_of((4, 4, 4, 1))
    theta = gradcheck.scratch(parts)

    def cost(theta: Array) -> float:
        A = RNG_X
        for start in (0, 20, 40):
            W = theta[start : start + (16 if start < 40 else 4)].reshape(4, -1)
            A = np.tanh(A @ W + theta[start + W.size : start + W.size + W.shape[1]])
        return float((A**2).mean())

    RNG_X = np.random.default_rng(1).standard_normal((6, 4))
    costs = gradcheck.one_by_one(cost)
    right, _ = gradcheck.slopes(costs, theta, np.arange(len(theta)), cost(theta), 1e-4)

    def exchanged(theta: Array) -> Array:
        return np.concatenate([right[20:40], right[:20], right[40:]])

    found = naming.named(gradcheck.check(costs, exchanged, theta, parts), costs, theta, parts, rows=6)
    assert found.mistake is not None
    assert (found.mistake.kind, found.mistake.layer) == ("off by one layer", 2)


def test_what_no_known_mistake_fits_has_its_layer():
    for layer in range(1, LAST + 1):
        found = checked(changed(layer, "Wb", lambda g: g + np.cos(np.arange(g.size)).reshape(g.shape)))
        assert found.mistake is not None
        assert found.mistake.layer == layer
        assert found.mistake.kind == ("wrong output derivative" if layer == LAST else "wrong activation derivative")


def test_coordinates_at_a_kink_are_left_out():
    """|θ| near 0 has no slope within reach; the others of the same part are still measured."""
    theta = np.array([2e-5, 5e-5, 1.5e-4, 0.5, -0.7])
    part = types.Part("W1", 1, "W", 0, 5, (5, 1))
    costs = gradcheck.one_by_one(lambda theta: float(np.abs(theta).sum()))
    found = gradcheck.check(costs, lambda theta: np.where(theta > 0, 1.0, -1.0), theta, [part])
    assert found.ok
    assert found.layers[0].parts[0].kinks == 3


def test_a_kink_within_the_step_along_the_gradient_is_no_alarm():
    """max(0, θ - 1 - 3e-6) bends within 1e-5 of θ = 1, and not within 1e-6; a wrong gradient is still wrong there."""
    part = types.Part("W1", 1, "W", 0, 1, (1, 1))
    costs = gradcheck.one_by_one(lambda theta: float(theta[0] + max(0.0, theta[0] - 1 - 3e-6)))
    for slope, right in ((1.0, True), (1.3, False)):
        found = gradcheck.check(costs, lambda theta, slope=slope: np.array([slope]), np.ones(1), [part])
        assert found.ok is right


def test_a_gradient_that_is_not_a_number_fails():
    found = checked(changed(3, "W", lambda g: g * np.nan))
    assert found.mistake is not None
    assert (found.mistake.kind, found.mistake.layer) == ("not finite", 3)


def test_a_layer_without_any_slope_is_no_alarm():
    found = checked(lambda theta: np.zeros_like(theta), cost=lambda theta: 1.0)
    assert found.ok
    assert all(np.isnan(layer.rho) for layer in found.layers)


def test_fresh_parameters_are_xavier_whichever_way_round_the_weights_stand():
    part = types.Part("W", 1, "W", 0, 40_000, (100, 400))
    for shape in ((100, 400), (400, 100)):
        assert gradcheck.scratch([part._replace(shape=shape)]).std() == pytest.approx(np.sqrt(2 / 500), rel=0.02)
    assert [part.name for part in PARTS] == [f"{kind}{layer}" for layer in range(1, LAST + 1) for kind in "Wb"]
    assert all(a.stop == b.start for a, b in pairwise(PARTS))
