"""Initializers: the spread that each docstring states, what `scale` and `bias_scale` do, and the order of the draws."""

import inspect
import re
from itertools import pairwise
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.experiment.schema import options
from runner.nn import initializers
from runner.nn.initializers import Initializer, draw
from runner.nn.types import layers_of

INITIALIZERS = options(initializers, "Initializer")
each = pytest.mark.parametrize("name", INITIALIZERS)
FANS = [(300, 200), (200, 300), (400, 1), (1, 400)]


def random_state(seed: int = 0) -> np.random.RandomState:
    return np.random.RandomState(seed)


def stated(name: str, fan_in: int, fan_out: int, scale: float) -> tuple[str, float]:
    """The law that a docstring states, "W = scale sqrt(2 / fan_in) N(0, 1) (...": its kind, and its size here."""
    words = re.sub(r"\s+", " ", inspect.getdoc(INITIALIZERS[name]) or "")
    law = re.split(r" \([A-Z]|, whatever|, Q with|: |\. | in every", words.removeprefix("W = "))[0]
    kind = "normal" if "N(0, 1)" in law else "uniform" if law.startswith("U(") else "orthogonal" if "Q" in law else ""
    size = law.split("a = ")[-1].replace("U(-scale, scale)", "scale").replace("N(0, 1)", "1").replace("Q", "1")
    product = re.sub(r"(?<=[\w)]) (?=[\w(])", " * ", size)
    values = {"sqrt": sqrt, "fan_in": fan_in, "fan_out": fan_out, "scale": scale}
    return kind or "constant", eval(product, {"__builtins__": {}}, values)


