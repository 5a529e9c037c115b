"""Searches: by stacks against one job per trial through Hydra, TPE against random, halving against none.

    CATS_DIR=... python benchmarks/search.py [hydra] [cats] [halving] [--seeds 5]

hydra    200 trials on XOR, batches of 32, against the same Optuna sampler that asks for one trial at a time and has
         Hydra's own basic launcher run it: seconds of the whole command, and the best cost
cats     100 trials of TPE against random over rate, initial scale and width, 300 iterations: the best validation cost
halving  500 random trials on the flower, with and without pruning: the best cost, and updates of members
"""

import argparse
import io
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

XOR = ("dataset=xor", "tracking=none")
XOR_RANGES = ("optimizer.lr=tag(log,interval(1e-4,10))", "init=xavier_normal,he_normal")
FLOWER = ("dataset=flower", "architecture.hidden=[4]", "optimizer=gd", "training.iterations=2000", "tracking=none")
FLOWER_RANGES = ("optimizer.lr=tag(log,interval(1e-3,10))", "init.scale=tag(log,interval(0.01,10))", "seed=range(20)")
CATS = ("experiment=course/cats", "training.iterations=300", "dataset.validation=0.2", "tracking=none")
CATS_RANGES = (
    "optimizer.lr=tag(log,interval(1e-4,1))",
    "init.scale=tag(log,interval(0.01,10))",
    "architecture.hidden=[5],[10],[20],[20,7,5]",
)


def searched(*overrides: str) -> tuple[float, float, int]:
    """A search command of ours: (seconds, the best objective, updates of all members)."""
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        command = [sys.executable, "-m", "runner", *overrides]
        done = subprocess.run(command, cwd=name, env=environment(), capture_output=True, text=True)
        seconds = time.perf_counter() - began
        if done.returncode not in (0, 1):  # 1: trials have diverged
            sys.exit(f"{command} exited {done.returncode}: {done.stderr}")
        rows = sqlite3.connect(Path(name) / "search.db").execute("SELECT status, objectives FROM trials").fetchall()
        best = min(json.loads(objectives)[0] for status, objectives in rows if status == "finished")
        steps = [json.loads(path.read_text())["steps"] for path in Path(name).glob("multirun/*/*/*/summary.json")]
        return seconds, best, sum(steps)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}


def one_by_one(seed: int, trials: int) -> None:
    """The peer, in a process of its own: Optuna asks, Hydra's basic launcher runs one job, Optuna is told."""
    import optuna
    from hydra import initialize_config_module
    from hydra._internal.callbacks import Callbacks
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.plugins import Plugins
    from hydra.types import HydraContext, RunMode

    from runner.__main__ import task
    from runner.experiment.compose import Composer
    from runner.experiment.samplers import search_options
    from runner.sweeps.search.space import space_of

    composer = Composer()
    space = space_of(composer, [*XOR, *XOR_RANGES])
    section = composer.compose(["search=tpe", f"search.seed={seed}"]).config.search
    options = search_options(dict(section))
    assert options is not None
    with initialize_config_module("conf", version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        overrides = ["hydra/sweeper=basic", "hydra/launcher=basic", *XOR]
        config = hydra.compose_config("config", overrides, RunMode.MULTIRUN, with_log_configuration=False)
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks(config)),
            task_function=task.__wrapped__,
            config=config,
        )
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(sampler=options.make())
        for number in range(trials):
            trial = study.ask({one.key: one.distribution() for one in space.ranges})
            with redirect_stdout(io.StringIO()):
                (ended,) = launcher.launch([space.overrides(trial.params)], initial_job_idx=number)
            value = ended.return_value
            study.tell(trial, value if value == value else float("inf"))
    print(study.best_value)


def against_hydra(seeds: Sequence[int], trials: int = 200) -> tuple[float, list[float], list[float]]:
    """Prints a line a seed; returns (the median ratio of seconds, our best costs, the peer's)."""
    ours, theirs, ratios = [], [], []
    for seed in seeds:
        ranges = ("search=tpe", f"search.trials={trials}", "search.batch=32", f"search.seed={seed}", *XOR_RANGES)
        seconds, best, _ = searched(*XOR, *ranges)
        with tempfile.TemporaryDirectory() as name:
            began = time.perf_counter()
            command = [sys.executable, str(Path(__file__).resolve()), "peer", str(seed), str(trials)]
            done = subprocess.run(command, cwd=name, env=environment(), capture_output=True, text=True)
            slower = time.perf_counter() - began
            if done.returncode:
                sys.exit(done.stderr)
        ours.append(best)
        theirs.append(float(done.stdout.split()[-1]))
        ratios.append(slower / seconds)
        print(f"seed {seed}: ours {best:.3g} in {seconds:.1f} s, one by one {theirs[-1]:.3g} in {slower:.1f} s")
    print(f"best, median: ours {statistics.median(ours):.3g}, one by one {statistics.median(theirs):.3g}")
    print(f"sooner: {statistics.median(ratios):.1f} times (median), {min(ratios):.1f} at the least")
    return statistics.median(ratios), ours, theirs


def tpe_against_random(seeds: Sequence[int], trials: int = 100) -> tuple[list[float], list[float]]:
    """The best costs of both, seed by seed."""
    data, found = f"dataset.dir={os.environ['CATS_DIR']}", {}
    for name in ("tpe", "random"):
        found[name] = [
            searched(*CATS, data, f"search={name}", f"search.trials={trials}", "search.batch=10",
                     f"search.seed={seed}", *CATS_RANGES)[1]
            for seed in seeds
        ]  # fmt: skip
        costs = ", ".join(f"{cost:.4f}" for cost in found[name])
        print(f"{name}: median {statistics.median(found[name]):.4f} of {costs}", flush=True)
    return found["tpe"], found["random"]


def halving(seeds: Sequence[int], trials: int = 500) -> list[tuple[float, float]]:
    """(best with pruning over best without, member-steps with over without), seed by seed."""
    found = []
    for seed in seeds:
        common = (*FLOWER, "search=random", f"search.trials={trials}", f"search.seed={seed}", *FLOWER_RANGES)
        _, whole, all_steps = searched(*common)
        _, pruned, steps = searched(*common, "search.pruning=3")
        found.append((pruned / whole, steps / all_steps))
        print(f"seed {seed}: best {pruned:.4f} against {whole:.4f}, {steps / all_steps:.3f} of the member-steps")
    return found


PARTS = {"hydra": against_hydra, "cats": tpe_against_random, "halving": halving}


def main() -> None:
    if sys.argv[1:2] == ["peer"]:
        one_by_one(int(sys.argv[2]), int(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    for name in arguments.part or PARTS:
        print(f"== {name}", flush=True)
        PARTS[name](range(arguments.seeds))


if __name__ == "__main__":
    main()
