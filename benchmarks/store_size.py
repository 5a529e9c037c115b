"""How large MLflow's database gets, and what fills it: `python benchmarks/store_size.py [--every 1 8]`.

One sweep is recorded, and its journals are brought into a fresh store for each `tracking.layers_every`.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from runner.tracking.bring import journals
from runner.tracking.store import Store

ROOT = Path(__file__).resolve().parents[1]
SWEEP = ("-m", "dataset=flower", "optimizer=gd,adam", "architecture.hidden=[4],[8,8]", "seed=range(12)")
SWEEP += ("training.iterations=2000", "plots=false", "diagnosis=none", "tracking=offline", "tracking.layers_every=1")


def size(folder: Path, every: int) -> tuple[int, int, dict[str, int]]:
    """(runs, bytes, bytes by table and index) of a store of the sweep in ``folder``, brought as ``every`` says."""
    copy = folder / str(every)
    shutil.copytree(folder / "sweep", copy)
    for directory in journals(copy):
        path = directory / "journal.jsonl"
        path.write_text(path.read_text().replace('"tracking.layers_every":1', f'"tracking.layers_every":{every}'))
    found = list(journals(copy))
    database = folder / f"{every}.db"
    Store(f"sqlite:///{database}").push_all(found)
    with sqlite3.connect(database) as connection:
        query = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY sum(pgsize) DESC"
        parts = dict(connection.execute(query).fetchall())
    return len(found), sum(parts.values()), parts


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, nargs="+", default=[1, 8])
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        command = [sys.executable, "-m", "runner", *SWEEP, "hydra.sweep.dir=sweep"]
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        for every in given.every:
            runs, total, parts = size(folder, every)
            largest = ", ".join(f"{name} {part / total:.0%}" for name, part in list(parts.items())[:4])
            print(
                f"layers_every={every}: {runs} runs, {total / 1e6:.1f} MB, {total / runs / 1e3:.0f} kB a run; {largest}"
            )


if __name__ == "__main__":
    main()
