"""Arrays and tables handed over in Python as the data of runs and sweeps."""

from pathlib import Path

import numpy as np
import pandas
import pytest

from runner import load, plot, run, sweep
from runner.command.python import recorded_run
from runner.experiment.build import build_plain
from runner.experiment.schema import ConfigError
from runner.runs.resume import stored_config

SHORT = ["training.iterations=30"]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
y = (X[:, 0] > 0).astype(int)
FRAME = pandas.DataFrame(X, columns=["Größe", "b", "c"]).assign(label=np.where(y, "yes", "no"))


def test_arrays_are_the_same_data_as_a_file_of_them(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", X=X, y=y)
    words = [*SHORT, "dataset.scaling=standardise", "dataset.test_fraction=0.25"]
    ours = run(words, data=(X, y))
    theirs = run(["dataset=npz", f"dataset.path={tmp_path / 'own.npz'}", *words])
    assert ours.keys() == theirs.keys()
    for key in ours:
        np.testing.assert_array_equal(ours[key], theirs[key])
    assert ours.summary["dataset"]["sha256"] == theirs.summary["dataset"]["sha256"]  # type: ignore[index]
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert "cost" in plot(ours).figures


@pytest.mark.parametrize("kind", ["pandas", "polars", "lists", "a table and a column"])
def test_tables_of_every_kind_are_the_same_data(kind: str) -> None:
    inputs = ["Größe", "b", "c"]
    data, target = {
        "pandas": (lambda: FRAME, "label"),
        "polars": (lambda: pytest.importorskip("polars").from_dict(FRAME.to_dict("list")), "label"),
        "lists": (lambda: (X.tolist(), FRAME["label"].tolist()), None),
        "a table and a column": (lambda: (FRAME[inputs], FRAME["label"]), None),
    }[kind]
    trace = run(SHORT, data=data(), target=target)
    np.testing.assert_array_equal(trace["train/cost"], run(SHORT, data=FRAME, target="label")["train/cost"])
    assert set(trace.predict(X)) <= {"yes", "no"}
    if kind == "pandas":
        np.testing.assert_array_equal(trace.predict(FRAME[inputs[::-1]]), trace.predict(X))


def test_a_table_is_understood_as_the_same_table_in_a_file(tmp_path: Path) -> None:
    frame = FRAME.assign(
        sex=RNG.choice(["m", "f", "x"], 60), since=pandas.date_range("2024-01-01", periods=60), member=X[:, 1] > 0
    )
    frame.loc[3, "b"] = None
    frame.to_csv(tmp_path / "own.csv", index=False)
    ours = run(SHORT, data=frame, target="label")
    theirs = run(["dataset=csv", f"dataset.path={tmp_path / 'own.csv'}", "dataset.target=label", *SHORT])
    assert ours.network["encoding"] == theirs.network["encoding"]
    np.testing.assert_array_equal(ours["train/cost"], theirs["train/cost"])
    np.testing.assert_array_equal(ours.predict(frame), theirs.predict(pandas.read_csv(tmp_path / "own.csv")))


def test_a_target_of_many_numbers_is_a_regression_and_pictures_keep_their_shape() -> None:
    assert run(SHORT, data=(X, X[:, 1] * 2)).network["classes"] is None
    images = RNG.integers(0, 255, (12, 4, 4, 3))
    trace = run([*SHORT, "dataset.scaling=divide", "dataset.divisor=255"], data=(images, np.arange(12) % 2))
    assert trace.dataset is not None
    assert trace.dataset.image_shape == (4, 4, 3)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"data": (X, y[:5])}, "one target for each of the 60 rows"),
        ({"data": FRAME}, "name the column to learn by target="),
        ({"data": FRAME, "target": "lable"}, "did you mean 'label'"),
        (
            {"data": FRAME.assign(b=["word", *X[1:, 1]]), "target": "label"},
            r"row 0 .*column 'b' is 'word' among numbers",
        ),
        ({"data": FRAME.assign(label=[None, *FRAME["label"][1:]]), "target": "label"}, "column 'label' has no value"),
        ({"data": (np.where(X > 2, np.nan, X), y)}, "expected a finite number"),
        ({"data": 3}, r"data must be \(X, y\)"),
        ({"data": (X, y), "target": "label"}, "is for a table with named columns"),
        ({"target": "label"}, "there is no data"),
    ],
)
def test_data_that_cannot_be_learned_from_is_refused(given: dict, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        run(SHORT, **given)
    with pytest.raises(ConfigError, match="two data sets"):
        run("dataset=xor", data=(X, y))


def test_a_record_names_the_data_and_says_what_a_replay_would_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(SHORT, tmp_path / "run", data=FRAME, target="label")
    recorded = recorded_run(tmp_path / "run")
    assert recorded.summary is not None
    assert recorded.summary["dataset"]["inputs"] == ["Größe", "b", "c"]
    assert recorded.summary["dataset"]["target"] == "label"
    assert "sha256" not in recorded.summary["name"]
    assert build_plain(stored_config(tmp_path / "run")).data_digest == recorded.summary["dataset"]["sha256"]
    from datasets import given
    from runner.experiment import data

    monkeypatch.setattr(given, "_handed", {})  # another process
    data.loaded.cache_clear()
    with pytest.raises(ConfigError, match=r"was handed over in Python.*Hand it over again"):
        build_plain(stored_config(tmp_path / "run"))
    assert "cost" in plot(tmp_path / "run").figures


def test_a_sweep_learns_from_it_and_knows_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*SHORT, "seed=0,1", "plots=false", "sweep.backend=serial"]
    first = sweep(words, data=(X, y))
    again = sweep(words, data=(X, y))
    other = sweep(words, data=(X + 1, y))
    assert first["directory"] == again["directory"]
    assert not set(first["directory"]) & set(other["directory"])
    assert len(load(tmp_path / "multirun")) == 4
