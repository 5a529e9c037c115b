"""4 GB of rows trained on under a limit of 1 GB, against mini-batches in memory: `python -m benchmarks streaming`.

Every measurement is a process of its own: `python -m benchmarks.streaming FILE true|false cached|cold`. That which
streams has RLIMIT_DATA at 1 GB: all private memory that can be written to, which leaves out the kernel's file cache.
What is compared is rows a second of training steps, after loading. In memory is a file of a tenth of the size, since
loading copies it several times; a mini-batch of it costs no more than one of 4 GB would.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from benchmarks.measure import median, ratio

WIDTH, LIMIT, BATCH, STEPS = 100, 1_000_000_000, 256, 4_000
NETWORKS = {"100-8-1": [8], "100-64-1": [64], "100-64-64-1": [64, 64]}


def write(path: Path, rows: int) -> None:
    """Rows of 100 normal numbers, a label by their sum, in chunks of 1,000 rows."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        X = file.create_dataset("X", (rows, WIDTH), dtype="f8", chunks=(1000, WIDTH))
        y = file.create_dataset("y", (rows,), dtype="i8")
        for start in range(0, rows, 50_000):
            portion = rng.standard_normal((min(50_000, rows - start), WIDTH))
            X[start : start + len(portion)] = portion
            y[start : start + len(portion)] = portion.sum(axis=1) > 0


def measured(path: Path, streamed: bool, cold: bool) -> dict[str, dict[str, float]]:
    """Of each network: rows a second, seconds until the first step, the process's peak resident memory in MB."""
    if streamed:
        resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    from runner.experiment.build import compose
    from runner.training.kinds import kind_of

    found = {}
    for name, hidden in NETWORKS.items():
        began = time.perf_counter()
        job = ["dataset=h5", f"dataset.path={path}", f"dataset.stream={str(streamed).lower()}", "optimizer=gd"]
        made = compose([*job, "optimizer.lr=0.1", f"training.batch_size={BATCH}", f"architecture.hidden={hidden}"])
        stack = kind_of(made.recipe).start([made.recipe])
        if cold:
            _forget(path)
        stack.advance(stack.gradient())
        loaded = time.perf_counter() - began
        began = time.perf_counter()
        for _ in range(STEPS):
            stack.advance(stack.gradient())
        second = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1000)
        found[name] = {"rows": BATCH * STEPS / second, "loading": loaded, "peak": peak}
    return found


def _forget(path: Path) -> None:
    """Have the kernel drop what it caches of the file, so that rows come from the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def streaming(repetitions: int) -> str:
    """The section of RESULTS.md."""
    kinds = {
        "cached": ("large", "true", "cached"),
        "cold": ("large", "true", "cold"),
        "memory": ("small", "false", "-"),
    }
    found: dict[str, list[dict[str, dict[str, float]]]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as folder:
        files = {"large": Path(folder, "large.h5"), "small": Path(folder, "small.h5")}
        write(files["large"], 5_000_000)
        write(files["small"], 500_000)
        size = files["large"].stat().st_size / 1e9
        for _ in range(max(3, repetitions // 3)):
            for kind, (file, streamed, cache) in kinds.items():
                command = [sys.executable, "-m", "benchmarks.streaming", str(files[file]), streamed, cache]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found[kind].append(json.loads(done.stdout))
    rows = []
    for name in NETWORKS:
        per = {kind: [each[name]["rows"] for each in runs] for kind, runs in found.items()}
        cells = [f"{median(per[kind]) / 1e6:.2f}" for kind in ("memory", "cached", "cold")]
        ratios = [f"{ratio(per[kind], per['memory']):.2f}" for kind in ("cached", "cold")]
        rows.append("| " + " | ".join([name, *cells, *ratios]) + " |")
    first = next(iter(NETWORKS))
    streamed_runs = found["cached"] + found["cold"]
    loading = median([run[first]["loading"] for run in streamed_runs])
    peak = max(each["peak"] for run in streamed_runs for each in run.values())
    in_memory = max(each["peak"] for run in found["memory"] for each in run.values())
    head = "| network | in memory | streamed | not cached | streamed / in memory | not cached / in memory |\n"
    return (
        f"## A file of {size:.1f} GB under a limit of {LIMIT / 1e9:.0f} GB (RLIMIT_DATA)\n\n"
        f"Million rows a second of training, mini-batches of {BATCH}, {STEPS:,} of them. Peak resident memory of the "
        f"processes that streamed: {peak:.0f} MB; of those with a tenth of the rows in memory: {in_memory:.0f} MB. The "
        f"first pass over the file took {loading:.0f} s. Not cached: the kernel had dropped the file before.\n\n"
        f"{head}{'| --- ' * 6}|\n" + "\n".join(rows)
    )


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]), sys.argv[2] == "true", sys.argv[3] == "cold")))
