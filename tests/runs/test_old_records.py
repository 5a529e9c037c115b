"""What an earlier version recorded is loaded, replayed, resumed and brought into a store by this one.

`of_498bc4a` is a run of XOR as commit 498bc4a left it: 20 iterations, its last checkpoint after 19.
`houses_of_498bc4a` is one of a regression from a file, whose R² was called accuracy.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from runner import load, run
from runner.command.replay import changes, compare
from runner.experiment.build import build_plain
from runner.runs import journal
from runner.runs.provenance import machines_of
from runner.runs.resume import reopened, stored_config
from runner.runs.trace import traced
from runner.sweeps.jobs import resume
from tests.stores import new_store, push, whole


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copytree(Path(__file__).parent / "of_498bc4a", tmp_path / "run"))


def test_it_is_loaded_and_predicts(old: Path) -> None:
    trace = load(old)
    assert (trace.status, trace.steps.tolist()) == ("finished", [0, 10, 19, 20])
    assert trace.predict([[0, 0], [1, 1]]).shape == (2,)  # type: ignore[arg-type]
    assert machines_of(old) == []


def test_it_is_replayed_with_a_note_about_the_code(old: Path) -> None:
    experiment = build_plain(stored_config(old))
    tags = journal.first(old)["tags"]
    notes = changes(tags, experiment.data_digest)
    assert notes[0].startswith("the code that computes results is not the recorded one (commit 498bc4a483)")
    recorded, again = load(old), traced(experiment)
    for key, column in recorded.values.items():
        np.testing.assert_allclose(again[key], column, rtol=1e-9, atol=1e-12, err_msg=key)  # on any machine
    assert compare(again, traced(experiment), resumed=False) is None


def test_it_is_resumed_as_if_it_had_never_been_stopped(old: Path) -> None:
    _, record, checkpoint = reopened(old, ["training.iterations=30"])
    assert checkpoint.state.step == 19
    resume(record, checkpoint)
    resumed = load(old)
    config = ["dataset=xor", "training.iterations=30", "training.log_every=10", "diagnosis=none"]
    fresh = run(config)
    where = np.searchsorted(resumed.steps, fresh.steps)
    np.testing.assert_allclose(resumed["train/cost"][where], fresh["train/cost"], rtol=1e-9)
    assert len(machines_of(old)) == 1  # of what was added


@pytest.fixture
def houses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(Path(__file__).parent / "houses_of_498bc4a", tmp_path / "houses")
    monkeypatch.chdir(tmp_path / "houses")  # its configuration names houses.csv
    return tmp_path / "houses"


def test_a_run_from_a_file_is_replayed_though_the_defaults_have_changed(houses: Path) -> None:
    experiment = build_plain(stored_config(houses))
    recorded, again = load(houses), traced(experiment)
    assert journal.first(houses)["tags"]["data.sha256"] == experiment.data_digest
    assert recorded.keys() == again.keys()
    for key, column in recorded.values.items():
        np.testing.assert_allclose(again[key], column, rtol=1e-9, atol=1e-12, err_msg=key)


def test_its_score_has_its_name_of_now_also_when_it_is_resumed(houses: Path) -> None:
    assert load(houses).summary["metrics"]["last"]["test/r2"] == load(houses)["test/accuracy"][-1]  # type: ignore[index]
    _, record, checkpoint = reopened(houses, ["training.iterations=30"])
    resume(record, checkpoint)
    assert np.isfinite(load(houses)["train/r2"]).all()
    assert load(houses).steps[-1] == 30


@pytest.mark.filterwarnings("ignore")  # mlflow and what it needs warn about each other
def test_it_arrives_in_a_store(old: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    from runner.tracking.store import Store

    store = Store(new_store(tmp_path_factory, tmp_path / "store"))
    run_id = push(store, old).run_id
    whole(store, old, "FINISHED")
    assert load(old).summary["mlflow_run_id"] == run_id  # type: ignore[index]
