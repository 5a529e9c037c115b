"""`python -m runner.sync`: what is on disk gets into a store, once, from wherever it was recorded."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from stores import dump, new_store, runs, said, stored, until, whole, write

from runner import load
from runner.runs import journal
from runner.runs.journal import Journal
from runner.sync import journals, main, store_of
from runner.tracking.store import Store, fetch
from runner.tracking.tracker import State, Tracker

ROOT = Path(__file__).resolve().parents[2]

# mlflow and what it needs warn about each other; that is not ours to fail for
pytestmark = pytest.mark.filterwarnings("ignore")


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


def supplement(directory, *names):
    """Files in the run's directory, added to it after its end, and a tag."""
    with Journal.supplement(directory) as writer:
        for name in names:
            (directory / name).write_text(name)
            writer.artifact(name)
        writer.tags({"mlflow.note.content": "the **result**"})


@pytest.mark.parametrize("by_tables", [True, False])
@pytest.mark.parametrize("status", ["finished", "diverged"])
def test_what_is_made_of_a_run_after_its_end_arrives_in_the_same_run(uri, tmp_path, status, by_tables):
    store = Store(uri)
    if not by_tables:
        store.tables = None
    directory, once = write(tmp_path / "late", status=status), write(tmp_path / "once", status=status)
    store.push(directory, closing=True)
    run_id = State.load(directory).run_id
    (ended,) = (run for run in runs(store).values() if run.info.run_id == run_id)
    supplement(directory, "cost.png")
    supplement(once, "cost.png")
    for _ in range(2):  # twice is once
        for path in (directory, once):
            store.push(path, closing=True)
        assert State.load(directory).run_id == run_id
        for path in (directory, once):
            whole(store, path, {"finished": "FINISHED", "diverged": "FAILED"}[status])
    run = store.client.get_run(run_id)
    assert (run.info.end_time, run.data.tags["status"]) == (ended.info.end_time, status)
    assert run.data.tags["mlflow.note.content"] == "the **result**"
    before = dump(tmp_path / "mlflow.db")
    State("sqlite:///elsewhere.db", "x", "1").save(directory)  # all of it once more
    store.push(directory, closing=True)
    assert dump(tmp_path / "mlflow.db") == before


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


def test_the_tracking_process_waits_for_whoever_adds_to_an_ended_run(uri, tmp_path):
    """It is followed a second time once something is being added; the first `done` is not taken for the second."""
    directory = write(tmp_path / "run")
    with Tracker.start(uri) as tracker:
        tracker.follow(directory)
        until(lambda: tracker.progress().done == 1)
        with Journal.supplement(directory) as writer:
            tracker.follow(directory)
            (tracked,) = tracker.wait(timeout=1)
            assert not tracked.ok
            (directory / "cost.png").write_text("cost")
            writer.artifact("cost.png")
        (tracked,) = tracker.wait(timeout=60)
    assert tracked == (directory, State.load(directory).run_id, tracked.experiment_id, True, None)
    whole(Store(uri), directory, "FINISHED")


def test_who_adds_to_an_ended_run_may_be_killed(uri, tmp_path):
    directory = write(tmp_path / "run")
    script = (
        "import sys, time\n"
        "from runner.runs.journal import Journal\n"
        f"writer = Journal.supplement({str(directory)!r})\n"
        "writer.tags({'note': 'n'})\n"
        "print('there', flush=True)\n"
        "time.sleep(600)\n"
    )
    adding = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        adding.stdout.readline()
        with Tracker.start(uri) as tracker:
            tracker.follow(directory)
            until(lambda: State.load(directory) is not None and State.load(directory).done)
            assert tracker.progress().done == 0
            adding.kill()
            adding.wait()
            with (directory / journal.FILE).open("ab") as file:
                file.write(b'{"kind":"artifact","pa')  # its last line was torn
            (tracked,) = tracker.wait(timeout=60)
    finally:
        adding.kill()
        adding.communicate()
    assert tracked.ok
    assert runs(Store(uri))[journal.first(directory)["uid"]].data.tags["note"] == "n"


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


def left_running(uri, directory, host=None, pid=None):
    """The id of a run which the store believes to be RUNNING; its journal has no end."""
    store = Store(uri)
    with Journal.create(directory, name="n", experiment="demo") as writer:
        writer.row(0, {"train/cost": 1.0})
        run_id = store.push(directory).run_id
        writer.row(1, {"train/cost": 0.5})  # the store does not know of this one
    for tag, value in (("runner.host", host), ("runner.pid", pid)):
        if value is not None:
            store.client.set_tag(run_id, tag, value)
    return run_id


def dead_process():
    """The id of a process that is no more."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


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
        live = store.push(tmp_path / "live").run_id
        writer.row(1, {"train/cost": 0.5})  # for its tracking process to bring
        assert set(store.bury()) == {killed, gone}
        status = {run.info.run_id: run.info.status for run in runs(store).values()}
    assert status == {killed: "KILLED", gone: "KILLED", elsewhere: "RUNNING", pid: "RUNNING", live: "RUNNING"}
    assert len(store.client.get_metric_history(live, "train/cost")) == 1
    run = store.client.get_run(killed)
    assert run.data.tags["status"] == store.client.get_run(gone).data.tags["status"] == "killed"
    assert run.info.end_time == journal.last(tmp_path / "killed")["time"]
    assert stored(store, killed) == said(tmp_path / "killed")  # what the store did not know has arrived


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
    np.testing.assert_array_equal(fetched.steps, trace.steps)
    assert set(fetched.values) == set(trace.values)
    for key, column in trace.values.items():
        np.testing.assert_array_equal(fetched[key], np.where(np.isfinite(column), column, np.nan))
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


def test_a_password_in_the_configuration_does_not_reach_the_store(uri, tmp_path):
    write(tmp_path / "outputs" / "run", params={"tracking.uri": "http://me:secret@127.0.0.1:1"})
    main(["outputs", "--store", uri])
    (run,) = runs(Store(uri)).values()
    assert run.data.params["tracking.uri"] == "http://me@127.0.0.1:1"


def test_journals_are_found_in_order_once(tmp_path):
    for name in ("b", "a", "a/nested"):
        write(tmp_path / name, rows=1)
    assert [path.relative_to(tmp_path).as_posix() for path in journals(tmp_path)] == ["a", "a/nested", "b"]
