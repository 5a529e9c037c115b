"""A sweep of 1,000 runs of the flower on two processes against one: how many times faster, and whether bits are equal.

    python -m benchmarks.parallel [--runs 1000] [--iterations 2000] [--repeat 3]

The whole command is timed, start of Python and of the processes included, without tracking; the two take turns.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runner.runs import journal

ROOT = Path(__file__).resolve().parents[1]
WAYS = {"one process": ("sweep.backend=serial",), "two": ("sweep.backend=loky", "sweep.workers=2")}


def timed(folder: Path, *overrides: str) -> float:
    """Seconds of a sweep in a new directory."""
    folder.mkdir()
    command = [sys.executable, "-m", "runner", "-m", *overrides, "hydra.sweep.dir=sweep"]
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    return time.perf_counter() - began


def rows(folder: Path) -> dict[str, list[object]]:
    """What each run of a sweep logged, by its name."""
    found = {}
    for path in (folder / "sweep").glob("[0-9]*/journal.jsonl"):
        lines = [record for record, _ in journal.read(path.parent)]
        name = str(lines[0]["name"])
        found[name] = [(line["step"], line["values"]) for line in lines if line["kind"] == "row"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--iterations", type=int, default=2000)
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    words = ["dataset=flower", "architecture.hidden=[4]", "optimizer.lr=0.3,0.6,1,1.2", "diagnosis=none", "plots=false"]
    words += [f"seed=range({asked.runs // 4})", f"training.iterations={asked.iterations}", "tracking=none"]
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory() as name:
        for turn in range(asked.repeat):
            logged = []
            for way, more in WAYS.items():
                folder = Path(name) / f"{turn}-{way}"
                seconds[way].append(timed(folder, *words, *more))
                logged.append(rows(folder))
            same = logged[0] == logged[1] and len(logged[0]) == asked.runs
            print(f"turn {turn}: {', '.join(f'{way} {took[-1]:.1f} s' for way, took in seconds.items())}; ", end="")
            print("the same bits" if same else "NOT the same bits", flush=True)
    one, two = (statistics.median(took) for took in seconds.values())
    print(
        f"{asked.runs} runs of {asked.iterations} iterations: {one:.1f} s by one, {two:.1f} s by two, {one / two:.2f}x"
    )


if __name__ == "__main__":
    main()
