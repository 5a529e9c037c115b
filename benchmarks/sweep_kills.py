"""`kill -9` of a sweep at random moments, the same command again each time: what is lost, repeated, left running?

    python benchmarks/sweep_kills.py [--moments 100] [--seed N]

A sweep of 200 jobs (its stacks small enough for a kill to fall anywhere) is killed at a random moment and
started again, until it has been killed so many times; then it runs to its end. Every job must have ended exactly
once, every journal's rows must be in the store, and no run may be left RUNNING.
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

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from runner import journal  # noqa: E402

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


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kills = 0
        while kills < arguments.moments:
            process = command(folder)
            time.sleep(float(rng.uniform(1, 6)))
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.communicate()
            if len(ended(folder)) == JOBS:
                break
        last = command(folder)
        out, _ = last.communicate()
        subprocess.run([sys.executable, "-m", "runner.sync"], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)})
        counts = ended(folder)
        running, missing = in_store(folder)
        repeated = sum(count - 1 for count in counts.values())
        print(f"{kills} kills: {JOBS - len(counts)} jobs lost, {repeated} repeated, {running} left RUNNING, ", end="")
        print(f"{missing} rows not in the store (last exit code {last.returncode})")
        if last.returncode or running or missing or repeated or len(counts) != JOBS:
            print(out)
            sys.exit(1)


if __name__ == "__main__":
    main()
