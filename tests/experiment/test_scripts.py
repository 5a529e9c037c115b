"""A script as an experiment: its own costs to the bit, its options by name, and what makes two of them the same."""

from pathlib import Path

import numpy as np
import pytest

from runner import load, run
from runner.command import replay
from runner.experiment.build import compose
from runner.experiment.schema import ConfigError
from runner.runs import trace
from runner.training.train import End, Rows, train

SCRIPT = """import numpy as np

lr = 0.1
X = np.random.randn(40, 2)
Y = (X[:, :1] > 0).astype(float)


def fit(width=3, steps=12):
    W1, W2 = np.random.randn(2, width), np.random.randn(width, 1)
    costs = []
    for i in range(steps):
        A1 = np.tanh(X @ W1)
        A2 = 1 / (1 + np.exp(-(A1 @ W2)))
        cost = -np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2))
        costs.append(cost)
        dZ2 = (A2 - Y) / 40
        dZ1 = (dZ2 @ W2.T) * (1 - A1**2)
        W2 = W2 - lr * A1.T @ dZ2
        W1 = W1 - lr * X.T @ dZ1
    return costs


costs = fit(width=4)
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "mine.py"
    path.write_text(SCRIPT)
    return path


def test_the_costs_are_those_of_the_script_to_the_bit(path: Path) -> None:
    np.random.seed(3)
    scope: dict = {}
    exec(SCRIPT.replace("lr = 0.1", "lr = 0.5"), scope)
    experiment = compose(["experiment=script", f"script.path={path}", "++script.set.lr=0.5", "seed=3"])
    events = list(train([experiment.recipe]))
    costs = [each.values["train/cost"][0] for each in events if isinstance(each, Rows) and "train/cost" in each.values]
    assert costs == scope["costs"]
    end = next(each for each in events if isinstance(each, End))
    assert (end.status, end.step, len(end.theta)) == ("finished", 12, 12)


def test_a_default_that_a_call_names_is_set_there_too(path: Path) -> None:
    experiment = compose(["experiment=script", f"script.path={path}", "++script.set.width=7"])
    assert experiment.recipe.script is not None
    assert dict(experiment.recipe.script.layout) == {"W1": (2, 7), "W2": (7, 1)}


def test_an_unknown_name_is_refused_with_the_nearest(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"script.set.widht.*Did you mean script.set.width\?"):
        compose(["experiment=script", f"script.path={path}", "++script.set.widht=7"])


def test_the_source_is_part_of_what_makes_two_runs_the_same(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "mine.py"
    other.write_text(SCRIPT.replace("W2.T) * (1 - A1**2)", "W2.T) * (1 - A1)"))
    words = ["experiment=script"]
    first, second = (compose([*words, f"script.path={each}"]).recipe.script for each in (path, other))
    assert first is not None
    assert second is not None
    assert first.digest != second.digest


def test_a_run_is_recorded_like_any_other(path: Path) -> None:
    experiment = compose(["experiment=script", f"script.path={path}"])
    made = trace.traced(experiment)
    assert (made.status, made.steps[-1]) == ("finished", 12)
    assert np.isfinite(made["weight_norm/W1"]).all()


def test_its_record_replays_bit_for_bit(path: Path, tmp_path: Path) -> None:
    recorded = run(["experiment=script", f"script.path={path}"], tmp_path / "run")
    assert "train/accuracy" in recorded.values
    assert replay.compare(load(tmp_path / "run"), recorded, resumed=False) is None
