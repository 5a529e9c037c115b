"""What tracking costs a command: `python benchmarks/start.py [--repeat 7]`.

Four figures, medians over interleaved runs of the default XOR:

result     from the command to its printed result, against the same with tracking=none
command    the whole command until the store is in sync, against `python -c "import mlflow"` that also opens the store
fresh      both of them in an empty folder, where the store has to be made
known      both of them in a folder whose store is there
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUN = [sys.executable, "-m", "runner", "dataset=xor"]
MLFLOW = "import mlflow; mlflow.MlflowClient('sqlite:///mlflow.db').search_experiments()"
STORE = [sys.executable, "-W", "ignore", "-c", MLFLOW]


def seconds(folder: Path, command: list[str], until: str = "") -> float:
    """How long the command takes in ``folder``: to the end, or to the line with ``until`` in it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    environment = {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    began, shown = time.perf_counter(), None
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if until and until in line and shown is None:
                shown = time.perf_counter() - began
    assert process.returncode == 0, command
    if not until:
        return time.perf_counter() - began
    assert shown is not None, f"{command} did not print {until!r}"
    return shown


def main() -> None:
    """Print the medians and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7)
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory() as folder:
        fresh, known = Path(folder) / "fresh", Path(folder) / "known"
        for place in (fresh, known):
            place.mkdir()
        seconds(known, RUN)  # makes the store, and warms the file cache up

        def emptied(command: list[str], until: str = "") -> float:
            shutil.rmtree(fresh)
            fresh.mkdir()
            return seconds(fresh, command, until)

        trials: dict[str, Callable[[], float]] = {
            "result, none": lambda: seconds(known, [*RUN, "tracking=none"], "target train"),
            "result, known": lambda: seconds(known, RUN, "target train"),
            "result, fresh": lambda: emptied(RUN, "target train"),
            "command, known": lambda: seconds(known, RUN),
            "mlflow, known": lambda: seconds(known, STORE),
            "command, fresh": lambda: emptied(RUN),
            "mlflow, fresh": lambda: emptied(STORE),
        }
        taken: dict[str, list[float]] = {name: [] for name in trials}
        for _ in range(repeat):
            for name, trial in trials.items():
                taken[name].append(trial())
    median = {name: statistics.median(times) for name, times in taken.items()}
    for name, times in taken.items():
        print(f"{name:15} {median[name]:6.2f} s   ({min(times):.2f} to {max(times):.2f})")
    for what in ("known", "fresh"):
        result = median[f"result, {what}"] / median["result, none"]
        command = median[f"command, {what}"] / median[f"mlflow, {what}"]
        print(f"store {what}: result {result:.2f}x (at most 1.15), whole command {command:.2f}x (at most 1.2)")


if __name__ == "__main__":
    main()
