"""A real `mlflow server` on loopback, and what becomes of runs while it is not there."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.runs import journal
from runner.runs.journal import Journal
from runner.sync import main
from runner.tracking.state import State
from runner.tracking.store import Store
from tests.servers import Server, begin, ended, environment
from tests.stores import dump, new_store, push, runs, until, whole, write

ROOT = Path(__file__).resolve().parents[2]

# mlflow and what it needs warn about each other; that is not ours to fail for
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]


@pytest.fixture
def server(tmp_path_factory, tmp_path):
    server = Server(new_store(tmp_path_factory, tmp_path / "server"), tmp_path / "server")
    yield server
    server.stop()


def sync(folder):
    return subprocess.run(
        [sys.executable, "-m", "runner.sync", "run"], cwd=folder, env=environment(), capture_output=True, text=True
    )


def test_down_before_the_run(server, tmp_path):
    began = time.monotonic()
    out = ended(begin(tmp_path, server.uri, "training.iterations=100"))
    assert time.monotonic() - began < 100  # MLflow alone would try for 246 s a call
    assert "Nothing is lost, the journal has it: python -m runner.sync run" in out
    assert sync(tmp_path).returncode == 1
    server.start()
    done = sync(tmp_path)
    assert done.returncode == 0, done.stderr
    whole(Store(server.uri), tmp_path / "run", "FINISHED")


def test_down_during_the_run_and_after(server, tmp_path):
    server.start()
    process = begin(tmp_path, server.uri, "training.iterations=100000000", "training.log_every=500")
    until(lambda: (state := State.load(tmp_path / "run")) and state.offset, 120)
    server.stop()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 130, out
    assert "python -m runner.sync run" in out
    server.start()
    assert sync(tmp_path).returncode == 0
    store = Store(server.uri)
    whole(store, tmp_path / "run", "KILLED")
    server.stop()  # after the run: what is there stays there
    assert sync(tmp_path).returncode == 1
    server.start()
    assert "1 there already" in sync(tmp_path).stdout
    whole(store, tmp_path / "run", "KILLED")


def test_down_during_the_run_and_back_before_its_end(server, tmp_path):
    server.start()
    process = begin(tmp_path, server.uri, "training.iterations=100000000", "training.log_every=500")
    until(lambda: (state := State.load(tmp_path / "run")) and state.offset, 120)
    server.stop()
    before = State.load(tmp_path / "run").offset
    time.sleep(3)
    server.start()
    until(lambda: State.load(tmp_path / "run").offset > before, 120)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 130, out
    assert "runner.sync" not in out
    whole(Store(server.uri), tmp_path / "run", "KILLED")


def test_a_server_gets_what_a_local_store_gets(server, tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path)
    server.start()
    data = {"name": "xor", "digest": "abc", "profile": {"rows": 4}}
    directories = [write(tmp_path / "a" / str(number), rows=120, dataset=data) for number in range(2)]
    directories.append(write(tmp_path / "a" / "killed", rows=3, status=None))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    local = new_store(tmp_path_factory, tmp_path / "local")
    assert main(["a", "--store", server.uri]) == 0
    assert main(["b", "--store", local]) == 0
    there = Store(server.uri)
    assert there.tables is None
    for directory in directories:
        whole(there, directory, "KILLED" if directory.name == "killed" else "FINISHED")
    ours, theirs = dump(tmp_path / "server" / "mlflow.db"), dump(tmp_path / "local" / "mlflow.db")
    for table in ("tags", "params", "metrics", "latest_metrics", "datasets", "inputs", "input_tags"):
        assert ours[table] == theirs[table], table


def test_the_dead_are_buried_on_a_server_too(server, tmp_path):
    server.start()
    store = Store(server.uri)
    with Journal.create(tmp_path / "dead", name="n", experiment="demo") as writer:
        writer.row(0, {"train/cost": 1.0})
        run_id = push(store, tmp_path / "dead", closing=False).run_id
        assert store.bury() == []
    assert store.bury() == [run_id]
    (run,) = runs(store).values()
    assert (run.info.status, run.info.end_time) == ("KILLED", journal.last(tmp_path / "dead")["time"])
