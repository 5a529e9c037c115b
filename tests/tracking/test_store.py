"""What the journal holds gets into a real sqlite store: all of it, once, whenever it is brought."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mlflow.exceptions import INTERNAL_ERROR, MlflowException

from runner.experiment.identity import NOT_DECISIVE
from runner.runs import journal
from runner.runs.journal import Journal
from runner.tracking.errors import TrackingError
from runner.tracking.state import State
from runner.tracking.store import Store
from tests.stores import (
    dead_process,
    dump,
    left_running,
    new_store,
    push,
    runs,
    said,
    stored,
    supplement,
    whole,
    write,
)

# mlflow and what it needs warn about each other; that is not ours to fail for
pytestmark = pytest.mark.filterwarnings("ignore")

ROWS = 120  # more than one batch of 1000


@pytest.fixture
def uri(tmp_path_factory, tmp_path):
    """An empty store in the test's folder."""
    return new_store(tmp_path_factory, tmp_path)


def test_a_journal_comes_whole_into_a_store(uri, tmp_path):
    directory = write(
        tmp_path / "run",
        params={f"key.{number}": number for number in range(130)} | {"long": "x" * 7000, "odd(key)": None},
        tags={"sweep": "s1"},
        dataset={"name": "xor", "digest": "abc", "source": "datasets.xor", "profile": {"rows": 4}},
    )
    (directory / "summary.json").write_text('{"status": "finished", "mlflow_run_id": null}')
    store = Store(uri)
    run_id = push(store, directory).run_id
    run = store.client.get_run(run_id)
    start, end = journal.first(directory), journal.last(directory)
    assert stored(store, run_id) == said(directory)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "a run")
    assert (run.info.start_time, run.info.end_time) == (start["time"], end["time"])
    assert run.data.params["key.129"] == "129"
    assert run.data.params["long"] == "x" * 6000
    assert run.data.params["odd_key_"] == "None"
    assert len(run.data.params) == 132
    assert run.data.tags.items() >= {"sweep": "s1", "status": "finished", "runner.uid": start["uid"]}.items()
    (entry,) = run.inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest, entry.dataset.profile) == ("xor", "abc", '{"rows": 4}')
    assert json.loads((directory / "summary.json").read_text()) == {
        "status": "finished",
        "mlflow_run_id": run_id,
    }
    state = State.load(directory)
    assert (state.run_id, state.done, state.offset) == (
        run_id,
        True,
        (directory / journal.FILE).stat().st_size,
    )


def test_twice_is_once(uri, tmp_path):
    directory = write(tmp_path / "run", rows=20, last=math.nan)
    store = Store(uri)
    run_id = push(store, directory).run_id
    before = stored(store, run_id)
    assert push(store, directory).run_id == run_id
    State("sqlite:///elsewhere.db", "x", "1").save(directory)  # all of it once more
    assert push(store, directory).run_id == run_id
    (directory / "tracking.json").unlink()  # as in a copy of the directory
    assert push(Store(uri), directory).run_id == run_id
    assert stored(store, run_id) == before == said(directory)
    assert len(runs(store)) == 1


def test_another_store_gets_all_of_it(uri, tmp_path, tmp_path_factory):
    directory = write(tmp_path / "run", rows=5)
    other = new_store(tmp_path_factory, tmp_path / "other")
    first = push(uri, directory).run_id
    second = push(other, directory).run_id
    assert first != second
    assert stored(Store(other), second) == said(directory)


def test_another_store_at_the_same_address_gets_all_of_it(uri, tmp_path, tmp_path_factory):
    directory = write(tmp_path / "run", rows=5)
    push(uri, directory)
    os.replace(tmp_path / "mlflow.db", tmp_path / "old.db")
    new_store(tmp_path_factory, tmp_path)
    program = "import sys; from runner.command.sync import main; main([sys.argv[1], '--store', sys.argv[2]])"
    command = [sys.executable, "-c", program, directory, uri]
    subprocess.run(command, capture_output=True, text=True, check=True)
    run_id = State.load(directory).run_id
    reader = f"sqlite:///{shutil.copy(tmp_path / 'mlflow.db', tmp_path / 'copy.db')}"
    assert stored(Store(reader), run_id) == said(directory)


@pytest.mark.parametrize(
    ("status", "mlflow"),
    [
        ("finished", "FINISHED"),
        ("pruned", "FINISHED"),
        ("diverged", "FAILED"),
        ("error", "FAILED"),
        ("killed", "KILLED"),
        ("interrupted", "KILLED"),
    ],
)
def test_every_status_has_its_word_in_mlflow(uri, tmp_path, status, mlflow):
    store = Store(uri)
    run = store.client.get_run(push(store, write(tmp_path / status, rows=1, status=status)).run_id)
    assert (run.info.status, run.data.tags["status"]) == (mlflow, status)