@each
@pytest.mark.parametrize(("fan_in", "fan_out"), FANS)
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_weights_are_spread_as_the_docstring_states(name: str, fan_in: int, fan_out: int, scale: float):
    kind, size = stated(name, fan_in, fan_out, scale)
    generator, weights = random_state(), INITIALIZERS[name](scale=scale).weights
    W = np.stack([weights(generator, fan_in, fan_out) for _ in range(60000 // (fan_in * fan_out) + 1)])
    if kind == "constant":
        np.testing.assert_array_equal(W, size)
    elif kind == "orthogonal":
        gram = W[0].T @ W[0] if fan_in >= fan_out else W[0] @ W[0].T
        np.testing.assert_allclose(gram, size**2 * np.eye(len(gram)), atol=1e-12)
    else:
        deviation = size if kind == "normal" else size / sqrt(3)
        # 60,000 draws: five standard errors are 2 % of the deviation.
        assert W.mean() == pytest.approx(0, abs=0.021 * deviation)
        assert W.std() == pytest.approx(deviation, rel=0.021)
    if kind == "uniform":
        assert 0.999 * size < abs(W).max() <= size
    if kind == "normal":
        assert (abs(W) > 2 * size).mean() == pytest.approx(0.0455, abs=0.005)


def test_the_published_spreads_are_what_the_docstrings_state():
    """A 300-200 layer: Glorot's, He's and LeCun's variances; a uniform law is sqrt(3) deviations wide."""
    variances = {"xavier": 2 / (300 + 200), "he": 2 / 300, "lecun": 1 / 300}
    for author, variance in variances.items():
        assert stated(f"{author}_normal", 300, 200, 1.0) == ("normal", pytest.approx(sqrt(variance)))
        assert stated(f"{author}_uniform", 300, 200, 1.0) == ("uniform", pytest.approx(sqrt(3 * variance)))


@each
@given(scale=st.floats(0.01, 50), seed=st.integers(0, 2**32 - 1))
def test_scale_multiplies_the_weights_and_nothing_else(name: str, scale: float, seed: int):
    one, scaled = (INITIALIZERS[name](scale=s, bias_scale=0.7) for s in (1.0, scale))
    expected = layers_of(draw(one, random_state(seed), (3, 4, 2))[None], (3, 4, 2))
    found = layers_of(draw(scaled, random_state(seed), (3, 4, 2))[None], (3, 4, 2))
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b.W, scale * a.W, rtol=1e-14)
        np.testing.assert_array_equal(b.b, a.b)


@each
def test_biases_are_zero_unless_asked_for(name: str):
    assert all(
        (layer.b == 0).all()
        for layer in layers_of(draw(INITIALIZERS[name](), random_state(), (3, 4, 2))[None], (3, 4, 2))
    )


@each
def test_a_bias_scale_draws_the_biases_after_all_the_weights(name: str):
    widths = (3, 4000, 2)
    plain = layers_of(draw(INITIALIZERS[name](), random_state(), widths)[None], widths)
    biased = layers_of(draw(INITIALIZERS[name](bias_scale=2.0), random_state(), widths)[None], widths)
    for before, after in zip(plain, biased, strict=True):
        np.testing.assert_array_equal(before.W, after.W)
    assert biased[0].b.std() == pytest.approx(2.0, rel=0.06)
    assert biased[0].b.mean() == pytest.approx(0.0, abs=0.16)
    assert (biased[1].b != 0).all()


@each
@pytest.mark.parametrize("generator", [random_state, np.random.default_rng])
def test_the_same_seed_draws_the_same_and_another_draws_otherwise(name: str, generator):
    initializer = INITIALIZERS[name](bias_scale=1.0)
    first, again, other = (draw(initializer, generator(seed), (2, 5, 1)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@each
def test_the_docstrings_scale_is_the_default_of_the_yaml(name: str):
    """Published names mean scale 1: he_normal without arguments is He's."""
    default = inspect.signature(INITIALIZERS[name]).parameters["scale"].default
    if "fan_in" in (inspect.getdoc(INITIALIZERS[name]) or "").split("Source")[0].split("whatever")[0]:
        assert default == 1.0
    assert default > 0


def test_matrices_are_drawn_layer_by_layer_as_fan_out_by_fan_in():
    """As `W1 = randn(n1, n0) * .01; W2 = randn(n2, n1) * .01` in the published programs."""
    widths, generator = (3, 4, 2), random_state(7)
    layers = layers_of(draw(initializers.normal(scale=0.01, bias_scale=0.5), random_state(7), widths)[None], widths)
    np.testing.assert_array_equal(layers[0].W[0].T, generator.randn(4, 3) * 0.01)
    np.testing.assert_array_equal(layers[1].W[0].T, generator.randn(2, 4) * 0.01)
    np.testing.assert_array_equal(layers[0].b[0, 0], generator.randn(4) * 0.5)
    np.testing.assert_array_equal(layers[1].b[0, 0], generator.randn(2) * 0.5)


def test_fan_in_first_draws_them_the_other_way():
    drawn = initializers.normal(scale=2.0, fan_in_first=True).weights(random_state(), 3, 4)
    np.testing.assert_array_equal(drawn, random_state().randn(3, 4) * 2)


def test_lecun_normal_divides_as_the_published_costs_did():
    """randn / sqrt(fan_in), to the last bit, and not randn * (1 / sqrt(fan_in))."""
    drawn = initializers.lecun_normal().weights(random_state(1), 12, 20)
    np.testing.assert_array_equal(drawn.T, random_state(1).randn(20, 12) / np.sqrt(12))


def test_orthogonal_is_uniform_among_the_orthogonal_matrices():
    """The first row of such a matrix is uniform on the circle: no quadrant is preferred, and Q has both signs."""
    generator, weights = random_state(), initializers.orthogonal().weights
    drawn = np.stack([weights(generator, 2, 2) for _ in range(4000)])
    angles = np.arctan2(drawn[:, 0, 1], drawn[:, 0, 0])
    counts, _ = np.histogram(angles, bins=8, range=(-np.pi, np.pi))
    assert abs(counts - 500).max() < 5 * sqrt(500)
    assert (np.linalg.det(drawn) > 0).mean() == pytest.approx(0.5, abs=0.04)


@given(widths=st.lists(st.integers(1, 6), min_size=2, max_size=5))
def test_the_flat_vector_holds_each_layers_weights_then_its_biases(widths: list[int]):
    numbered = iter(range(1000))
    layer = Initializer(lambda generator, fan_in, fan_out: np.full((fan_in, fan_out), float(next(numbered))), 0.0)
    theta = draw(layer, random_state(), tuple(widths))
    expected: list[float] = []
    for index, (fan_in, fan_out) in enumerate(pairwise(widths)):
        expected += [float(index)] * (fan_in * fan_out) + [0.0] * fan_out
    np.testing.assert_array_equal(theta, expected)
