"""A run comes back out of a store."""

import shutil

import numpy as np
import pytest

from runner import load
from runner.command.sync import main
from runner.runs import journal
from runner.tracking.fetch import fetch
from runner.tracking.state import State
from tests.stores import new_store

# mlflow and what it needs warn about each other; that is not ours to fail for
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def uri(tmp_path_factory, tmp_path, monkeypatch):
    """An empty store in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return new_store(tmp_path_factory, tmp_path)


def test_a_run_is_fetched_from_its_directory_or_else_from_the_store(uri, tmp_path):
    directory = tmp_path / "outputs" / "run"
    from runner import run

    trace = run(["experiment=posts/xor", "training.iterations=300"], directory)
    main(["outputs"])
    run_id = State.load(directory).run_id
    assert fetch(run_id, uri) == directory
    shutil.rmtree(directory)
    fetched = load(run_id)
    assert fetched.directory not in (directory, None)
    assert (fetched.status, fetched.network) == (trace.status, trace.network)
    finite = np.any([np.isfinite(column) for column in trace.values.values()], axis=0)
    np.testing.assert_array_equal(fetched.steps, trace.steps[finite])
    assert set(fetched.values) == set(trace.values)
    for key, column in trace.values.items():
        np.testing.assert_array_equal(fetched[key], np.where(np.isfinite(column), column, np.nan)[finite])
    for ours, theirs in zip(fetched.weights, trace.weights, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
    assert fetched.summary["mlflow_run_id"] == run_id
    records = [record for record, _ in journal.read(fetched.directory)]
    assert records[-1]["kind"] == "end"
    assert records[-1]["metrics"]["diverged"] == 1.0
    assert records[0]["params"]["training.iterations"] == "300"


def test_an_unknown_run_is_no_file(uri, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"There is no run 0{32} in sqlite"):
        load("0" * 32)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/nowhere.db")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load("0" * 32)
    assert not (tmp_path / "nowhere.db").exists()
    with pytest.raises(FileNotFoundError, match="holds no run"):
        load("nowhere")
