"""Where classes are unequal, the end of a run says how well each is found: the same as scikit-learn of its answers."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from runner import load, run, sweep
from runner.runs import journal


def rare(folder: Path, classes: int) -> tuple[Path, np.ndarray, np.ndarray]:
    """A file of rows of which few are of the last class."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 2)).round(3)
    y = np.digitize(X[:, 0] + 0.3 * rng.normal(size=120), [0.9, 1.5][: classes - 1])
    lines = [f"{a},{b},{['no', 'yes', 'ever'][k]}" for (a, b), k in zip(X.tolist(), y.tolist(), strict=True)]
    (folder / "own.csv").write_text("\n".join(["a,b,kind", *lines]) + "\n")
    return folder / "own.csv", X, y


@pytest.mark.parametrize("classes", [2, 3])
def test_its_end_says_of_each_class_what_scikit_learn_says(classes: int, tmp_path: Path) -> None:
    path, X, y = rare(tmp_path, classes)
    trained = run(
        ["dataset=csv", f"dataset.path={path}", "dataset.target=kind", "training.iterations=60"], tmp_path / "run"
    )
    found = json.loads((tmp_path / "run" / "summary.json").read_text())["by_class"]["train"]
    names, A = list(trained.network["classes"]), trained.outputs(X)
    true, said = np.array(["no", "yes", "ever"])[y], trained.predict(X)
    assert found["confusion"] == metrics.confusion_matrix(true, said, labels=names).tolist()
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(true, said))
    assert found["f1_macro"] == pytest.approx(metrics.f1_score(true, said, average="macro"))
    assert found["recall"] == pytest.approx(
        dict(zip(names, metrics.recall_score(true, said, labels=names, average=None), strict=True))
    )
    marks = true[:, None] == np.array(names)
    areas = [metrics.roc_auc_score(marks[:, k], A[:, k]) for k in range(classes)] if A.shape[1] > 1 else []
    assert found["auc"] == pytest.approx(np.mean(areas) if areas else metrics.roc_auc_score(marks[:, 1], A[:, 0]))
    (end,) = (record for record, _ in journal.read(tmp_path / "run") if record["kind"] == "end")
    assert end["metrics"]["train/balanced_accuracy"] == found["balanced_accuracy"]
    assert end["metrics"]["train/recall/yes"] == found["recall"]["yes"]


def test_where_classes_are_about_equal_nothing_is_added() -> None:
    assert "by_class" not in run("dataset=xor training.iterations=2").summary  # type: ignore[operator]


def test_a_file_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    words = ["dataset=csv", f"dataset.path={tmp_path / 'own.csv'}", "dataset.target=kind", "training.iterations=2"]
    rare(tmp_path, 2)
    assert run(words).network["classes"] == ["no", "yes"]
    rare(tmp_path, 3)
    assert run(words).network["classes"] == ["ever", "no", "yes"]


def numbers(folder: Path) -> list[str]:
    """The words for a small regression."""
    rng = np.random.default_rng(0)
    lines = [f"{a:.3f},{b:.3f},{3 * a - b:.4f}" for a, b in rng.normal(size=(30, 2)).tolist()]
    (folder / "own.csv").write_text("\n".join(["a,b,price", *lines]) + "\n")
    return ["dataset=csv", f"dataset.path={folder / 'own.csv'}", "dataset.target=price", "training.iterations=20"]


def test_the_score_of_a_regression_is_r2_and_its_old_name_is_understood(tmp_path: Path) -> None:
    words = [*numbers(tmp_path), "dataset.validation=0.2"]
    old = ["objective.metric=val/accuracy", "training.target={metric: train/accuracy, value: 0.2}"]
    trained = run([*words, *old], tmp_path / "run")
    assert {"train/r2", "val/r2"} <= set(trained)
    assert not {key for key in trained if "accuracy" in key}
    assert "train/accuracy" in trained
    np.testing.assert_array_equal(trained["train/accuracy"], trained["train/r2"])
    assert trained.summary["target"]["metric"] == "train/r2"  # type: ignore[index]
    assert trained.summary["metrics"]["best"]["val/r2"] == trained["val/r2"].max()  # type: ignore[index]
    recorded = tmp_path / "run" / "journal.jsonl"
    recorded.write_text(recorded.read_text().replace("/r2", "/accuracy"))  # as it was written before
    np.testing.assert_array_equal(load(tmp_path / "run")["val/r2"], trained["val/r2"])


def test_folds_stand_in_one_line_of_the_leaderboard(tmp_path: Path) -> None:
    words = [*numbers(tmp_path), "dataset.folds=3", "dataset.fold=range(3)", "optimizer.lr=0.01,0.1", "plots=false"]
    runs = sweep([*words, "sweep.backend=serial"], tmp_path / "sweep")
    assert len(runs) == 6
    lines = (tmp_path / "sweep" / "summary" / "leaderboard_by_setting.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [["lr=0.1", "3", "val/cost"], ["lr=0.01", "3", "val/cost"]]
    held = [load(path).summary["dataset"] for path in runs["directory"]]  # type: ignore[index]
    assert len({each["sha256"] for each in held}) == 3
