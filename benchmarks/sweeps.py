"""How long a whole sweep command takes, as a user feels it, on a store that exists.

    python benchmarks/sweeps.py [--runs 1000]

Prints, for 1,000 and for 20 XOR runs: seconds until the leaderboard is on the screen, until everything is in MLflow,
and beside them what `python -c "import mlflow"` costs on the same machine.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def timed(folder: Path, *overrides: str) -> tuple[float, float]:
    """(seconds until the table is printed, seconds until the command is back)."""
    command = [sys.executable, "-u", "-m", "runner", "-m", *overrides]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    began = time.perf_counter()
    shown = 0.0
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if not line.startswith(("mlflow ui", "MLflow")):
                shown = time.perf_counter() - began
    if process.returncode:
        sys.exit(f"{' '.join(command)} exited {process.returncode}")
    return shown, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        timed(folder, "dataset=xor", "training.iterations=5", "seed=1,2")  # makes the store
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import mlflow"], check=True)
        print(f"import mlflow: {time.perf_counter() - began:.1f} s")
        xor = ("dataset=xor", "architecture.hidden=[4]", "architecture.activation=sigmoid", "optimizer=gd")
        shown, whole = timed(folder, *xor, "training.iterations=1000", "optimizer.lr=0.5,1,2,4", "seed=range(5)")
        print(f"20 runs: on the screen after {shown:.1f} s, in MLflow after {whole:.1f} s")
        seeds = f"seed=range({100},{100 + runs // 4})"
        shown, whole = timed(folder, *xor, "training.iterations=1000", "optimizer.lr=0.5,1,2,4", seeds)
        print(f"{runs} runs: on the screen after {shown:.1f} s, in MLflow after {whole:.1f} s")


if __name__ == "__main__":
    main()
