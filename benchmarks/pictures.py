"""What pictures and the report cost: `python -m benchmarks.pictures [--repeat 5]`, interleaved, medians.

result     from the command to its printed result, with pictures against plots=false
command    the whole command, with and without, tracked and not
report     of a sweep of 500 runs: how large, how long to make, how long until its charts stand in Chromium
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.start import ROOT, RUN, seconds

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
SWEEP = [sys.executable, "-m", "runner", "-m", "dataset=flower", "optimizer=gd", "training.iterations=300"]
SWEEP += ["init=he_normal,xavier_normal,normal,uniform,zeros", "optimizer.lr=0.01,0.03,0.1,0.3,1,3,10,30,100,300"]
SWEEP += ["seed=range(10)", "dataset.test_n=100", "tracking=none", "hydra.sweep.dir=sweep", "diagnosis=none"]


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds(folder, RUN)  # makes the store, and warms the file cache up
        taken: dict[str, list[float]] = {}
        for _ in range(repeat):
            for plots in ("plots=true", "plots=false"):
                for until in ("target train", ""):
                    what = f"{'result' if until else 'command'}, {plots}"
                    taken.setdefault(what, []).append(seconds(folder, [*RUN, plots], until))
                taken.setdefault(f"command, {plots}, tracking=none", []).append(
                    seconds(folder, [*RUN, plots, "tracking=none"])
                )
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(SWEEP, cwd=folder, env=environment, check=True, capture_output=True)
        for _ in range(repeat):
            made = seconds(folder, [sys.executable, "-m", "runner.report", "sweep"])
            taken.setdefault("report of 500 runs, python -m runner.report", []).append(made)
        page = folder / "sweep" / "report.html"
        taken["report of 500 runs, opened"] = opened(page, repeat)
        for what, times in taken.items():
            print(f"{what:45} {statistics.median(times):6.2f} s   ({min(times):.2f} to {max(times):.2f})")
        print(f"report of 500 runs: {page.stat().st_size / 1e6:.2f} MB")


def opened(page: Path, repeat: int) -> list[float]:
    """Seconds from asking for a page until its charts stand, in a browser that has not seen it."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    times = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        for _ in range(repeat):
            tab = browser.new_context().new_page()
            began = time.perf_counter()
            tab.goto(page.as_uri())
            tab.wait_for_selector("html[data-ready]")
            times.append(time.perf_counter() - began)
            tab.context.close()
        browser.close()
    return times


if __name__ == "__main__":
    main()
