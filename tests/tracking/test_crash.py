"""Whoever is killed, and whatever disk is full: what was written is there, and gets into the store."""

import contextlib
import importlib.util
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from runner.runs import journal
from runner.tracking.store import Store
from tests.commands import quick
from tests.stores import new_store, runs, said, stored, whole

ROOT = Path(__file__).resolve().parents[2]

# mlflow and what it needs warn about each other; that is not ours to fail for
pytestmark = pytest.mark.filterwarnings("ignore")


def benchmark(name):
    """A script of benchmarks/ as a module."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize(("victim", "moments"), [("training", 10), ("tracking", 5)])
def test_kill_9_at_random_moments_loses_and_doubles_nothing(tmp_path, victim, moments):
    kills, rng = benchmark("kills"), random.Random(1)
    (tmp_path / "outputs").mkdir()
    for number in range(moments):
        kills.kill(tmp_path, victim, number, rng)
    began, values = kills.check(tmp_path)
    assert began > moments // 2
    assert values > 100


@pytest.mark.slow
def test_a_sweep_killed_in_a_fixed_directory_is_finished_by_the_same_command():
    tally = benchmark("sweep_kills").killed_until_done(np.random.default_rng(1), 3, jobs=40, fixed=True)
    assert tally.kills
    assert not any(tally[1:]), tally


@contextlib.contextmanager
def small_disk(folder, kilobytes):
    """A file system that is soon full; where none may be mounted the test is skipped, unless in CI."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True) if shutil.which("mount") else None
    if mounted is None or mounted.returncode:
        why = mounted.stderr.strip() if mounted else "there is no mount command"
        if os.environ.get("CI") and os.geteuid() == 0:
            pytest.fail(f"root in CI must be able to mount a tmpfs: {why}")
        pytest.skip(f"no tmpfs can be mounted here: {why}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def command(folder, *arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    return subprocess.run(
        [sys.executable, "-m", *(quick(*arguments) if arguments[0] == "runner" else arguments)],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_full_disk_under_the_journal_is_said_and_what_was_written_is_readable(tmp_path, tmp_path_factory):
    uri = new_store(tmp_path_factory, tmp_path / "store")
    with small_disk(tmp_path / "small", 256) as small:
        rows = ["training.iterations=20000", "training.log_every=10", "tracking=offline"]
        done = command(small, "runner", "dataset=xor", "hydra.run.dir=run", *rows)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
        records = [record for record, _ in journal.read(small / "run")]
        steps = [record["step"] for record in records if record["kind"] == "row"]
        assert steps[:2] == [0, 10]
        assert len(steps) > 100
        synced = command(tmp_path, "runner.sync", str(small), "--store", uri)
        assert synced.returncode == 0, synced.stderr
        store = Store(uri)
        (run,) = runs(store).values()
        assert stored(store, run.info.run_id) == said(small / "run")
        assert run.info.status != "RUNNING"


def test_a_full_disk_under_the_store_is_a_warning_and_sync_mends_it(tmp_path, tmp_path_factory):
    size = Path(new_store(tmp_path_factory, tmp_path / "model").removeprefix("sqlite:///")).stat().st_size
    with small_disk(tmp_path / "small", size // 1024 + 100) as small:
        uri = new_store(tmp_path_factory, small)
        store = [f"tracking.uri={uri}", "training.iterations=5000", "training.log_every=10"]
        done = command(tmp_path, "runner", "dataset=xor", "hydra.run.dir=run", *store)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "disk is full" in done.stdout
        assert "python -m runner.sync run" in done.stdout
        assert journal.status(tmp_path / "run") == "finished"
        assert command(tmp_path, "runner.sync", "run").returncode == 1
        subprocess.run(["mount", "-o", "remount,size=16m", str(small)], check=True)
        synced = command(tmp_path, "runner.sync", "run")
        assert synced.returncode == 0, synced.stdout + synced.stderr
        whole(Store(uri), tmp_path / "run", "FINISHED")


@pytest.mark.slow
def test_32_processes_on_a_fresh_store_at_once_are_all_recorded(tmp_path):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    began = [
        subprocess.Popen(
            [sys.executable, "-m", "runner", *quick("dataset=xor", "training.iterations=100", f"seed={number}")],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(32)
    ]
    try:
        outputs = [process.communicate(timeout=900)[0] for process in began]
    finally:
        for process in began:
            process.kill()
    assert [process.returncode for process in began] == [0] * 32, outputs
    assert not [out for out in outputs if "runner.sync" in out]
    store = Store(f"sqlite:///{tmp_path / 'mlflow.db'}")
    directories = [path.parent for path in tmp_path.glob("outputs/*/*/journal.jsonl")]
    assert len(runs(store)) == len(directories) == 32
    for directory in directories:
        whole(store, directory, "FINISHED")
