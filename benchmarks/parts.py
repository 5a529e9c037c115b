"""The sections of RESULTS.md. Each takes the number of repetitions and gives markdown."""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import calls, empty_calls, interleaved, median, operations, products, ratio, steps
from benchmarks.peers import NEVER, PEERS, jax_loop, plain_numpy
from benchmarks.problems import Problem, cost_of, problem, problems
from benchmarks.streaming import streaming
from benchmarks.whole import SCRIPTS
from runner.experiment.build import compose
from runner.sweeps import planning
from runner.training import shrink
from runner.training.kinds import kind_of
from runner.training.recipe import Recipe
from runner.training.stack import Stack
from runner.training.train import train

ROOT = Path(__file__).resolve().parents[1]


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def machine() -> str:
    """What this was measured on, and how busy it was."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].split(":")[1].strip() if models else cpu
    found = [f"Python {platform.python_version()}"]
    for name in ("numpy", "scipy", "torch", "jax", "scikit-learn"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    load = f"load average {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores" if hasattr(os, "getloadavg") else ""
    return f"{cpu}; {platform.system()}; {', '.join(found)}; {load}; {time.strftime('%Y-%m-%d')}"


def iteration(repetitions: int) -> str:
    """One full-batch iteration of each problem, by everyone."""
    text = "## One full-batch iteration\n"
    for key, each in problems().items():
        portions: dict[str, Callable[[], Any]] = {}
        count, costs, missing = {}, {}, []
        for name, make in PEERS.items():
            if name == "runner, shrink=false" and not shrink.applies(each.recipe):
                continue
            try:
                run = make(each)
                costs[name] = cost_of(each, run(each.iterations))
            except Exception as error:
                missing.append(f"{name}: {type(error).__name__}")
                continue
            # Ours on the cats as long as the published run: its start, 0.1 s, is part of it.
            count[name] = 2500 if key == "cats" and name == "runner" else each.iterations
            portions[name] = partial(run, count[name])
        found = interleaved(portions, max(3, repetitions // (3 if key == "cats" else 1)))
        per = {name: [second / count[name] * 1e6 for second in seconds] for name, seconds in found.items()}
        rows = [
            [name, f"{median(per[name]):.1f}", f"{ratio(per[name], per['runner']):.2f}", f"{costs[name]:.12f}"]
            for name in per
        ]
        text += f"\n### {each.name}, {len(each.X)} rows\n\n"
        text += table(["", "µs", "times ours", f"cost after {each.iterations}"], rows) + "\n"
        if missing:
            text += f"\nNot measured: {', '.join(missing)}.\n"
        exact = [cost for name, cost in costs.items() if "float32" not in name]
        text += f"\nLargest difference of the costs in float64: {max(exact) - min(exact):.1e}.\n"
    return text


def roofline(repetitions: int) -> str:
    """How near an iteration is to the machine's limits."""
    rows = []
    for each in problems().values():
        widths = each.recipe.widths
        if shrink.applies(each.recipe):
            widths = (shrink.coordinates(each.recipe), *widths[1:])
        count = 200 if widths[0] > 100 else 2000
        found = interleaved(
            {
                "step": steps(Stack.start([each.recipe]), count),
                "products": products(each.recipe, widths, count),
                "calls": empty_calls(count * calls(len(widths) - 1)),
            },
            repetitions,
        )
        step, dgemm, floor = (median(found[name]) / count for name in ("step", "products", "calls"))
        flops = operations(each.recipe, widths)
        rows.append(
            [
                "-".join(map(str, widths)),
                f"{step * 1e6:.1f}",
                f"{flops / step / 1e9:.2f}",
                f"{flops / dgemm / 1e9:.2f}",
                f"{dgemm / step:.0%}",
                f"{calls(len(widths) - 1)} x {floor / calls(len(widths) - 1) * 1e6:.2f} = {floor * 1e6:.1f}",
                f"{floor / step:.0%}",
            ]
        )
    head = ["network", "step µs", "GFLOP/s", "its products alone", "share of the step", "empty ufunc calls µs", "share"]
    return "## Against the machine\n\n" + table(head, rows)


