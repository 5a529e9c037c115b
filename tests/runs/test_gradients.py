"""The gradient check before training: once a network, said in one line, and nothing of the run changes by it."""

import random
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.command.session import Session
from runner.diagnosis.gradient.measure import Check
from runner.experiment.build import compose
from runner.experiment.experiment import Experiment
from runner.runs.gradients import Checked, GradientChecks, wanted
from runner.screen import gradient
from runner.sweeps.jobs import Job
from runner.training.train import End, Rows, train

NETWORKS = Path(__file__).parents[1] / "training" / "own" / "networks"
NOISY = sorted(path.stem for path in NETWORKS.glob("noise_*.py"))

FACTOR = """
import numpy as np


class Net:
    def __init__(self):
        self.parameters = {"W": np.random.randn(2, 1), "b": np.zeros(1)}

    def predict(self, X):
        return X @ self.parameters["W"] + self.parameters["b"]

    def cost(self, X, Y):
        return np.mean((self.predict(X) - Y) ** 2)

    def gradients(self, X, Y):
        print("backward")
        d = (self.predict(X) - Y) / len(X)
        return {"W": X.T @ d, "b": d.sum(axis=0)}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(NETWORKS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def experiment(network: str, *others: str) -> Experiment:
    own = ["architecture=own", f"architecture.network={network}"]
    return compose(["dataset=xor", *own, "training.iterations=12", "training.log_every=3", *others])


def told(experiment: Experiment) -> list[Any]:
    """All numbers that training gives, and the state of the generators after it."""
    found: list[Any] = []
    for event in train([experiment.recipe]):
        if isinstance(event, Rows):
            found.append({name: values.tobytes() for name, values in event.values.items()})
        elif isinstance(event, End):
            found.append(np.asarray(event.theta).tobytes())
    return [*found, np.random.random(), random.random()]


@pytest.mark.parametrize("network", NOISY)
def test_costs_weights_and_noise_are_the_same_bits_with_and_without_it(network: str) -> None:
    trained = experiment(f"{network}:Net", "training.batch_size=3")
    without = told(trained)
    checked = GradientChecks().look(trained)
    assert checked is not None
    assert checked.check is not None, checked.why
    assert checked.check.ok, checked.check.mistake
    assert not checked.wrong
    assert told(trained) == without


def test_all_kinds_of_noise_are_tried() -> None:
    assert len(NOISY) >= 6


def test_the_generators_are_where_they_were() -> None:
    trained = experiment("noise_global:Net")
    np.random.seed(8)
    random.seed(8)
    GradientChecks().look(trained)
    after = np.random.random(), random.random()
    np.random.seed(8)
    random.seed(8)
    assert after == (np.random.random(), random.random())


def test_it_is_on_for_networks_that_are_not_ours() -> None:
    ours, own = compose(["dataset=xor"]), experiment("noise_global:Net")
    assert not wanted(ours)
    assert wanted(own)
    assert not wanted(experiment("noise_global:Net", "diagnosis.check_gradients=false"))
    assert not wanted(experiment("noise_global:Net", "diagnosis=none"))


def test_a_network_is_looked_at_once_in_a_sweep_and_again_in_other_shapes() -> None:
    checks = GradientChecks()
    same = [experiment("noise_global:Net", f"seed={seed}", f"optimizer.lr=0.{seed + 1}") for seed in range(2)]
    assert [checks.look(each) is not None for each in same] == [True, False]
    assert checks.look(experiment("noise_global:Net", "dataset=spiral")) is not None
    assert all(checks.of(each) is not None for each in same)


def test_a_wrong_gradient_is_said_in_one_line_with_its_place_and_what_it_took(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "factor.py").write_text(FACTOR)
    here = Session()
    (result,) = here.run([Job(experiment("factor:Net", "tracking=none", "progress=false"), folder / "run", "one")])
    assert result.status == "finished"  # it does not stop the run
    assert here.finish() == 1
    shown = capsys.readouterr().out
    (line,) = [line for line in shown.splitlines() if line.startswith("gradient of factor:Net")]
    assert "factor.py:17: " in line
    assert " ms; diagnosis.check_gradients=false" in line
    rows = [line for line in shown.splitlines() if line == "backward"]
    assert len(rows) <= 12 + 4 + 10  # what the check calls is not printed


def test_what_cannot_be_looked_at_is_no_alarm(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unseeded = (NETWORKS / "noise_global.py").read_text()
    unseeded = unseeded.replace("np.random.rand(*self.A.shape)", "np.random.default_rng().random(self.A.shape)")
    (folder / "unseeded.py").write_text(unseeded)
    checks = GradientChecks()
    found = checks.look(experiment("unseeded:Net"))
    assert found is not None
    assert checks.wrong == 0
    gradient.checked(found)
    assert "could not be looked at" in capsys.readouterr().out
    gradient.checked(Checked("their:Net", None, "they raised", 0.01))
    assert "they raised" in capsys.readouterr().out
    assert not Checked("their:Net", Check((), True, None, np.ones(1), np.ones(1)), "", 0.0).wrong