def test_nothing_that_is_not_finite_is_the_newest_value_of_a_key(uri, tmp_path):
    directory = tmp_path / "run"
    with Journal.create(directory, name="n", experiment="demo") as writer:
        writer.row(0, {"train/cost": 1e300, "grad_norm": 2.0})
        writer.row(1, {"train/cost": math.inf, "grad_norm": math.nan})
        writer.row(2, {"train/cost": -math.inf, "grad_norm": math.inf})
        writer.end("diverged", {"best/train/cost": 1e300, "diverged": 1, "last": math.inf})
    store = Store(uri)
    run_id = push(store, directory).run_id
    points = stored(store, run_id)
    assert [value for _, _, value in points["train/cost"]] == ["1e+300"]
    assert [value for _, _, value in points["grad_norm"]] == ["2.0"]
    assert "last" not in points
    assert [value for _, _, value in points["diverged"]] == ["1.0"]
    newest = store.client.get_run(run_id).data.metrics
    assert newest["train/cost"] == 1e300
    assert all(math.isfinite(value) for value in newest.values())


def test_one_run_that_is_refused_blocks_no_other(uri, tmp_path):
    store = Store(uri)
    directories = [write(tmp_path / name) for name in ("a", "b", "c")]
    artifacts = store.client.log_artifact

    def log_artifact(run_id, path, folder=None):
        """A store that has no room for one of the files, as a server would say it."""
        if Path(path).read_text() == "b":
            raise MlflowException("too much", error_code=INTERNAL_ERROR)
        artifacts(run_id, path, folder)

    store.client.log_artifact = log_artifact
    outcome = store.push_all(directories, closing=True)
    assert [isinstance(outcome[each], State) and outcome[each].done for each in directories] == [True, False, True]
    store.client.log_artifact = artifacts
    assert all(each.done for each in store.push_all(directories, closing=True).values())
    for directory in directories:
        whole(store, directory, "FINISHED")


def test_parameters_are_hyper_parameters(uri, tmp_path):
    from runner.experiment.build import compose
    from runner.runs.provenance import flat

    params = flat(compose(["dataset=xor"]).config)
    directory = write(tmp_path / "run", params=params)
    store = Store(uri)
    kept = set(store.client.get_run(push(store, directory).run_id).data.params)
    decisive = {key for key in params if key.partition(".")[0] not in NOT_DECISIVE}
    assert kept == decisive
    assert "optimizer.lr" in kept


