"""`kill -9` of a sweep at random moments, the same command again each time: what is lost, repeated, left running?

    python benchmarks/sweep_kills.py [--moments 100] [--jobs 200] [--fixed] [--seed N]

A sweep of 200 jobs (its stacks small enough for a kill to fall anywhere) is killed at a random moment and started
again, until it is done; then comes the next sweep, until so many kills. With --fixed all of them go into one
hydra.sweep.dir. Every job must have ended exactly once, every journal's rows must be in the store, and no run may be
left RUNNING, in its journal or in the store.
"""

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from runner.runs import journal  # noqa: E402

SWEEP = (
    "dataset=flower",
    "architecture.hidden=[4],[5],[6],[7],[8],[9],[10],[11],[12],[13]",
    "optimizer=gd,adam",
    "training.iterations=2000",
)
JOBS_A_SEED = 20
FIXED = "hydra.sweep.dir=fixed"


def command(folder: Path, *more: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "runner", "-m", *SWEEP, *more]
    return subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)


def journals(folder: Path) -> list[Path]:
    """The directories of the jobs that have begun."""
    places = (path.parent for path in folder.rglob("journal.jsonl") if path.read_bytes().count(b"\n"))
    return [place for place in places if place.name != "summary"]


def ended(folder: Path) -> Counter[str]:
    """How often each job, by its key, has come to its end."""
    finished = (place for place in journals(folder) if journal.status(place) == "finished")
    return Counter(journal.first(place)["tags"]["key"] for place in finished)


def running(folder: Path) -> int:
    """How many runs are left RUNNING: in their journal, or in the store."""
    database = sqlite3.connect(folder / "mlflow.db")
    (stored,) = database.execute("select count(*) from runs where status='RUNNING'").fetchone()
    return int(stored) + sum(journal.status(place) == "running" for place in journals(folder))


def missing(folder: Path) -> int:
    """How many rows of the journals are not in the store, or there twice."""
    database = sqlite3.connect(folder / "mlflow.db")
    (stored,) = database.execute("select count(*) from metrics where key='train/cost'").fetchone()
    rows = (line["kind"] == "row" for place in journals(folder) for line, _ in journal.read(place))
    return abs(sum(rows) - int(stored))


class Tally(NamedTuple):
    """What was found after a sweep that had been killed and started again until it was done."""

    kills: int
    lost: int
    repeated: int
    running: int
    missing: int


def await_moment(process: subprocess.Popen[str], folder: Path, rng: np.random.Generator) -> None:
    """While it starts, in one case of five; else when some jobs more have begun, and a moment later."""
    if rng.random() < 0.2:
        time.sleep(float(rng.uniform(0, 3)))
        return
    wanted = len(list(folder.rglob("journal.jsonl"))) + int(rng.integers(1, 8))
    while process.poll() is None and len(list(folder.rglob("journal.jsonl"))) < wanted:
        time.sleep(0.1)
    time.sleep(float(rng.uniform(0, 0.5)))


def killed_until_done(rng: np.random.Generator, kills_left: int, jobs: int = 200, fixed: bool = False) -> Tally:
    """One sweep in a folder of its own, killed at random moments and started again, until it is done."""
    words = (f"seed=range({jobs // JOBS_A_SEED})", *([FIXED] if fixed else []))
    with tempfile.TemporaryDirectory() as name:
        folder, kills = Path(name), 0
        while kills < kills_left and len(ended(folder)) < jobs:
            process = command(folder, *words)
            await_moment(process, folder, rng)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.communicate()
        last = command(folder, *words)
        out, _ = last.communicate()
        if last.returncode:
            sys.exit(f"the last command exited {last.returncode}:\n{out}")
        sync = [sys.executable, "-m", "runner.sync", "fixed" if fixed else "multirun"]
        subprocess.run(sync, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
        counts = ended(folder)
        repeated = sum(count - 1 for count in counts.values())
        return Tally(kills, jobs - len(counts), repeated, running(folder), missing(folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=200, help="a multiple of 20")
    parser.add_argument("--fixed", action="store_true", help="in one hydra.sweep.dir, the same each time")
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    tallies: list[Tally] = []
    while (kills := sum(tally.kills for tally in tallies)) < given.moments:
        tallies.append(killed_until_done(rng, given.moments - kills, given.jobs, given.fixed))
        print(tallies[-1], flush=True)
    total = Tally(*(sum(column) for column in zip(*tallies, strict=True)))
    print(f"{total.kills} kills of {len(tallies)} sweeps of {given.jobs} jobs: {total.lost} jobs lost, ", end="")
    print(f"{total.repeated} repeated, {total.running} left RUNNING, {total.missing} rows not in the store once")
    sys.exit(int(any(total[1:])))


if __name__ == "__main__":
    main()
