"""`python -m runner.predict`: new rows from files, answered in the words of the data."""

import csv
from pathlib import Path

import h5py
import numpy as np
import pytest

from runner import Refusal, load
from runner.command.predict import main
from runner.command.python import run

IRIS = "height,weight,Größe\n1,20,klein\n2,18,groß\n3,25,klein\n4,22,groß\n5,21,klein\n6,17,groß\n"


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a table with text labels, scaled."""
    folder = tmp_path_factory.mktemp("pets")
    (folder / "pets.csv").write_text(IRIS)
    data = [f"dataset.path={folder / 'pets.csv'}", "dataset.target='Größe'", "dataset.scaling=standardise"]
    run(["dataset=csv", *data, "training.iterations=200"], folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the array 'pixels' of an archive, three classes."""
    folder = tmp_path_factory.mktemp("digits")
    rng = np.random.default_rng(0)
    np.savez(folder / "own.npz", pixels=rng.normal(size=(30, 2, 2)), y=np.arange(30) % 3)
    data = [f"dataset.path={folder / 'own.npz'}", "dataset.inputs=pixels"]
    run(["dataset=npz", *data, "training.iterations=50"], folder / "run")
    return folder / "run"


def table(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What is said where nothing is predicted."""
    with pytest.raises(Refusal) as refusal:
        main([str(argument) for argument in arguments])
    assert refusal.value.code == 2
    assert capsys.readouterr().out == ""
    return str(refusal.value)


def test_columns_are_found_by_name_and_the_bits_are_those_of_the_run(pets: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("weight;height\n20;1.5\n19,5;2\n".replace("19,5", "19.5"))
    assert main([str(pets), "--data", str(tmp_path / "new.csv"), "--out", str(tmp_path / "out.csv")]) == 0
    X, trained = np.array([[1.5, 20], [2, 19.5]]), load(pets)
    rows = table(tmp_path / "out.csv")
    assert rows[0] == ["prediction", "P(klein)"]
    assert [row[0] for row in rows[1:]] == trained.predict(X).tolist()
    assert [float(row[1]) for row in rows[1:]] == trained.outputs(X)[:, 0].tolist()


def test_the_column_that_was_learnt_may_be_there_and_may_be_empty(pets: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("Größe,weight,height\n,20,1.5\nklein,19.5,2\n")
    assert main([str(pets), "--data", str(tmp_path / "new.csv"), "--out", str(tmp_path / "out.csv")]) == 0
    assert len(table(tmp_path / "out.csv")) == 3


def test_predictions_are_printed_where_no_file_is_named(
    pets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.csv").write_text("weight,height\n20,1.5\n")
    assert main([str(pets), "--data", str(tmp_path / "new.csv")]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "prediction,P(klein)"


@pytest.mark.parametrize("kind", ["npz", "h5"])
def test_arrays_are_flattened_as_in_training_and_labels_are_written_as_whole_numbers(
    digits: Path, kind: str, tmp_path: Path
) -> None:
    X = np.random.default_rng(1).normal(size=(5, 2, 2))
    new = tmp_path / f"new.{kind}"
    if kind == "npz":
        np.savez(new, pixels=X)
    else:
        with h5py.File(new, "w") as file:
            file["pixels"] = X
    assert main([str(digits), "--data", str(new), "--out", str(tmp_path / "out.csv")]) == 0
    rows, trained = table(tmp_path / "out.csv"), load(digits)
    assert rows[0] == ["prediction", "P(0)", "P(1)", "P(2)"]
    flat = X.reshape(5, 4)
    assert [row[0] for row in rows[1:]] == [f"{label:.0f}" for label in trained.predict(flat)]
    assert [[float(p) for p in row[1:]] for row in rows[1:]] == trained.outputs(flat).tolist()


def test_a_regression_gives_its_numbers_to_the_last_bit(tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 40)[:, None]
    np.savez(tmp_path / "own.npz", X=x, y=np.sin(3 * x[:, 0]))
    run(["dataset=npz", f"dataset.path={tmp_path / 'own.npz'}", "training.iterations=50"], tmp_path / "run")
    (tmp_path / "new.csv").write_text("anything\n0.25\n-3e-2\n")  # the run knows no names: by position
    words = [str(tmp_path / "run"), "--data", str(tmp_path / "new.csv"), "--out", str(tmp_path / "out.csv")]
    assert main(words) == 0
    rows = table(tmp_path / "out.csv")
    assert rows[0] == ["prediction"]
    assert [float(row[0]) for row in rows[1:]] == load(tmp_path / "run").predict([[0.25], [-0.03]]).tolist()


OWN = """
import numpy as np

class Line:
    def __init__(self, inputs, outputs):
        self.parameters = {"W": np.random.randn(inputs, outputs)}

    def predict(self, X):
        return 1 / (1 + np.exp(-X @ self.parameters["W"]))

    def cost(self, X, Y):
        A = self.predict(X)
        return -np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A))

    def gradients(self, X, Y):
        return {"W": X.T @ (self.predict(X) - Y) / len(X)}
