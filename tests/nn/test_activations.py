"""Hidden activations: each is its published function, and its derivative is that function's derivative."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.experiment.schema import options
from runner.nn import activations

ACTIVATIONS = options(activations, "Activation")
FORMULAS = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "tanh": lambda z: (math.exp(z) - math.exp(-z)) / (math.exp(z) + math.exp(-z)),
    "relu": lambda z: z if z > 0 else 0,
    "leaky_relu": lambda z: z if z > 0 else 0.01 * z,
    "elu": lambda z: z if z > 0 else math.exp(z) - 1,
    "gelu": lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2,
    "softplus": lambda z: math.log(1 + math.exp(z)),
}
away_from_the_kink = st.floats(-15, 15).filter(lambda z: abs(z) > 1e-3)


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(z=away_from_the_kink)
def test_the_derivative_equals_central_differences(name: str, z: float):
    value, derivative = ACTIVATIONS[name]()
    h = 1e-4
    Z = z + h * np.array([-2, -1, 1, 2])
    numeric = value(Z) @ [1, -8, 8, -1] / (12 * h)  # the five-point stencil, its error is O(h⁴)
    Z = np.array([z])
    np.testing.assert_allclose(derivative(Z, value(Z))[0], numeric, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(z=away_from_the_kink)
def test_the_value_is_the_published_function(name: str, z: float):
    assert name in FORMULAS, f"write down what {name} computes, in plain Python"
    np.testing.assert_allclose(ACTIVATIONS[name]().value(np.array([z]))[0], FORMULAS[name](z), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_and_the_shape_stay_and_the_input_is_not_written_to(name: str, dtype: str):
    value, derivative = ACTIVATIONS[name]()
    Z = np.linspace(-3, 3, 12, dtype=dtype).reshape(2, 3, 2)
    before = Z.copy()
    A = value(Z)
    slope = derivative(Z, A)
    assert (A.dtype, A.shape) == (slope.dtype, slope.shape) == (Z.dtype, Z.shape)
    np.testing.assert_array_equal(Z, before)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_large_inputs_neither_overflow_nor_warn(name: str):
    value, derivative = ACTIVATIONS[name]()
    Z = np.array([-1e4, -800.0, 800.0, 1e4])
    A = value(Z)
    assert np.isfinite(A).all()
    assert np.isfinite(derivative(Z, A)).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(z=st.floats(-15, 15))
def test_one_element_does_not_depend_on_its_neighbours(name: str, z: float):
    """SIMD computes many at once: the last bits must not depend on where in an array a number stands."""
    value, derivative = ACTIVATIONS[name]()
    alone, many = np.full(1, z), np.full(37, z)
    np.testing.assert_array_equal(value(many), np.repeat(value(alone), 37))
    np.testing.assert_array_equal(derivative(many, value(many)), np.repeat(derivative(alone, value(alone)), 37))


def test_the_derivative_of_relu_at_exactly_zero_is_zero():
    relu = activations.relu()
    Z = np.array([-0.0, 0.0, np.nextafter(0, 1)])
    np.testing.assert_array_equal(relu.derivative(Z, relu.value(Z)), [0, 0, 1])
