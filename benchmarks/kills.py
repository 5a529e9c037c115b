"""kill -9 at random moments: `python benchmarks/kills.py [--moments 50] [--victim training|tracking] [--seed 0]`.

Each moment starts the real command on one sqlite store, kills the training process (its tracking process goes on
alone) or the tracking process (training goes on), and leaves the rest to a final `python -m runner.sync`. Then every
row of every journal must be in the store, once, and no run RUNNING.
"""

import argparse
import contextlib
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from runner.runs import journal
from runner.tracking.store import Store

ROOT = Path(__file__).resolve().parents[1]
ENDLESS = ["training.iterations=100000000", "training.log_every=500"]
SHORT = ["training.iterations=100000", "training.log_every=500"]


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    return {**kept, "PYTHONPATH": str(ROOT)}


def kill(folder: Path, victim: str, number: int, rng: random.Random) -> str:
    """One command and one kill; returns what the command printed, if it lived on."""
    directory = folder / "outputs" / str(number)
    more = [f"hydra.run.dir={directory}", f"seed={number}", "dataset=xor", "progress=false"]
    training = [sys.executable, "-m", "runner", *(ENDLESS if victim == "training" else SHORT), *more]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(training, cwd=folder, env=environment(), text=True, **pipes) as process:
        try:
            if victim == "training" and rng.random() < 0.25:
                time.sleep(rng.uniform(0, 1.5))  # while it starts
            else:
                while not (directory / journal.FILE).exists() and process.poll() is None:
                    time.sleep(0.01)
                time.sleep(rng.uniform(0, 5))  # while it trains, and while the tracker starts, makes a store, follows
            target = process.pid if victim == "training" else tracker_of(process.pid)
            with contextlib.suppress(ProcessLookupError):
                if target:
                    os.kill(target, signal.SIGKILL)
            if victim == "training":
                process.wait()
                return ""  # its output may be held open by the tracking process
            out, _ = process.communicate(timeout=300)
        finally:
            process.kill()
    assert process.returncode == 0, out
    return out


def tracker_of(pid: int) -> int | None:
    """The tracking process of a command, None where it is no more."""
    found = subprocess.run(["pgrep", "-P", str(pid), "-f", "runner.tracking.follow"], capture_output=True, text=True)
    return int(found.stdout.split()[0]) if found.stdout else None


def check(folder: Path) -> tuple[int, int]:
    """Sync, then compare the store with the journals; (runs, values), all of them there once."""
    command = [sys.executable, "-m", "runner.sync", "outputs"]
    deadline = time.monotonic() + 120
    while True:
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        if "still being written" not in done.stdout:
            break
        assert time.monotonic() < deadline, done.stdout
    store = Store(f"sqlite:///{folder / 'mlflow.db'}")
    experiments = [experiment.experiment_id for experiment in store.client.search_experiments()]
    runs = store.client.search_runs(experiments, max_results=10_000)
    by_uid = {run.data.tags["runner.uid"]: run for run in runs}
    assert len(by_uid) == len(runs), "a run is there twice"
    values = 0
    for path in sorted((folder / "outputs").glob(f"*/{journal.FILE}")):
        if b"\n" not in path.read_bytes():
            continue  # killed before it began
        run = by_uid.pop(journal.first(path.parent)["uid"])
        assert run.info.status != "RUNNING", path.parent
        said: dict[str, list[tuple[int, int, str]]] = {}
        for record, _ in journal.read(path.parent):
            for key, value in {**record.get("values", {}), **record.get("metrics", {})}.items():
                value = value if abs(value) <= 1e300 else math.nan
                said.setdefault(key, []).append((record.get("step", 0), record["time"], repr(value)))
        for key, points in said.items():
            history = store.client.get_metric_history(run.info.run_id, key)
            assert sorted((m.step, m.timestamp, repr(m.value)) for m in history) == sorted(points), (path, key)
            values += len(points)
        assert set(run.data.metrics) == set(said), path.parent
    assert not by_uid, "runs without a journal"
    return len(runs), values


def main() -> None:
    """Print the figures; a row lost or doubled is an AssertionError."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--victim", choices=("training", "tracking"), default="training")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "outputs").mkdir()
        warned = sum("runner.sync" in kill(folder, given.victim, number, rng) for number in range(given.moments))
        runs, values = check(folder)
    print(f"{given.moments} kills of the {given.victim} process: {runs} runs began, {values} values, 0 lost, 0 doubled")
    if given.victim == "tracking":
        print(f"training was unharmed each time; {warned} commands said how to sync")


if __name__ == "__main__":
    main()
