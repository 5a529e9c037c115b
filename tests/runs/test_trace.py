"""A run from Python: arrays in memory, or recorded and read back."""

from pathlib import Path

import numpy as np
import pytest

from runner import load
from runner.command.python import run
from runner.experiment.build import compose
from runner.experiment.schema import ConfigError
from runner.runs.journal import JournalError

XOR = [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_a_run_gives_its_trace_as_arrays_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trace = run(["dataset=xor", "optimizer.lr=0.1"])
    assert trace.status == "finished"
    assert trace.steps[0] == 0
    assert trace.steps[-1] == 2000
    assert trace["train/cost"].shape == trace.steps.shape
    assert trace["train/cost"][-1] < 0.01
    assert np.isnan(trace["update_ratio/layer_1"][-1])
    assert list(tmp_path.iterdir()) == []


def test_predictions_are_in_the_words_of_the_data(data_files: dict[str, list[str]]) -> None:
    assert run(["dataset=xor", "optimizer.lr=0.1"]).predict(XOR).tolist() == [0, 1, 1, 0]
    overrides = ["dataset=csv", *data_files["csv"], "dataset.scaling=standardise", "optimizer.lr=0.1"]
    assert set(run(overrides).predict(np.zeros((3, 3)))) <= {"yes", "no"}


@pytest.mark.parametrize("preset", ["cured/xor", "cured/spiral", "cured/flower"])
def test_a_loaded_run_predicts_what_training_saw(preset: str, tmp_path: Path) -> None:
    overrides = [f"experiment={preset}", "training.iterations=300"]
    recorded = run(overrides, tmp_path / "run")
    raw = compose([*overrides, "dataset.scaling=none"]).dataset.train
    right = recorded.predict(raw.X) == np.asarray(recorded.network["classes"])[raw.y]
    assert right.mean() == recorded["train/accuracy"][-1]
    again = load(tmp_path / "run")
    in_memory = run(overrides)
    for key, column in in_memory.values.items():
        np.testing.assert_array_equal(again[key], column)
    for (W, b), (W2, b2) in zip(again.weights, in_memory.weights, strict=True):
        np.testing.assert_array_equal(W, W2)
        np.testing.assert_array_equal(b, b2)


def test_a_diverged_run_says_where(tmp_path: Path) -> None:
    trace = run(["experiment=posts/xor"], tmp_path / "run")
    assert trace.status == "diverged"
    assert trace.nonfinite is not None
    assert trace.nonfinite["step"] == 275
    assert trace["train/cost"][trace.steps == 275] == np.inf
    assert np.isnan(trace["train/cost"][trace.steps == 276])


def test_wrong_overrides_raise_with_every_mistake() -> None:
    with pytest.raises(ConfigError) as error:
        run(["optimizer.lr=-1", "seed=-1"])
    assert len(error.value.problems) == 2


def test_inputs_of_the_wrong_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"X must be \(n, 2\)"):
        run(["dataset=xor", "training.iterations=1"]).predict(np.zeros((1, 3)))


def test_a_directory_without_a_run_or_with_one_already_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no run"):
        load(tmp_path)
    run(["dataset=xor", "training.iterations=1"], tmp_path)
    with pytest.raises(JournalError, match="exists"):
        run(["dataset=xor", "training.iterations=1"], tmp_path)


def test_a_password_in_the_stores_address_is_not_kept(tmp_path: Path) -> None:
    words = ["dataset=xor", "training.iterations=1", "tracking.uri='http://me:secret@127.0.0.1:9'"]
    run(words, tmp_path / "run", tracking=False)
    for path in (path for path in (tmp_path / "run").rglob("*") if path.is_file()):
        assert b"secret" not in path.read_bytes(), path.name
    assert "http://me@127.0.0.1:9" in (tmp_path / "run" / "config.yaml").read_text()