def _members(recipe: Recipe, K: int) -> list[Recipe]:
    return [replace(recipe, seed=seed) for seed in range(K)]


def _vmapped(each: Problem, K: int) -> Callable[[int], Any]:
    """jax.vmap of the jitted loop over K members' weights and rates, on the rows as ours has them."""
    import jax

    stack = Stack.start(_members(each.recipe, K))
    rows = stack.prepared.sets["train"]
    layers = [(jax.numpy.array(Wb[:, :-1]), jax.numpy.array(Wb[:, -1])) for Wb in stack.layers.Wb]
    X, Y, lr = jax.numpy.array(rows.X1[:, :-1]), jax.numpy.array(rows.Y[0]), jax.numpy.full(K, each.lr)
    loop = jax.jit(jax.vmap(jax_loop(each.activation), in_axes=(0, None, None, 0, None)))
    return lambda iterations: jax.block_until_ready(loop(layers, X, Y, lr, iterations))


def stacked(repetitions: int) -> str:
    """Member-steps of a stack against one at a time and against jax.vmap."""
    rows = []
    for key, each in problems().items():
        for K in (64,) if key == "cats" else (64, 256, 1024):
            count = max(2, int({"xor": 400, "flower": 60, "cats": 8}[key] * 64 / K))
            vmapped = _vmapped(each, K)
            began = time.perf_counter()
            vmapped(1)
            compiling = time.perf_counter() - began
            size = min(K, planning.stack_size(compose(_overrides(key))))
            parts = [Stack.start(_members(each.recipe, size)) for _ in range(K // size)]
            cut = [steps(part, count) for part in parts]
            found = interleaved(
                {
                    "ours": lambda cut=cut: [portion() for portion in cut],
                    "whole": steps(Stack.start(_members(each.recipe, K)), count),
                    "alone": steps(Stack.start([each.recipe]), count),
                    "compiled": quiet_steps(each.recipe, K, count),
                    "vmap": lambda vmapped=vmapped, count=count: vmapped(count),
                },
                repetitions,
            )
            members = {"ours": size * len(parts), "whole": K, "alone": 1, "compiled": K, "vmap": K}
            per = {name: [s / count / members[name] * 1e6 for s in seconds] for name, seconds in found.items()}
            thousand = compiling + 1000 * median(found["vmap"]) / count
            rows.append(
                [
                    each.name,
                    K,
                    f"{median(per['ours']):.3f} (stacks of {size})",
                    f"{median(per['whole']):.3f}",
                    f"{median(per['alone']):.2f}",
                    f"{median(per['compiled']):.3f}",
                    f"{median(per['vmap']):.3f}",
                    f"{ratio(per['ours'], per['vmap']):.2f}",
                    f"{ratio(per['compiled'], per['vmap']):.2f}",
                    f"{1000 * median(found['ours']) / count * K / members['ours']:.2f} s, {thousand:.2f} s",
                ]
            )
    head = [
        "problem",
        "K",
        "ours",
        "all K at once",
        "alone",
        "compiled",
        "jax.vmap",
        "ours / vmap",
        "compiled / vmap",
        "1,000 steps with compiling",
    ]
    return "## Stacks: µs a member-step\n\n" + table(head, rows)


def quiet_steps(recipe: Recipe, K: int, count: int) -> Callable[[], object]:
    """So many updates of K members by kernels, in as many threads as there are cores."""
    stack = kind_of(replace(recipe, engine="compiled")).start(_members(replace(recipe, engine="compiled"), K))
    return lambda: stack.quietly(count, lambda: False)


def _overrides(key: str) -> list[str]:
    cats = ["experiment=course/cats", f"dataset.dir={os.environ.get('CATS_DIR')}"]
    return {"xor": ["experiment=cured/xor"], "flower": ["experiment=course/flower"], "cats": cats}[key]


def thousand(repetitions: int) -> str:
    """1,000 XOR runs: 250 seeds x 4 rates, 1,000 iterations, training only."""
    each = problem("XOR 2-4-1 sigmoid", 1000, "experiment=cured/xor")
    iterations = 1000
    base = each.with_plan(iterations=iterations, log_every=NEVER)
    rates = (0.5, 1.0, 2.0, 4.0)
    jobs = [replace(base, seed=s, optimizer_arguments={"lr": lr}) for s in range(250) for lr in rates]
    size = planning.stack_size(compose(["experiment=cured/xor"]))

    def all_stacked() -> None:
        for start in range(0, len(jobs), size):
            for _ in train(jobs[start : start + size]):
                pass

    def some_alone() -> None:
        for job in jobs[:: len(jobs) // 20]:
            for _ in train([job]):
                pass

    run = plain_numpy(each)

    def some_plain() -> None:
        for _ in range(20):
            run(iterations)

    vmapped = _vmapped(each, len(jobs))
    began = time.perf_counter()
    vmapped(1)
    compiling = time.perf_counter() - began
    portions = {"stacked": all_stacked, "alone": some_alone, "plain": some_plain, "vmap": lambda: vmapped(iterations)}
    found = interleaved(portions, max(3, repetitions // 3))
    whole = {name: [s * (50 if name in ("alone", "plain") else 1) for s in seconds] for name, seconds in found.items()}
    with_compiling = [second + compiling for second in whole["vmap"]]
    rows = [
        [f"stacked, {size} at a time", f"{median(whole['stacked']):.2f}", "1"],
        *(
            [label, f"{median(seconds):.2f}", f"{ratio(seconds, whole['stacked']):.2f}"]
            for label, seconds in (
                ("one at a time (20 of them, times 50)", whole["alone"]),
                ("plain NumPy (20, times 50)", whole["plain"]),
                ("jax.vmap, compiled before", whole["vmap"]),
                ("jax.vmap with its compiling", with_compiling),
            )
        ),
    ]
    return "## A sweep of 1,000 XOR runs, 1,000 iterations each, training only\n\n" + table(
        ["", "s", "times ours"], rows
    )


def statistics_(repetitions: int) -> str:
    """What the rows of the trace cost, 200 of them a run."""
    rows = []
    for key, each in problems().items():
        iterations = 2_500 if key == "cats" else 10_000
        portions = {
            name: lambda every=every, each=each, iterations=iterations: list(
                train([each.with_plan(iterations=iterations, log_every=every)])
            )
            for name, every in (("rows", iterations // 200), ("none", NEVER))
        }
        found = interleaved(portions, max(5, repetitions // 2))
        with_rows, without = median(found["rows"]), median(found["none"])
        share = ratio(found["rows"], found["none"]) - 1
        rows.append([each.name, iterations, f"{without * 1e3:.0f}", f"{with_rows * 1e3:.0f}", f"{share:+.1%}"])
    head = ["problem", "iterations", "without ms", "200 rows ms", "more"]
    return "## Statistics at the default cadence\n\n" + table(head, rows)


def stack_size(repetitions: int) -> str:
    """Time a member-step relative to one at a time, by size of the stack; in bold the size that sweeps choose."""
    shapes = {f"flower 2-{'-'.join(map(str, h))}-1": h for h in ([4], [20], [20, 20], [64], [64, 64])}
    kinds = {
        name: ["dataset=flower", "optimizer=gd", f"architecture.hidden={hidden}"] for name, hidden in shapes.items()
    }
    kinds = {"XOR 2-4-1": _overrides("xor")} | kinds
    if os.environ.get("CATS_DIR"):
        kinds["cats, shrunk"] = _overrides("cats")
    sizes, rows = (1, 2, 4, 8, 16, 32, 64, 256, 1024), []
    for name, overrides in kinds.items():
        made = compose(overrides)
        chosen = planning.stack_size(made)
        tried = sorted({size for size in sizes if size <= 20 * chosen} | {chosen})
        portions = {K: Stack.start(_members(made.recipe, K)) for K in tried}
        count = {K: max(2, 400 // (K * (1 if "XOR" in name else 4))) for K in tried}
        found = interleaved({str(K): steps(stack, count[K]) for K, stack in portions.items()}, repetitions)
        per = {K: [second / count[K] / K for second in found[str(K)]] for K in tried}
        cells = [f"{K}: {ratio(per[K], per[1]):.2f}" for K in tried]
        rows.append([name, ", ".join(f"**{c}**" if chosen == K else c for K, c in zip(tried, cells, strict=True))])
    return "## Stack size: time a member-step, one at a time = 1\n\n" + table(["network", "members: time"], rows)


def scaling(repetitions: int) -> str:
    """Time an iteration against rows, width, depth and members."""

    def recipe(n: int = 400, hidden: Sequence[int] = (20,)) -> Recipe:
        names = [f"dataset.n={n}", f"architecture.hidden={list(hidden)}", "optimizer=gd", "dataset=flower"]
        return compose(names).recipe

    grids: dict[str, dict[int, list[Recipe]]] = {
        "n (2-20-1)": {n: [recipe(n)] for n in (10, 30, 100, 300, 1000, 3000, 10000)},
        "width (2-h-h-1, n = 400)": {h: [recipe(400, [h, h])] for h in (1, 3, 10, 30, 100, 300, 1000)},
        "depth (20 wide, n = 400)": {d: [recipe(400, [20] * d)] for d in (1, 3, 10, 30, 100)},
        "K (XOR 2-4-1)": {K: _members(compose(_overrides("xor")).recipe, K) for K in (1, 3, 10, 30, 100, 300, 1000)},
    }
    text = "## Cost against work: µs an iteration\n"
    for name, grid in grids.items():
        portions, count = {}, {}
        for value, recipes in grid.items():
            stack = Stack.start(recipes)
            began = time.perf_counter()
            steps(stack, 2)()
            count[value] = max(1, int(0.02 / ((time.perf_counter() - began) / 2)))
            portions[str(value)] = steps(stack, count[value])
        found = interleaved(portions, max(3, repetitions // 2))
        times = {value: median(found[str(value)]) / count[value] * 1e6 for value in grid}
        values = list(grid)
        slopes = [
            np.log(times[b] / times[a]) / np.log(b / a) for a, b in pairwise(values)
        ]  # of the curve in a double logarithmic plot: 1 is linear
        rows = [
            [value, f"{times[value]:.1f}", "" if index == 0 else f"{slopes[index - 1]:.2f}"]
            for index, value in enumerate(values)
        ]
        text += f"\n### {name}\n\n" + table([name.split()[0], "µs", "exponent since the one above"], rows) + "\n"
    return text


def process(repetitions: int) -> str:
    """From the command to the printed result: start, import, compile, 10,000 iterations of XOR, print."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found: dict[str, list[float]] = {}
    printed: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for repetition in range(max(3, repetitions // 3) + 1):
            for name, command in SCRIPTS.items():
                began = time.perf_counter()
                done = subprocess.run(
                    [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
                )
                second = time.perf_counter() - began
                if done.returncode:
                    printed[name] = f"failed: {done.stderr.strip().splitlines()[-1][:80]}"
                    continue
                printed[name] = next((line for line in done.stdout.splitlines() if "cost" in line), "")[:70].strip()
                if repetition:  # the first one warms the file cache
                    found.setdefault(name, []).append(second)
    rows = [
        [name, f"{median(seconds):.2f}", f"{ratio(seconds, found['runner']):.2f}", printed[name]]
        for name, seconds in found.items()
    ]
    rows += [[name, "", "", text] for name, text in printed.items() if name not in found]
    title = "## A whole process: XOR, 10,000 iterations, to the printed result\n\n"
    return title + table(["", "s", "times ours", "prints"], rows)


PARTS: dict[str, Callable[[int], str]] = {
    "iteration": iteration,
    "roofline": roofline,
    "stacked": stacked,
    "thousand": thousand,
    "statistics": statistics_,
    "stack_size": stack_size,
    "scaling": scaling,
    "process": process,
    "streaming": streaming,
}