@pytest.mark.parametrize("rows", [1, 2, 9, 100, 201])
def test_the_layers_of_a_sweeps_run_have_fewer_points_and_all_that_matter(uri, tmp_path, rows):
    directory = tmp_path / "run"
    with Journal.create(directory, name="n", experiment="demo", tags={"sweep": "ab"}) as writer:
        for row in range(rows):
            writer.row(5 * row, {"train/cost": 1.0 + row, "grad_norm/layer_1": 2.0 + row})
        writer.end("finished")
    store = Store(uri)
    points = stored(store, push(store, directory).run_id)
    assert [step for step, _, _ in points["train/cost"]] == [5 * row for row in range(rows)]
    layers = [step // 5 for step, _, _ in points["grad_norm/layer_1"]]
    assert {0, rows - 1, max(rows - 2, 0)} <= set(layers) <= set(range(rows))
    assert len(layers) <= rows / 8 + 7
    assert max(np.diff(layers), default=0) <= 8


def test_the_same_points_come_however_a_journal_is_cut(uri, tmp_path):
    store, directory = Store(uri), tmp_path / "run"
    with Journal.create(directory, name="n", experiment="demo", tags={"sweep": "ab"}) as writer:
        for row in range(60):
            writer.row(5 * row, {"train/cost": 1.0 + row, "grad_norm/layer_1": 2.0 + row})
            if row % 7 == 0:
                push(store, directory, closing=False)
        writer.end("finished")
    piecewise = stored(store, push(store, directory).run_id)
    (directory / "tracking.json").unlink()
    assert stored(store, push(store, directory).run_id) == piecewise


def test_a_sweeps_run_says_which_rows_are_not_in_the_store(uri, tmp_path):
    def noted(name, rows=100, **more):
        directory = tmp_path / name
        with Journal.create(directory, name="n", experiment="demo", **more) as writer:
            for row in range(rows):
                writer.row(row, {"train/cost": 1.0 + row, "grad_norm/layer_1": 2.0 + row})
            writer.end("finished")
        if "told" in name:
            supplement(directory)
        store = Store(uri)
        run_id = push(store, directory).run_id
        count = len(stored(store, run_id)["grad_norm/layer_1"])
        return count, store.client.get_run(run_id).data.tags.get("mlflow.note.content")

    sweep = {"tags": {"sweep": "ab"}}
    less = (
        "Of the layers' metrics one row in 8 is here, the run's journal has all. `tracking.layers_every=1` keeps all."
    )
    assert noted("alone") == (100, None)
    assert noted("of a sweep", **sweep) == (19, less)
    assert noted("of a sweep, told", **sweep) == (19, f"the **result**\n\n{less}")
    assert noted("short", rows=6, **sweep) == (6, None)
    assert noted("all", params={"tracking.layers_every": 1}, **sweep) == (100, None)
    assert noted("half", params={"tracking.layers_every": 2}, **sweep)[0] == 53


@pytest.mark.parametrize("by_tables", [True, False])
def test_a_run_that_is_there_already_is_gone_on_with_by_its_id(uri, tmp_path, by_tables):
    store = Store(uri)
    if not by_tables:
        store.tables = None
    there = store.client.create_run(store.client.create_experiment("another"), run_name="begun by `mlflow run`")
    store.client.log_param(there.info.run_id, "optimizer.lr", "typed")
    named = {"store": {"run_id": there.info.run_id}, "params": {"optimizer.lr": 0.1, "seed": 3}}
    directory = write(tmp_path / "run", **named)
    state = push(store, directory)
    assert (state.run_id, state.experiment_id, state.notes) == (there.info.run_id, there.info.experiment_id, [])
    run = store.client.get_run(there.info.run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "begun by `mlflow run`")
    assert run.data.params == {"optimizer.lr": "typed", "seed": "3"}  # MLflow's parameters do not change
    assert stored(store, run.info.run_id) == said(directory)
    second = push(store, write(tmp_path / "second", **named))  # the variable is still set
    assert second.run_id != there.info.run_id
    assert second.notes == [
        f"MLFLOW_RUN_ID={there.info.run_id}: {uri} has no such run that is free. This one has an id of its own"
    ]
    assert push(store, directory).run_id == there.info.run_id
    (missing,) = push(store, write(tmp_path / "third", store={"run_id": "0123"})).notes
    assert missing.startswith("MLFLOW_RUN_ID=0123: ")


def test_an_experiment_is_named_by_its_id(uri, tmp_path):
    store = Store(uri)
    wanted = store.client.create_experiment("another")
    state = push(store, write(tmp_path / "run", store={"experiment_id": wanted}))
    assert (state.experiment_id, state.notes) == (wanted, [])
    assert store.client.get_experiment_by_name("demo") is None
    lost = push(store, write(tmp_path / "lost", store={"experiment_id": "77"}))
    assert lost.experiment_id == store.client.get_experiment_by_name("demo").experiment_id
    assert lost.notes == [f"MLFLOW_EXPERIMENT_ID=77: {uri} has no such experiment. The run is in 'demo'"]
    store.client.delete_experiment(wanted)
    (note,) = push(Store(uri), write(tmp_path / "deleted", store={"experiment_id": wanted})).notes
    assert "has no such experiment" in note


@pytest.mark.parametrize("by_tables", [True, False])
def test_what_is_recorded_again_under_the_same_identity_is_the_same_run_told_anew(uri, tmp_path, by_tables):
    store = Store(uri)
    if not by_tables:
        store.tables = None
    for name, best in (("monday", "lr=1"), ("tuesday", "lr=2")):
        tags = {"best": best, "mlflow.note.content": f"the best is {best}"}
        write(tmp_path / name, rows=1, uid="ab" * 16, tags=tags, params={"best": best})
        push(store, tmp_path / name)
    (run,) = runs(store).values()
    assert run.data.tags["mlflow.note.content"] == "the best is lr=2"
    assert run.data.tags["runner.directory"] == str(tmp_path / "tuesday")
    assert (run.info.status, run.data.params["best"]) == ("FINISHED", "lr=1")


def test_artifacts_are_stored_beside_the_database(uri, tmp_path):
    directory = tmp_path / "run"
    with Journal.create(directory, name="n", experiment="demo") as writer:
        (directory / "plots").mkdir()
        for name in ("weights.npz", "plots/a.png", "plots/b.png"):
            (directory / name).write_text(name)
        (tmp_path / "secret").write_text("not of this run")
        writer.artifact("weights.npz")
        writer.artifact("plots", "figures")
        writer.artifact("gone.txt")
        writer.artifact("../secret")
        writer.end("finished")
    state = push(uri, directory, closing=False)
    assert state.notes == ["no artifact gone.txt", "no artifact ../secret"]
    artifacts = tmp_path / "mlartifacts" / state.run_id / "artifacts"
    found = sorted(str(path.relative_to(artifacts)) for path in artifacts.rglob("*") if path.is_file())
    assert found == ["figures/a.png", "figures/b.png", "weights.npz"]


def test_a_resumed_run_goes_on_in_its_mlflow_run(uri, tmp_path):
    directory = write(tmp_path / "run", rows=5, status="interrupted")
    store = Store(uri)
    run_id = push(store, directory).run_id
    with Journal.reopen(directory) as writer:
        writer.row(6, {"train/cost": 0.1})
        assert push(store, directory).run_id == run_id
        assert store.client.get_run(run_id).info.status == "RUNNING"
        writer.end("finished")
    assert push(store, directory).run_id == run_id
    assert store.client.get_run(run_id).info.status == "FINISHED"
    assert stored(store, run_id) == said(directory)


def test_what_was_deleted_in_the_store_stays_deleted(uri, tmp_path):
    directory = write(tmp_path / "run", rows=1)
    run_id = push(uri, directory).run_id
    Store(uri).client.delete_run(run_id)
    assert push(uri, directory).deleted
    assert runs(Store(uri)) == {}
    store = Store(uri)
    store.client.delete_experiment(store.experiment("demo"))
    with pytest.raises(TrackingError, match="mlflow experiments restore"):
        push(uri, directory)


@pytest.mark.parametrize("by_tables", [True, False])
@pytest.mark.parametrize("status", ["finished", "diverged"])
def test_what_is_made_of_a_run_after_its_end_arrives_in_the_same_run(uri, tmp_path, status, by_tables):
    store = Store(uri)
    if not by_tables:
        store.tables = None
    directory, once = write(tmp_path / "late", status=status), write(tmp_path / "once", status=status)
    push(store, directory)
    run_id = State.load(directory).run_id
    (ended,) = (run for run in runs(store).values() if run.info.run_id == run_id)
    supplement(directory, "cost.png")
    supplement(once, "cost.png")
    for _ in range(2):  # twice is once
        for path in (directory, once):
            push(store, path)
        assert State.load(directory).run_id == run_id
        for path in (directory, once):
            whole(store, path, {"finished": "FINISHED", "diverged": "FAILED"}[status])
    run = store.client.get_run(run_id)
    assert (run.info.end_time, run.data.tags["status"]) == (ended.info.end_time, status)
    assert run.data.tags["mlflow.note.content"] == "the **result**"
    before = dump(tmp_path / "mlflow.db")
    State("sqlite:///elsewhere.db", "x", "1").save(directory)  # all of it once more
    push(store, directory)
    assert dump(tmp_path / "mlflow.db") == before


@pytest.mark.parametrize("by_tables", [True, False])
def test_runs_of_dead_processes_are_ended_and_no_others(uri, tmp_path, by_tables):
    killed, gone, elsewhere, pid = (
        left_running(uri, tmp_path / "killed"),
        left_running(uri, tmp_path / "gone", pid=dead_process()),
        left_running(uri, tmp_path / "elsewhere", host="another-machine", pid=dead_process()),
        left_running(uri, tmp_path / "moved"),  # the process of its id is alive: this one
    )
    for name in ("gone", "elsewhere", "moved"):
        shutil.rmtree(tmp_path / name)
    store = Store(uri)
    if not by_tables:
        store.tables = None
    with Journal.create(tmp_path / "live", name="n", experiment="demo") as writer:
        writer.row(0, {"train/cost": 1.0})
        live = push(store, tmp_path / "live", closing=False).run_id
        writer.row(1, {"train/cost": 0.5})  # for its tracking process to bring
        assert set(store.bury()) == {killed, gone}
        status = {run.info.run_id: run.info.status for run in runs(store).values()}
    assert status == {killed: "KILLED", gone: "KILLED", elsewhere: "RUNNING", pid: "RUNNING", live: "RUNNING"}
    assert len(store.client.get_metric_history(live, "train/cost")) == 1
    run = store.client.get_run(killed)
    assert run.data.tags["status"] == store.client.get_run(gone).data.tags["status"] == "killed"
    assert run.info.end_time == journal.last(tmp_path / "killed")["time"]
    assert stored(store, killed) == said(tmp_path / "killed")  # what the store did not know has arrived
