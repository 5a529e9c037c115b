"""What a network of the user's own must reach: half of what its own cost charges for knowing nothing."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.experiment.build import compose
from runner.nn.architectures import Own
from runner.training.own.baseline import base_cost, base_score
from runner.training.own.load import load
from runner.training.own.parts import parts_of
from runner.training.recipe import Data, OwnSource

NETWORKS = Path(__file__).parent / "networks"
LOUD = """
import numpy as np

class Loud:
    def __init__(self, inputs, outputs, seed, scale=1.0, times=1.0):
        rng = np.random.default_rng(seed)
        self.W, self.b, self.times = scale * rng.normal(size=(inputs, outputs)), np.zeros(outputs), times
        self.parameters = {"W": self.W, "b": self.b}

    def predict(self, X):
        return 1 / (1 + np.exp(-np.clip(X @ self.W + self.b, -30, 30)))

    def cost(self, X, Y):
        A = self.predict(X)
        return -self.times * np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A))

    def gradients(self, X, Y):
        dZ = self.times * (self.predict(X) - Y) / len(X)
        return {"W": X.T @ dZ, "b": dZ.sum(0)}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with the networks in it."""
    shutil.copytree(NETWORKS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "loud.py").write_text(LOUD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


@settings(max_examples=20, deadline=None)
@given(ones=st.integers(1, 29), times=st.sampled_from([1.0, 0.5, 30.0]))
def test_it_is_the_entropy_of_the_labels_times_what_its_cost_is_a_multiple_of(ones: int, times: float):
    y = np.arange(30) < ones
    data = Data(np.random.default_rng(0).normal(size=(30, 3)), y[:, None].astype(float), y.astype(int))
    options = Own("loud:Loud", arguments={"times": times})
    network = load(options, 3, 1, 0, "float64")
    before = network.theta()
    p = ones / 30
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    source = OwnSource(options, network.layout, 2, True, "")
    assert base_cost(network, parts_of(network.layout, 3, 1), source, data) == pytest.approx(times * entropy)
    assert np.array_equal(network.theta(), before)
    assert base_score(data, 2) == pytest.approx(max(p, 1 - p))


def test_a_network_that_is_always_wrong_at_first_has_not_reached_its_target_by_guessing(folder: Path):
    found = compose(
        ["dataset=flower", "architecture=own", "architecture.network=loud:Loud", "+architecture.arguments.scale=100"]
    )
    assert found.target.value == pytest.approx(np.log(2) / 2)
    assert found.constant_cost == pytest.approx(np.log(2))
    assert not found.target.reached({"train/cost": 0.0, "train/accuracy": 0.5})
    assert found.target.reached({"train/cost": 0.3, "train/accuracy": 0.9})


def test_a_target_that_is_asked_for_is_taken_as_it_is(folder: Path):
    asked = "training.target={metric:train/accuracy,value:0.4}"
    found = compose(["dataset=flower", "architecture=own", "architecture.network=loud:Loud", asked])
    assert found.target.reached({"train/accuracy": 0.4})


@pytest.mark.parametrize("network", ["style_theta", "style_list", "post_xor", "style_attributes", "style_no_bias"])
def test_it_is_found_however_a_network_is_written(network: str):
    words = ["dataset=xor", "architecture=own", f"architecture.network={network}"]
    turned = ["architecture.samples=columns"] if network == "post_xor" else []
    known = compose([*words, *turned]).constant_cost
    assert min(abs(known - base) for base in (np.log(2), 1 / 4, 1 / 8)) < 1e-9
