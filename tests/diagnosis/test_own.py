"""Networks of the user's own are told why they failed by the same experiments as ours."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from runner.diagnosis import cures, diagnose
from runner.diagnosis.case import UNDETERMINED, Case, Finding
from runner.diagnosis.trials import courses
from runner.diagnosis.watch import Watch
from runner.experiment.build import compose_with
from runner.experiment.compose import Composer
from runner.runs import findings
from runner.training import threads

NETWORK = """
import numpy as np

class Net:
    def __init__(self, inputs, outputs, seed, hidden=(6,), scale=0.7, slow=1.0):
        rng, h = np.random.default_rng(seed), hidden[0]
        self.W1, self.b1 = scale * rng.normal(size=(inputs, h)), np.zeros(h)
        self.W2, self.b2 = scale * rng.normal(size=(h, outputs)), np.zeros(outputs)
        self.parameters, self.slow = {"W1": self.W1, "b1": self.b1, "W2": self.W2, "b2": self.b2}, slow

    def forward(self, X):
        A1 = np.tanh(X @ self.W1 + self.b1)
        return A1, A1 @ self.W2 + self.b2

    def predict(self, X):
        return self.forward(X)[1]

    def cost(self, X, Y):
        return np.mean((self.predict(X) - Y) ** 2)

    def gradients(self, X, Y):
        A1, A = self.forward(X)
        dZ = 2 * (A - Y) / len(X)
        dA = dZ @ self.W2.T * (1 - A1**2)
        self.g = {"W1": X.T @ dA, "b1": dA.sum(0), "W2": A1.T @ dZ, "b2": dZ.sum(0)}
        return self.g

    def step(self, lr):
        for name, array in self.parameters.items():
            array -= lr * self.slow * self.g[name]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a network and data sets in it."""
    (tmp_path / "mine.py").write_text(NETWORK)
    X = np.random.default_rng(1).uniform(-2, 2, size=(40, 2))
    y = np.sin(X[:, 0]) + 0.5 * X[:, 1]
    for name, inputs, targets in (("plain", X, y), ("far", 300 * X + 2000, y), ("dear", X, 3e5 * y + 9e5)):
        np.savez(tmp_path / f"{name}.npz", X=inputs, y=targets)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def case_of(*overrides: str, data: str = "plain") -> Case:
    words = ["dataset=npz", f"dataset.path={data}.npz", "dataset.scaling=none", "dataset.target_scaling=none"]
    own = ["architecture=own", "architecture.network=mine:Net", "optimizer=gd", "optimizer.lr=0.1"]
    composer = Composer()
    return findings.case_of(compose_with(composer, [*words, *own, "training.iterations=300", *overrides]), composer)


def told(case: Case, causes: Sequence[str], watch: Watch | None = None) -> list[Finding]:
    with threads.limited(case.recipe), np.errstate(all="ignore"):
        (course,) = courses([case.recipe])
    return diagnose(case, course, causes, watch)


CASES = [
    ("symmetric_units", "plain", ["+architecture.arguments.scale=0"], "architecture.init=xavier_normal"),
    ("inputs_unscaled", "far", [], "dataset.scaling=standardise"),
    ("targets_unscaled", "dear", [], "dataset.target_scaling=standardise"),
    ("learning_rate_too_low", "plain", ["optimizer.lr=0.00001"], "optimizer.lr="),
    ("schedule_too_fast", "plain", ["schedule=exponential", "schedule.half_life=0.2"], "schedule=constant"),
    ("clip_too_small", "plain", ["optimizer.clip_norm=0.00001"], "optimizer.clip_norm=null"),
    (
        "wrong_step",
        "plain",
        ["architecture.update=own", "+architecture.arguments.slow=0.0001"],
        "architecture.update=ours",
    ),
]


@pytest.mark.parametrize(("cause", "data", "changes", "fix"), CASES, ids=[case[0] for case in CASES])
def test_a_cause_is_told_with_a_change_that_was_run(cause: str, data: str, changes: list[str], fix: str) -> None:
    rivals = ["symmetric_units", "inputs_unscaled", "targets_unscaled", "schedule_too_fast", "clip_too_small"]
    found = told(case_of(*changes, data=data), [*rivals, "wrong_step", "learning_rate_too_low"])
    assert found[0].cause == cause, found[0]
    assert any(override.startswith(fix) for override in found[0].override)
    assert found[0].shown.endswith("seeds reach the target")


def test_a_cure_is_searched_for_a_network_of_ones_own() -> None:
    case = case_of("+architecture.arguments.scale=0")
    cure = cures.search(case, told(case, ["symmetric_units"]), 2)
    assert cure.best is not None
    assert cure.best.overrides[0].startswith("architecture.init=")


def test_a_search_that_runs_out_of_time_names_no_cause() -> None:
    found = told(case_of("optimizer.lr=0.00001"), ["learning_rate_too_low"], Watch(0.0))
    assert [each.cause for each in found] == [UNDETERMINED]
    assert "ended after 0 experiments" in found[0].evidence[0]
