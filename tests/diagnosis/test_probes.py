"""The largest eigenvalue of the Hessian: exact for small networks, and beyond only where its residual is small."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.diagnosis import probes
from runner.experiment.build import compose
from runner.training.stack import Stack


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), sign=st.sampled_from([1.0, -1.0]))
def test_the_largest_is_found_and_not_the_one_of_largest_magnitude(seed: int, sign: float) -> None:
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.normal(size=(60, 60)))
    values = np.concatenate([sign * np.array([3.0, -7.0]), rng.uniform(-1, 1, size=58)])
    H = Q @ np.diag(values) @ Q.T
    found = probes._largest(lambda v: H @ v, 60)
    assert found == pytest.approx(values.max(), rel=1e-2)


def test_what_has_not_converged_is_no_number() -> None:
    rng = np.random.default_rng(0)
    H = np.diag(np.linspace(0.999, 1.0, 400))
    assert np.isnan(probes._largest(lambda v: H @ v + 0.5 * rng.normal(size=400), 400))


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_both_ways_agree_on_a_network(scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = compose(["dataset=xor", "architecture.hidden=[6]", f"init.scale={scale}"]).recipe
    stack, theta = Stack.start([recipe]), recipe.initial_parameters()
    exact = probes.sharpness(stack, recipe, theta)
    monkeypatch.setattr(probes, "EXACT", 0)
    assert probes.sharpness(stack, recipe, theta) == pytest.approx(exact, rel=2e-2)
