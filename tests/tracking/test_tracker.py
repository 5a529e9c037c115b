"""The tracking process brings journals into a store while they grow: all of it, once, whoever is killed on the way."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from runner.runs import journal
from runner.runs.journal import Journal
from runner.tracking.state import State
from runner.tracking.store import Store
from runner.tracking.tracker import Progress, Tracked, Tracker, warning
from tests.stores import (
    new_store,
    push,
    runs,
    said,
    stored,
    until,
    whole,
    write,
)

# mlflow and what it needs warn about each other; that is not ours to fail for
pytestmark = pytest.mark.filterwarnings("ignore")

ROWS, KEYS = 120, [f"train/m{number}" for number in range(12)]  # more than one batch of 1000


@pytest.fixture
def uri(tmp_path_factory, tmp_path):
    """An empty store in the test's folder."""
    return new_store(tmp_path_factory, tmp_path)


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
    assert {run.info.run_id for run in runs(Store(uri)).values()} == {run.run_id for run in good}


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
    run_id = push(store, directory).run_id
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
    assert next(iter(runs(Store(uri)).values())).info.status == "FINISHED"


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


def test_a_warning_names_one_folder_for_many_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tracked = [Tracked(Path.cwd() / "sweep" / str(n), None, None, n == 0, "no disk" if n else None) for n in range(9)]
    text = warning(tracked, "sqlite:///mlflow.db")
    assert text.startswith("8 of 9 runs are not whole in sqlite:///")
    assert "(no disk)" in text
    assert text.endswith("python -m runner.sync sweep")


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
