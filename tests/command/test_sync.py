"""`python -m runner.sync`: what is on disk gets into a store, once, from wherever it was recorded."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from runner.command.sync import main
from runner.runs import journal
from runner.runs.journal import Journal
from runner.tracking.bring import store_of
from runner.tracking.state import State
from runner.tracking.store import Store
from runner.tracking.tracker import Tracker
from tests.stores import (
    dump,
    left_running,
    new_store,
    runs,
    supplement,
    until,
    whole,
    write,
)

# mlflow and what it needs warn about each other; that is not ours to fail for
pytestmark = pytest.mark.filterwarnings("ignore")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def uri(tmp_path_factory, tmp_path, monkeypatch):
    """An empty store in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return new_store(tmp_path_factory, tmp_path)


def command(folder, *arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_every_journal_below_a_folder_arrives_and_twice_is_once(uri, tmp_path, capsys):
    paths = [write(tmp_path / "multirun" / "day" / name) for name in ("0", "1")]
    paths.append(write(tmp_path / "outputs" / "one", status="diverged"))
    write(tmp_path / "multirun" / ".hidden" / "2")
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[:3]] == [
        ["new", "multirun/day/0", "finished,"],
        ["new", "multirun/day/1", "finished,"],
        ["new", "outputs/one", "diverged,"],
    ]
    assert lines[3] == f"3 runs: 3 new; {uri}"
    store = Store(uri)
    for path in paths:
        whole(store, path, "FAILED" if path.name == "one" else "FINISHED")
    before = dump(tmp_path / "mlflow.db")
    assert main(["outputs", "multirun", "outputs/one"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"3 runs: 3 there already; {uri}"]
    for path in paths:
        (path / "tracking.json").unlink()
    assert main(["outputs", "multirun"]) == 0
    assert dump(tmp_path / "mlflow.db") == before


def test_what_was_recorded_offline_arrives_with_its_artifacts(tmp_path):
    done = command(tmp_path, "-m", "runner", "dataset=xor", "training.iterations=50", "tracking=offline")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "mlflow.db").exists()
    done = command(tmp_path, "-W", "error::ResourceWarning", "-m", "runner.sync")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("1 run: 1 new; sqlite:///")
    (directory,) = tmp_path.glob("outputs/*/*")
    store = Store(f"sqlite:///{tmp_path / 'mlflow.db'}")
    whole(store, directory, "FINISHED")
    run_id = json.loads((directory / "summary.json").read_text())["mlflow_run_id"]
    assert "weights.npz" in {artifact.path for artifact in store.client.list_artifacts(run_id)}


def test_a_run_goes_on_in_the_store_where_it_was_left(uri, tmp_path, capsys):
    directory = write(tmp_path / "outputs" / "run", status="interrupted")
    main(["outputs"])
    with Journal.reopen(directory) as writer:
        writer.row(100, {"train/m0": 0.0})
        writer.end("finished")
    capsys.readouterr()
    assert main(["outputs"]) == 0
    line, last = capsys.readouterr().out.splitlines()
    assert line.startswith("changed  outputs/run  finished")
    assert last.startswith("1 run: 1 changed")
    whole(Store(uri), directory, "FINISHED")


def test_sync_brings_what_was_added_and_says_so(uri, tmp_path, capsys):
    directory = write(tmp_path / "outputs" / "run")
    main(["outputs"])
    supplement(directory, "cost.png")
    capsys.readouterr()
    assert main(["outputs"]) == 0
    assert capsys.readouterr().out.startswith("changed  outputs/run  finished")
    assert main(["outputs"]) == 0
    assert "1 there already" in capsys.readouterr().out
    whole(Store(uri), directory, "FINISHED")


def test_a_directory_copied_to_another_machine_arrives_whole(uri, tmp_path, tmp_path_factory, monkeypatch, capsys):
    original = write(tmp_path / "outputs" / "run")
    main(["outputs"])
    there = tmp_path / "elsewhere"
    other = new_store(tmp_path_factory, there)
    shutil.copytree(original, there / "outputs" / "run")
    shutil.rmtree(original)
    shutil.rmtree(tmp_path / "mlartifacts")
    (tmp_path / "mlflow.db").unlink()  # its tracking.json names a file that is not on this machine
    monkeypatch.chdir(there)
    assert main([]) == 0
    whole(Store(other), there / "outputs" / "run", "FINISHED")
    assert not (tmp_path / "mlflow.db").exists()


def test_a_directory_that_cannot_be_written_arrives_too(uri, tmp_path, monkeypatch):
    directory = write(tmp_path / "outputs" / "run")

    def refuse(self, directory):
        raise PermissionError(13, "read-only")

    monkeypatch.setattr(State, "save", refuse)
    assert main([]) == 0
    assert main([]) == 0
    whole(Store(uri), directory, "FINISHED")


