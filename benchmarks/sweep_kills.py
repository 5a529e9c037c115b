"""`kill -9` of a sweep at random moments, the same command again each time: what is lost, repeated, left running?

    python benchmarks/sweep_kills.py [--moments 100] [--seed N]

A sweep of 200 jobs (its stacks small enough for a kill to fall anywhere) is killed at a random moment and started
again, until it is done; then comes the next sweep, until so many kills. Every job must have ended exactly once, every
journal's rows must be in the store, and no run may be left RUNNING.
"""

import argparse
import os
import signal
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
    "seed=range(10)",
    "training.iterations=600",
)
JOBS = 200


def command(folder: Path, *more: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "runner", "-m", *SWEEP, *more]
    return subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)


def ended(folder: Path) -> Counter[str]:
    """How often each job, by its key, has come to its end."""
    counts: Counter[str] = Counter()
    for path in folder.glob("multirun/*/*/*/journal.jsonl"):
        key = journal.first(path.parent)["tags"].get("key") if journal.status(path.parent) == "finished" else None
        if key:
            counts[key] += 1
    return counts


def in_store(folder: Path) -> tuple[int, int]:
    """(runs left RUNNING, rows of the journals that are not in the store)."""
    script = (
        "import json, sqlite3\n"
        "db = sqlite3.connect('mlflow.db')\n"
        "print(json.dumps([db.execute(\"select count(*) from runs where status='RUNNING'\").fetchone()[0],"
        " db.execute(\"select count(*) from metrics where key='train/cost'\").fetchone()[0]]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    running, stored = (int(word) for word in done.stdout.strip(" []\n").split(","))
    written = sum(
        line["kind"] == "row"
        for path in folder.glob("multirun/*/*/*/journal.jsonl")
        for line, _ in journal.read(path.parent)
    )
    return running, written - stored


class Tally(NamedTuple):
    """What was found after a sweep that had been killed and started again until it was done."""

    kills: int
    lost: int
    repeated: int
    running: int
    missing: int


def killed_until_done(rng: np.random.Generator, kills_left: int) -> Tally:
    """One sweep in a folder of its own, killed at random moments and started again, until it is done."""
    with tempfile.TemporaryDirectory() as name:
        folder, kills = Path(name), 0
        while kills < kills_left and len(ended(folder)) < JOBS:
            process = command(folder)
            time.sleep(float(rng.uniform(0.5, 6)))
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.communicate()
        last = command(folder)
        out, _ = last.communicate()
        if last.returncode:
            sys.exit(f"the last command exited {last.returncode}:\n{out}")
        subprocess.run([sys.executable, "-m", "runner.sync"], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)})
        counts = ended(folder)
        return Tally(kills, JOBS - len(counts), sum(count - 1 for count in counts.values()), *in_store(folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    tallies: list[Tally] = []
    while (kills := sum(tally.kills for tally in tallies)) < arguments.moments:
        tallies.append(killed_until_done(rng, arguments.moments - kills))
        print(tallies[-1], flush=True)
    total = Tally(*(sum(column) for column in zip(*tallies, strict=True)))
    print(f"{total.kills} kills of {len(tallies)} sweeps of {JOBS} jobs: {total.lost} jobs lost, ", end="")
    print(f"{total.repeated} repeated, {total.running} left RUNNING, {total.missing} rows not in the store")
    sys.exit(int(any(total[1:])))


if __name__ == "__main__":
    main()