"""


def test_a_network_of_the_users_own_predicts_too_and_has_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_line.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    trained = run(
        ["dataset=xor", "architecture=own", "architecture.network=a_line:Line", "training.iterations=5"],
        tmp_path / "run",
    )
    (tmp_path / "new.csv").write_text("x2,x1\n1,0.5\n")
    assert main([str(tmp_path / "run"), "--data", "new.csv", "--out", "out.csv"]) == 0
    (answer,) = trained.predict(np.array([[0.5, 1]])).tolist()
    assert table(tmp_path / "out.csv") == [["prediction"], [f"{answer:.0f}"]]
    assert not (tmp_path / "run" / "model").exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("weight,hight\n1,2\n", "no column 'height', which the network was trained on (did you mean 'hight'?)"),
        ("a,b\n1,2\n", "no column 'height', 'weight'"),
        ("weight,height,id\n1,2,3\n", "has the column 'id', which the network was not trained on"),
        ("weight,height\n1,2\n3\n", "line 3: it has 1 values; expected 2"),
        ("weight,height\n1,2\n3,x\n", "line 3, column 'height' is 'x'; expected a finite number"),
        ("weight,height\n1,\n", "line 2, column 'height': the value is missing"),
        ("weight,height\n1,inf\n", "line 2, column 'height' is 'inf'"),
        ("weight,height\n", "is empty below its header; expected one or more rows"),
        ("", "is empty; expected a line with the names"),
        ("weight,Größe,height\n1,,2\n3,klein,x\n", "line 3, column 'height' is 'x'"),
        ('weight,Größe,height\n1,"klein,2\n3,klein,4\n', "line 2: a quote is out of place"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    pets: Path, content: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.csv").write_text(content)
    said = refused(capsys, pets, "--data", tmp_path / "new.csv", "--out", tmp_path / "out.csv")
    assert expected in said
    assert not (tmp_path / "out.csv").exists()


def test_an_array_that_does_not_fit_is_refused(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "wide.npz", pixels=np.ones((3, 5)))
    np.savez(tmp_path / "other.npz", X=np.ones((3, 4)))
    (tmp_path / "new.csv").write_text("a,b\n1,2\n")
    np.savez(tmp_path / "objects.npz", pixels=np.array([[1, None]], dtype=object))
    np.savez(tmp_path / "nan.npz", pixels=np.array([[1, 2, np.nan, 4.0]]))
    (tmp_path / "x.json").write_text("[]")
    for name, expected in (
        ("wide.npz", "has 5 values a row; expected 4, as the network was trained on"),
        ("other.npz", "has no array 'pixels'; it holds 'X'"),
        ("objects.npz", "holds Python objects"),
        ("nan.npz", "row 0, column 2 (counted from 0) is nan"),
        ("new.csv", "has 2 columns: 'a', 'b'; expected 4"),
        ("x.json", "ends with '.json'; expected one of .csv"),
        ("gone.csv", "--data="),
    ):
        assert expected in refused(capsys, digits, "--data", tmp_path / name), name


def test_runs_that_cannot_predict_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "new.npz", X=np.ones((3, 2)))
    run(["experiment=posts/xor"], tmp_path / "diverged")
    expected = "weights that are not finite: its run diverged"
    assert expected in refused(capsys, tmp_path / "diverged", "--data", tmp_path / "new.npz")
    assert "holds no run" in refused(capsys, tmp_path, "--data", tmp_path / "new.npz")
    (tmp_path / "diverged" / "weights.npz").unlink()
    assert "has no weights" in refused(capsys, tmp_path / "diverged", "--data", tmp_path / "new.npz")


def test_a_file_that_cannot_be_written_is_said(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "new.npz", pixels=np.ones((3, 4)))
    out = tmp_path / "no" / "such" / "out.csv"
    assert "cannot be written" in refused(capsys, digits, "--data", tmp_path / "new.npz", "--out", out)