def test_a_run_goes_to_the_store_it_names(uri, tmp_path, tmp_path_factory, monkeypatch):
    def start(**params):
        return {"params": params}

    other = new_store(tmp_path_factory, tmp_path / "other")
    assert store_of(tmp_path, start()) == "sqlite:///mlflow.db"
    assert store_of(tmp_path, start(**{"tracking.uri": other})) == other
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:1")
    assert store_of(tmp_path, start(**{"tracking.uri": "sqlite:///mlflow.db"})) == "http://me:secret@127.0.0.1:1"
    assert store_of(tmp_path, start(**{"tracking.uri": other})) == other
    State("http://me@127.0.0.1:1", "u", "1").save(tmp_path)  # it knows no password, the environment does
    assert store_of(tmp_path, start()) == "http://me:secret@127.0.0.1:1"
    State(f"sqlite:///{tmp_path}/mlflow.db", "u", "1").save(tmp_path)
    assert store_of(tmp_path, start(**{"tracking.uri": other})) == f"sqlite:///{tmp_path}/mlflow.db"
    directory = write(tmp_path / "outputs" / "run")
    assert main(["outputs", "--store", other]) == 0
    whole(Store(other), directory, "FINISHED")
    assert runs(Store(uri)) == {}


def test_what_cannot_be_stored_is_named_and_does_not_hold_up_the_others(uri, tmp_path, capsys):
    write(tmp_path / "outputs" / "good")
    bad = write(tmp_path / "outputs" / "bad")
    (bad / journal.FILE).write_text((bad / journal.FILE).read_text().replace('"kind":"artifact"', '"kind":', 1))
    (tmp_path / "outputs" / "torn").mkdir()
    (tmp_path / "outputs" / "torn" / journal.FILE).write_text('{"kind":"start","ti')
    with Journal.create(tmp_path / "outputs" / "live", name="n", experiment="demo") as writer:
        writer.row(0, {"a": 1.0})
        assert main([]) == 1
    out, err = capsys.readouterr()
    assert "left     outputs/live  is still being written" in out
    assert "empty    outputs/torn" in out
    assert "failed   outputs/bad" in err
    assert "is damaged" in err
    assert out.splitlines()[-1].startswith("4 runs: 1 new, 1 still being written, 1 empty, 1 not stored")
    assert len(runs(Store(uri))) == 1


def test_a_store_that_does_not_answer_is_said_once_a_run(uri, tmp_path, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    write(tmp_path / "outputs" / "run")
    assert main(["outputs", "--store", f"http://me:secret@127.0.0.1:{port}"]) == 1
    out, err = capsys.readouterr()
    assert "outputs/run" in err
    assert "refused" in err
    assert "secret" not in out + err
    assert out.splitlines()[-1].startswith("1 run: 1 not stored")


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("outptus", "outptus does not exist. Did you mean outputs?"),
        ("outputs/rum", "outputs/rum does not exist. Did you mean outputs/run?"),
        ("output", "output holds no run: there is no journal.jsonl in it or below. Did you mean outputs?"),
        ("outputs/run/journal.jsonl", "outputs/run/journal.jsonl is a journal: name its folder, outputs/run."),
    ],
)
def test_a_folder_that_holds_no_run_is_refused_with_the_nearest(uri, tmp_path, capsys, argument, said):
    write(tmp_path / "outputs" / "run")
    (tmp_path / "output").mkdir()
    (tmp_path / "data").mkdir()
    assert main([argument]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", said + "\n")
    assert runs(Store(uri)) == {}


def test_without_any_folder_it_says_where_it_looked(uri, capsys):
    assert main([]) == 2
    assert "neither outputs nor multirun" in capsys.readouterr().err


def test_help_is_a_page_and_imports_no_mlflow(tmp_path):
    script = "import sys\nfrom runner.sync import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
    done = command(tmp_path, "-c", script + "assert not {'mlflow', 'rich', 'numpy'} & set(sys.modules)")
    assert done.returncode == 0, done.stderr
    assert "exit codes: 0" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_sync_and_the_tracking_process_bury_the_dead(uri, tmp_path, capsys):
    first = left_running(uri, tmp_path / "a")
    write(tmp_path / "outputs" / "run")
    assert main(["outputs"]) == 0
    assert f"ended    run {first}" in capsys.readouterr().out
    second = left_running(uri, tmp_path / "b")
    with Tracker.start(uri) as tracker:
        tracker.follow(write(tmp_path / "c"))
        (tracked,) = tracker.wait(timeout=60)
    assert tracked.ok
    store = Store(uri)
    until(lambda: {run.info.status for run in runs(store).values()} == {"KILLED", "FINISHED"})
    assert store.client.get_run(second).info.status == "KILLED"


def test_a_password_in_the_configuration_does_not_reach_the_store(uri, tmp_path):
    write(tmp_path / "outputs" / "run", params={"tracking.uri": "http://me:secret@127.0.0.1:1"})
    main(["outputs", "--store", uri])
    (run,) = runs(Store(uri)).values()
    assert "secret" not in str(run.data)
    assert "tracking.uri" not in run.data.params  # where a run is tracked is no hyper-parameter
