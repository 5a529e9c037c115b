"""What the journal holds gets into a real sqlite store: all of it, once, whoever is killed on the way."""

import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from runner.runs import journal
from runner.runs.journal import Journal
from runner.tracking.store import Store, TrackingError, replay
from runner.tracking.tracker import (
    Progress,
    State,
    Tracked,
    Tracker,
    links,
    public,
    resolve,
    ui_command,
    warning,
    write_comparison,
)

# mlflow and what it needs warn about each other; that is not ours to fail for
pytestmark = pytest.mark.filterwarnings("ignore")

ROWS, KEYS = 120, [f"train/m{number}" for number in range(12)]  # more than one batch of 1000


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """A fresh store, made once (it takes seconds) and copied where one is needed."""
    database = tmp_path_factory.mktemp("store") / "mlflow.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Store(f"sqlite:///{database}")
    return database


@pytest.fixture
def uri(empty_store, tmp_path):
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def start():
    """Start Python with a text as its program; killed at the end of the test if it still runs."""
    processes = []

    def start(text, *arguments):
        command = [sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def write(directory, rows=ROWS, status="finished", last=0.5, **more):
    """A run's journal, from start to end unless ``status`` is None."""
    with Journal.create(directory, name="a run", experiment="demo", **more) as writer:
        for step in range(rows):
            writer.row(step, {key: step + number / 7 for number, key in enumerate(KEYS)})
        writer.row(rows, {"train/cost": last})
        if status:
            writer.end(status, {"best/train/cost": 0.25, "diverged": float(status == "diverged")})
    return directory


def said(directory):
    """What MLflow must hold of a journal: {key: [(step, time, value)]}, repr for NaN's sake."""
    points = {}
    for record, _ in journal.read(directory):
        for key, value in {**record.get("values", {}), **record.get("metrics", {})}.items():
            value = value if math.isfinite(value) else math.nan
            points.setdefault(key, []).append((record.get("step", 0), record["time"], repr(value)))
    return {key: sorted(series) for key, series in points.items()}


def stored(store, run_id):
    client = store.client
    return {
        key: sorted((m.step, m.timestamp, repr(m.value)) for m in client.get_metric_history(run_id, key))
        for key in client.get_run(run_id).data.metrics
    }


def runs(store):
    experiments = [experiment.experiment_id for experiment in store.client.search_experiments()]
    return store.client.search_runs(experiments)


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_a_journal_comes_whole_into_a_store(uri, tmp_path):
    directory = write(
        tmp_path / "run",
        params={f"key.{number}": number for number in range(130)} | {"long": "x" * 7000, "odd(key)": None},
        tags={"sweep": "s1"},
        dataset={"name": "xor", "digest": "abc", "source": "datasets.xor", "profile": {"rows": 4}},
    )
    (directory / "summary.json").write_text('{"status": "finished", "mlflow_run_id": null}')
    store = Store(uri)
    run_id = replay(directory, store)
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
    run_id = replay(directory, store)
    before = stored(store, run_id)
    assert replay(directory, store) == run_id
    assert replay(directory, store, whole=True) == run_id
    (directory / "tracking.json").unlink()  # as in a copy of the directory
    assert replay(directory, Store(uri)) == run_id
    assert stored(store, run_id) == before == said(directory)
    assert len(runs(store)) == 1


def test_another_store_gets_all_of_it(empty_store, uri, tmp_path):
    directory = write(tmp_path / "run", rows=5)
    other = tmp_path / "other" / "mlflow.db"
    other.parent.mkdir()
    shutil.copy(empty_store, other)
    first = replay(directory, uri)
    second = replay(directory, f"sqlite:///{other}")
    assert first != second
    assert stored(Store(f"sqlite:///{other}"), second) == said(directory)


def test_another_store_at_the_same_address_gets_all_of_it(empty_store, uri, tmp_path):
    directory = write(tmp_path / "run", rows=5)
    replay(directory, uri)
    os.replace(tmp_path / "mlflow.db", tmp_path / "old.db")
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    program = "import sys; from runner.tracking.store import replay; print(replay(*sys.argv[1:]))"
    command = [sys.executable, "-c", program, directory, uri]
    run_id = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
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
    run = store.client.get_run(replay(write(tmp_path / status, rows=1, status=status), store))
    assert (run.info.status, run.data.tags["status"]) == (mlflow, status)


def test_what_is_not_finite_is_nan_in_the_store(uri, tmp_path):
    directory = tmp_path / "run"
    with Journal.create(directory, name="n", experiment="demo") as writer:
        writer.row(0, {"train/cost": 1e300, "grad_norm": 2.0})
        writer.row(1, {"train/cost": math.inf, "grad_norm": math.nan})
        writer.row(2, {"train/cost": -math.inf, "grad_norm": math.inf})
        writer.end("diverged", {"best/train/cost": 1e300, "diverged": 1, "last": math.inf})
    store = Store(uri)
    run_id = replay(directory, store)
    points = stored(store, run_id)
    assert [value for _, _, value in points["train/cost"]] == ["1e+300", "nan", "nan"]
    assert [value for _, _, value in points["grad_norm"]] == ["2.0", "nan", "nan"]
    assert [value for _, _, value in points["last"]] == ["nan"]
    assert [value for _, _, value in points["diverged"]] == ["1.0"]


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
    state = Store(uri).push(directory)
    assert state.notes == ["no artifact gone.txt", "no artifact ../secret"]
    artifacts = tmp_path / "mlartifacts" / state.run_id / "artifacts"
    found = sorted(str(path.relative_to(artifacts)) for path in artifacts.rglob("*") if path.is_file())
    assert found == ["figures/a.png", "figures/b.png", "weights.npz"]


def test_a_resumed_run_goes_on_in_its_mlflow_run(uri, tmp_path):
    directory = write(tmp_path / "run", rows=5, status="interrupted")
    store = Store(uri)
    run_id = replay(directory, store)
    with Journal.reopen(directory) as writer:
        writer.row(6, {"train/cost": 0.1})
        assert replay(directory, store) == run_id
        assert store.client.get_run(run_id).info.status == "RUNNING"
        writer.end("finished")
    assert replay(directory, store) == run_id
    assert store.client.get_run(run_id).info.status == "FINISHED"
    assert stored(store, run_id) == said(directory)


def test_what_was_deleted_in_the_store_stays_deleted(uri, tmp_path):
    directory = write(tmp_path / "run", rows=1)
    run_id = replay(directory, uri)
    Store(uri).client.delete_run(run_id)
    assert Store(uri).push(directory, whole=True).deleted
    assert runs(Store(uri)) == []
    store = Store(uri)
    store.client.delete_experiment(store.experiment("demo"))
    with pytest.raises(TrackingError, match="mlflow experiments restore"):
        replay(directory, Store(uri))


def test_rows_written_while_tracking_are_all_there(uri, tmp_path):
    directory, shown = tmp_path / "run", []
    with Tracker.start(uri, "demo") as tracker:
        with Journal.create(directory, name="n", experiment="demo") as writer:
            tracker.follow(directory)
            for step in range(ROWS):
                writer.row(step, dict.fromkeys(KEYS, step / 3))
            until(lambda: tracker.progress().bytes_done)  # it is tailing: these rows come in later batches
            for step in range(ROWS, 2 * ROWS):
                writer.row(step, dict.fromkeys(KEYS, step / 3))
            (directory / "summary.json").write_text("{}")
            writer.end("finished", {"best/train/cost": 0.0})
        (tracked,) = tracker.wait(shown.append, timeout=60)
    store = Store(uri)
    size = (directory / journal.FILE).stat().st_size
    assert tracked == Tracked(directory, tracked.run_id, tracked.experiment_id, True, None)
    assert stored(store, tracked.run_id) == said(directory)
    assert shown[-1] == Progress(1, 1, size, size)
    assert warning([tracked], uri) is None
    assert json.loads((directory / "summary.json").read_text()) == {"mlflow_run_id": tracked.run_id}
    assert not (directory / "tracking.log").exists()


def test_one_tracker_for_a_whole_sweep_and_one_bad_journal(uri, tmp_path):
    with Tracker.start(uri) as tracker:
        for number in range(5):
            tracker.follow(write(tmp_path / str(number), rows=3))
        (tmp_path / "bad").mkdir()
        (tmp_path / "bad" / journal.FILE).write_text("hello\n")
        tracker.follow(tmp_path / "bad")
        *good, bad = tracker.wait(timeout=60)
    assert all(run.ok for run in good)
    assert not bad.ok
    assert "is not a journal" in bad.error
    assert {run.info.run_id for run in runs(Store(uri))} == {run.run_id for run in good}


def test_kill_9_of_training_loses_and_doubles_nothing(uri, tmp_path, start):
    directory = tmp_path / "run"
    process = start(
        """
        import sys, time
        from runner.runs.journal import Journal
        from runner.tracking.tracker import Tracker
        tracker = Tracker.start(sys.argv[2], "demo")
        with Journal.create(sys.argv[1], name="n", experiment="demo") as journal:
            tracker.follow(sys.argv[1])
            for step in range(1_000_000):
                journal.row(step, {"train/cost": step / 3, "grad_norm": step / 7})
                time.sleep(0.001)
        """,
        directory,
        uri,
    )
    until(lambda: State.load(directory) and State.load(directory).offset)
    process.send_signal(signal.SIGKILL)
    until(lambda: State.load(directory).done)
    store, state = Store(uri), State.load(directory)
    run = store.client.get_run(state.run_id)
    assert stored(store, state.run_id) == said(directory)
    assert (run.info.status, run.data.tags["status"]) == ("KILLED", "killed")
    assert run.info.end_time == journal.last(directory)["time"]
    assert len(runs(store)) == 1
    assert journal.last(directory)["kind"] == "row"  # nothing was appended on its behalf


def test_kill_9_of_the_tracker_is_told_and_mended(uri, tmp_path):
    directory = tmp_path / "run"
    with Tracker.start(uri, "demo") as tracker:
        with Journal.create(directory, name="n", experiment="demo") as writer:
            tracker.follow(directory)
            for step in range(3000):
                writer.row(step, dict.fromkeys(KEYS, step / 3))
            until(lambda: State.load(directory) and State.load(directory).offset)
            os.kill(tracker._process.pid, signal.SIGKILL)
            writer.row(3000, {"train/cost": 1.0})
            tracker.follow(tmp_path / "another")  # does not raise
            writer.end("finished")
        tracked, _ = tracker.wait(timeout=60)
    assert not tracked.ok
    assert f"python -m runner.sync {directory}" in warning([tracked], uri)
    assert "exit code -9" in warning([tracked], uri)
    store = Store(uri)
    run_id = replay(directory, store)
    assert stored(store, run_id) == said(directory)
    assert store.client.get_run(run_id).info.status == "FINISHED"
    assert len(runs(store)) == 1


def test_the_tracker_finishes_alone(uri, tmp_path, start):
    process = start(
        """
        import sys
        from runner.runs.journal import Journal
        from runner.tracking.tracker import Tracker
        tracker = Tracker.start(sys.argv[2])
        with Journal.create(sys.argv[1], name="n", experiment="demo") as journal:
            tracker.follow(sys.argv[1])
            journal.end("finished")
        """,
        tmp_path / "run",
        uri,
    )
    assert process.wait(timeout=60) == 0
    until(lambda: (state := State.load(tmp_path / "run")) and state.done)
    assert runs(Store(uri))[0].info.status == "FINISHED"


def test_a_server_that_is_not_there_costs_seconds_and_a_warning(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://user:secret@127.0.0.1:{free.getsockname()[1]}"
    directory = write(tmp_path / "run", rows=1)
    with Tracker.start(uri) as tracker:
        tracker.follow(directory)
        (tracked,) = tracker.wait(timeout=60)
    text = warning([tracked], uri)
    assert not tracked.ok
    assert "refused" in text
    assert f"python -m runner.sync {directory}" in text
    assert "secret" not in text + (directory / "tracking.log").read_text()


def test_a_tracker_that_cannot_start_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with Tracker.start("sqlite:///mlflow.db") as tracker:
        tracker.follow(tmp_path)
        (tracked,) = tracker.wait()
    assert "could not be started" in tracked.error


@pytest.mark.slow
def test_eight_processes_on_a_fresh_store_are_all_recorded(tmp_path, start):
    program = """
        import sys
        from runner.runs.journal import Journal
        from runner.tracking.tracker import Tracker
        tracker = Tracker.start(sys.argv[2], "demo")
        with Journal.create(sys.argv[1], name="n", experiment="demo") as journal:
            tracker.follow(sys.argv[1])
            for step in range(50):
                journal.row(step, {"train/cost": step / 3})
            journal.end("finished")
        print(all(run.ok for run in tracker.wait()), flush=True)
        """
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    processes = [start(program, tmp_path / str(number), uri) for number in range(8)]
    assert [process.communicate(timeout=300)[0].strip() for process in processes] == ["True"] * 8
    store = Store(uri)
    assert len(runs(store)) == 8
    for number in range(8):
        directory = tmp_path / str(number)
        assert stored(store, State.load(directory).run_id) == said(directory)
    assert not list(tmp_path.glob("mlflow.db.new*"))


def test_the_page_of_a_comparison_leads_to_the_runs_best_first(tmp_path):
    page = write_comparison(tmp_path, "http://box:80", "3", [f"r{number}" for number in range(300)])
    (address,) = re.findall(r'url=(.*)"', page.read_text())
    query = parse_qs(urlsplit(address.replace("/#/", "/")).query)
    assert address.startswith("http://box:80/#/compare-runs?")
    assert json.loads(query["runs"][0]) == [f"r{number}" for number in range(200)]
    assert json.loads(query["experiments"][0]) == ["3"]


def test_links_and_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    local, server = "sqlite:///mlflow.db", "http://me:secret@box:80/"
    assert links(local, "3", "ab") == "http://127.0.0.1:5000/#/experiments/3/runs/ab"
    assert links(server, "3") == "http://me@box:80/#/experiments/3"
    assert links(local, "3", sweep="s1") == (
        "http://127.0.0.1:5000/#/experiments/3/runs?workflowType=machine_learning"
        "&compareRunsMode=CHART&searchFilter=tags.sweeps%20LIKE%20%27%25s1%25%27"
    )
    assert ui_command(local) == "mlflow ui --backend-store-uri sqlite:///mlflow.db"
    assert ui_command("sqlite:////data/m.db") == "mlflow ui --backend-store-uri sqlite:////data/m.db"
    assert ui_command(server) is None
    assert resolve(local) == f"sqlite:///{tmp_path}/mlflow.db"
    assert public("postgresql://me:secret@box/db") == "postgresql://me@box/db"


def test_a_warning_names_one_folder_for_many_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tracked = [Tracked(Path.cwd() / "sweep" / str(n), None, None, n == 0, "no disk") for n in range(9)]
    text = warning(tracked, "sqlite:///mlflow.db")
    assert text.startswith("8 of 9 runs are not whole in sqlite:///")
    assert "(no disk)" in text
    assert text.endswith("python -m runner.sync sweep")
