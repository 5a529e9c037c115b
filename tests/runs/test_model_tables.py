"""A table's model, loaded or served, the trace and `runner.predict` read rows alike: equal answers, or each refuses."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from runner import load
from runner.command.predict import main
from runner.command.python import run

# mlflow and what it needs warn about each other; that is not ours to fail for
pytestmark = pytest.mark.filterwarnings("ignore")

ROWS = {"age": [30, 41], "sex": ["m", "f"], "since": ["2024-01-05", "2023-11-30"], "member": ["yes", "no"]}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on whole numbers, labels, dates and yes/no; only ages are missing now and then."""
    folder, rng = tmp_path_factory.mktemp("people"), np.random.default_rng(0)
    n = 80
    people = pd.DataFrame(
        {
            "age": np.where(np.arange(n) % 9, rng.integers(18, 80, n), np.nan),
            "sex": rng.choice(["m", "f", "x"], n),
            "since": pd.date_range("2023-01-01", periods=n).astype(str),
            "member": rng.choice(["yes", "no"], n),
            "price": rng.normal(size=n) * 5e4 + 3e5,
        }
    )
    people.to_csv(folder / "people.csv", index=False)
    data = ["dataset=csv", f"dataset.path={folder / 'people.csv'}", "dataset.target=price"]
    run([*data, "training.iterations=40"], folder / "run")
    return folder / "run"


def served(trained: Path, frame: pd.DataFrame, kind: str) -> list:
    """What MLflow's server answers to a request of this kind; MlflowException is what it makes a 400 of."""
    import mlflow.pyfunc
    from mlflow.pyfunc.scoring_server import invocations

    model = mlflow.pyfunc.load_model(str(trained / "model"))
    if kind == "csv":
        body, content = frame.to_csv(index=False), "text/csv"
    else:
        table = json.loads(frame.to_json(orient=kind))
        table = {key: table[key] for key in ("columns", "data")} if kind == "split" else table
        body, content = json.dumps({f"dataframe_{kind}": table}), "application/json"
    answer = invocations(body, content, model, model.metadata.get_input_schema())
    assert answer.status == 200
    return json.loads(answer.response)["predictions"]


def by_command(trained: Path, frame: pd.DataFrame, folder: Path) -> list[str]:
    frame.to_csv(folder / "new.csv", index=False)
    assert main([str(trained), "--data", str(folder / "new.csv"), "--out", str(folder / "out.csv")]) == 0
    with (folder / "out.csv").open() as file:
        return [row[0] for row in list(csv.reader(file))[1:]]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"sex": ["m", "another"]},
        {"age": [30.5, None]},
        {"more": [1, 2]},
        {"member": [True, False]},
        {"age": [30, "?"]},
    ],
    ids=["whole numbers", "a label unseen", "a value missing", "a column more", "truth values", "a word for nothing"],
)
def test_the_three_agree_and_so_does_the_server(trained: Path, tmp_path: Path, change: dict) -> None:
    import mlflow.pyfunc

    frame = pd.DataFrame({**ROWS, **change})
    said = by_command(trained, frame, tmp_path)
    model = mlflow.pyfunc.load_model(str(trained / "model"))
    for order in (list(frame), list(frame)[::-1]):
        assert [repr(value) for value in np.asarray(model.predict(frame[order])).tolist()] == said
        assert [repr(value) for value in load(trained).predict(frame[order]).tolist()] == said
    for kind in ("csv", "split", "records"):
        assert [repr(value) for value in served(trained, frame, kind)] == said, kind
    one = np.asarray(model.predict(frame[1:].reset_index(drop=True))).tolist()
    assert np.allclose(one, float(said[1]), rtol=1e-12)  # BLAS adds a single row in another order
    assert served(trained, frame[1:], "records") == one


def test_columns_that_were_not_trained_on_are_named_in_one_line(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_command(trained, pd.DataFrame({**ROWS, "more": [1, 2], "id": [3, 4]}), tmp_path)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "not trained on" in line]
    assert line.endswith("the network was not trained on 'more', 'id': not used.")


@pytest.mark.parametrize("column", ["since", "member"])
def test_what_no_training_row_lacked_is_refused_by_its_place(trained: Path, tmp_path: Path, column: str) -> None:
    import mlflow.pyfunc

    frame = pd.DataFrame({**ROWS, column: [ROWS[column][0], None]})
    assert by_command(trained, frame, tmp_path)[1] == ""
    model = mlflow.pyfunc.load_model(str(trained / "model"))
    by_server = [lambda frame, kind=kind: served(trained, frame, kind) for kind in ("csv", "split", "records")]
    for predict in (load(trained).predict, model.predict, *by_server):
        with pytest.raises(Exception, match=f"row 1 .*'{column}': the value is missing"):
            predict(frame)


def test_a_missing_column_is_refused_by_its_name(trained: Path) -> None:
    import mlflow.pyfunc

    frame = pd.DataFrame(ROWS).drop(columns="since")
    by_server = [lambda frame, kind=kind: served(trained, frame, kind) for kind in ("csv", "split", "records")]
    for predict in (load(trained).predict, mlflow.pyfunc.load_model(str(trained / "model")).predict, *by_server):
        with pytest.raises(Exception, match="since"):
            predict(frame)


def test_an_array_of_another_width_is_refused_with_the_columns(trained: Path) -> None:
    import mlflow.pyfunc
    from mlflow.exceptions import MlflowException
    from mlflow.pyfunc.scoring_server import invocations

    model = mlflow.pyfunc.load_model(str(trained / "model"))
    with pytest.raises(
        MlflowException, match=r"X must be \(n, 4\): age, sex, since, member\. Got \(1, 3\)\."
    ) as refused:
        invocations(json.dumps({"inputs": [[1, 2, 3]]}), "application/json", model, None)
    assert refused.value.get_http_status_code() == 400
