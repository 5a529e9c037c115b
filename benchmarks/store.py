"""How long the local sqlite store takes for many runs: `python benchmarks/store.py [--runs 1000] [--values 600]`.

Journals are written first; timed is what brings them into a store whose schema is there (making it is timed apart).
Two datasets, 40 parameters, a dozen tags and two artifacts a run, as the runner's own runs have.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

from runner.runs.journal import Journal
from runner.tracking.state import State
from runner.tracking.store import Store

KEYS = ("train/cost", "train/accuracy", "test/cost", "test/accuracy", "grad_norm", "update_ratio/layer_1")


def write(directory: Path, number: int, values: int) -> Path:
    """A finished run's journal of about ``values`` values, and its artifacts."""
    dataset = {"name": f"data {number % 2}", "digest": f"{number % 2:032x}", "source": "datasets", "profile": "{}"}
    params = {f"group.key_{index}": index / 7 for index in range(40)}
    tags = {f"tag.{index}": str(index) for index in range(10)} | {"sweep": "benchmark"}
    with Journal.create(directory, name=str(number), experiment="b", params=params, tags=tags, dataset=dataset) as run:
        for step in range(values // len(KEYS)):
            run.row(step, dict.fromkeys(KEYS, number + step / 3))
        for name in ("config.yaml", "summary.json"):
            (directory / name).write_text("{}\n")
            run.artifact(name)
        run.end("finished", {"best/train/cost": 0.0, "diverged": 0.0})
    return directory


def measure(folder: Path, runs: int, values: int) -> tuple[float, float]:
    """Seconds for the schema and for the runs, all of which must then be there."""
    directories = [write(folder / str(number), number, values) for number in range(runs)]
    began = time.perf_counter()
    store = Store(f"sqlite:///{folder / 'mlflow.db'}")
    made = time.perf_counter()
    states = store.push_all(directories)
    ended = time.perf_counter()
    assert all(isinstance(state, State) and state.done for state in states.values())
    found = store.client.search_runs([store.experiment("b")], max_results=50_000)
    assert len(found) == runs
    assert {len(run.data.params) for run in found} == {40}
    return made - began, ended - made


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--values", type=int, default=600)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        schema, seconds = measure(Path(folder), given.runs, given.values)
    print(f"opening a fresh store {schema:.1f} s; {given.runs} runs of {given.values} values {seconds:.1f} s")


if __name__ == "__main__":
    main()
