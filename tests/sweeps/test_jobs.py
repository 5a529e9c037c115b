"""Sweeps: stacked yet as if alone, one failure stops no other, what is done is not done again."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from runner import load
from runner.experiment.build import compose_with
from runner.experiment.compose import Composer
from runner.experiment.experiment import Experiment
from runner.nn.losses import Head
from runner.runs import journal
from runner.runs.index import Index
from runner.runs.record import Record
from runner.runs.result import Result
from runner.sweeps import jobs as sweep
from runner.sweeps import planning
from runner.sweeps.leaderboard import fold, ranked
from runner.tracking.store import Store
from tests.commands import quick
from tests.stores import new_store

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


def jobs(composer: Composer, folder: Path, *overrides: str) -> list[sweep.Job]:
    return [
        sweep.Job(compose_with(composer, job), folder / str(number), " ".join(job))
        for number, job in enumerate(composer.expand(overrides))
    ]


def rows(directory: Path) -> list[tuple[int, dict]]:
    return [(line["step"], line["values"]) for line, _ in journal.read(directory) if line["kind"] == "row"]


def test_jobs_that_differ_in_numbers_only_share_a_stack(composer: Composer, tmp_path: Path) -> None:
    made = jobs(composer, tmp_path, "dataset=xor", "optimizer=gd,adam", "seed=range(5)", "init=zeros,normal")
    stacks = planning.stacks([job.experiment for job in made])
    assert sorted(len(stack) for stack in stacks) == [10, 10]
    assert sorted(number for stack in stacks for number in stack) == list(range(20))


def test_a_large_network_is_not_stacked(composer: Composer) -> None:
    small, large = (
        compose_with(composer, ["dataset=flower", f"architecture.hidden={hidden}"]) for hidden in ("[4]", "[512,512]")
    )
    assert planning.stack_size(small) > 1
    assert planning.stack_size(large) == 1


def test_the_records_of_a_sweep_are_those_of_each_job_alone(composer: Composer, tmp_path: Path) -> None:
    overrides = ("dataset=xor", "init=normal,he_normal", "optimizer.lr=0.01,1e3", "seed=range(2)", "optimizer=gd")
    together = sweep.run(jobs(composer, tmp_path / "together", *overrides))
    for job, result in zip(jobs(composer, tmp_path / "alone", *overrides), together, strict=True):
        (alone,) = sweep.run([job])
        assert alone.status == result.status
        one, other = load(alone.directory), load(result.directory)
        assert one.values.keys() == other.values.keys()
        for key, column in one.values.items():
            np.testing.assert_array_equal(column, other[key], err_msg=key)
        for (W, b), (W2, b2) in zip(one.weights, other.weights, strict=True):
            np.testing.assert_array_equal(W, W2)
            np.testing.assert_array_equal(b, b2)


def broken(experiment: Experiment, step: int) -> Experiment:
    """An experiment whose loss raises when it has been computed so many times in a stack that this one is part of."""
    import dataclasses

    calls = 0
    head = experiment.recipe.head

    def cost(*arguments: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls > step:
            raise ZeroDivisionError("in the user's own loss")
        return head.cost(*arguments)

    recipe = dataclasses.replace(experiment.recipe, head=Head(head.output, cost, head.dZ))
    return dataclasses.replace(experiment, recipe=recipe)


def test_a_job_that_raises_stops_no_other_and_doubles_no_row(composer: Composer, tmp_path: Path) -> None:
    made = jobs(composer, tmp_path, "dataset=xor", "seed=range(4)", "training.iterations=100")
    whole = sweep.run(jobs(composer, tmp_path / "whole", "dataset=xor", "seed=range(4)", "training.iterations=100"))
    # The first of a stack lends it its loss: the stack fails, and each member is trained alone.
    made[0] = sweep.Job(broken(made[0].experiment, step=5), made[0].directory, made[0].name)
    results = sweep.run(made)
    assert [result.status for result in results] == ["error", "finished", "finished", "finished"]
    assert results[0].error is not None
    assert "ZeroDivisionError: in the user's own loss" in results[0].error
    assert "ZeroDivisionError" in journal.last(results[0].directory)["tags"]["error"]  # type: ignore[index]
    for result, expected in zip(results[1:], whole[1:], strict=True):
        assert rows(result.directory) == rows(expected.directory)


def test_fail_fast_stops_at_the_first_that_diverges(composer: Composer, tmp_path: Path) -> None:
    overrides = ("experiment=posts/xor", "training.log_every=5", "fault=none,flipped_sign", "seed=range(3)")
    results = sweep.run(jobs(composer, tmp_path / "all", *overrides))
    assert [result.status for result in results] == ["finished"] * 3 + ["diverged"] * 3
    made = list(reversed(jobs(composer, tmp_path / "fast", *overrides)))
    fast = sweep.run(made, fail_fast=True)
    assert len(fast) == 3
    assert "diverged" in [result.status for result in fast]


def test_an_interrupt_ends_those_running_and_begins_no_more(composer: Composer, tmp_path: Path) -> None:
    stop = sweep.Stop()

    def after_a_row(record: Record) -> None:
        stop.asked = True

    made = jobs(composer, tmp_path, "dataset=xor", "optimizer=gd,adam", "seed=range(3)")
    results = sweep.run(made, progress=after_a_row, stop=stop)
    assert [result.status for result in results] == ["interrupted"] * 3
    assert all((result.directory / "checkpoint.npz").exists() for result in results)


def result(composer: Composer, cost: float, seed: int, status: str = "finished") -> Result:
    experiment = compose_with(composer, ["dataset=xor", f"seed={seed}"])
    return Result(experiment, Path(), f"lr=1 seed={seed}", status, last={"train/cost": cost})  # type: ignore[arg-type]


def test_the_leaderboard_puts_the_best_first_and_failures_last(composer: Composer) -> None:
    runs = [
        result(composer, 0.5, 0),
        result(composer, 0.1, 1),
        result(composer, 0.01, 2, "diverged"),
        result(composer, np.nan, 3),
    ]
    assert [run.name for run in ranked(runs)] == [f"lr=1 seed={seed}" for seed in (1, 0, 2, 3)]


def test_seeds_are_folded_to_median_and_quartiles(composer: Composer) -> None:
    (folded,) = fold([result(composer, cost, seed) for seed, cost in enumerate([0.4, 0.1, 0.2, 0.3, 0.5])])
    assert folded.name == "lr=1"
    assert folded.n == 5
    assert folded.quartiles == pytest.approx((0.2, 0.3, 0.4))


def test_the_index_knows_what_came_to_a_deterministic_end(composer: Composer, tmp_path: Path) -> None:
    index = Index(tmp_path / "runs.jsonl")
    made = jobs(composer, tmp_path, "dataset=xor", "seed=range(3)", "training.iterations=5")
    keys = [job.experiment.key() for job in made]
    for key, done in zip(keys, sweep.run(made), strict=True):
        index.add(key, done.directory)
    with (tmp_path / "runs.jsonl").open("a") as file:
        file.write('{"key": "torn')
    shutil.rmtree(made[1].directory)
    path = made[2].directory / journal.FILE
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))  # killed before its end
    assert index.ended(set(keys)) == {keys[0]: made[0].directory}
    assert index.ended(set()) == {}


def command(folder: Path, *arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runner", "-m", "tracking=none", *quick(*arguments)],  # the last of two counts
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(root), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def table_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


SWEEP = ("dataset=xor", "init=normal,he_normal", "seed=range(4)", "training.iterations=50")


def test_what_is_done_is_skipped_and_shown(tmp_path: Path) -> None:
    first = command(tmp_path, *SWEEP)
    assert first.returncode == 0, first.stderr
    assert "8 runs in multirun" in first.stdout
    again = command(tmp_path, *SWEEP)
    assert again.returncode == 0
    assert "0 runs in multirun" in again.stdout
    assert "8 of 8 done before and skipped" in again.stdout
    assert "init=he_normal" in again.stdout
    more = command(tmp_path, *SWEEP[:2], "seed=range(5)", SWEEP[3])
    assert "2 runs in multirun" in more.stdout
    forced = command(tmp_path, *SWEEP, "sweep.skip_done=false")
    assert "8 runs in multirun" in forced.stdout


def test_a_run_that_is_skipped_stands_in_both_sweeps(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    uri = new_store(tmp_path_factory, tmp_path)
    for seeds in ("range(4)", "range(6)"):
        made = command(tmp_path, *SWEEP[:1], f"seed={seeds}", SWEEP[3], "tracking=mlflow", f"tracking.uri={uri}")
        assert made.returncode == 0, made.stderr
    (sweep,) = re.findall(r"sweeps%20LIKE%20%27%25(\w+)%25%27", made.stdout)
    client = Store(uri).client
    found = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    own = [run for run in found if run.data.tags.get("sweep") == sweep]
    shown = [run for run in found if sweep in run.data.tags.get("sweeps", "").split()]
    assert (len(own), len(shown)) == (2, 6)
    page = made.stdout.split("parallel coordinates of them: ")[1].split()[0]
    assert all(run.info.run_id in (tmp_path / page).read_text() for run in shown)


def test_jobs_asked_for_twice_run_once_and_are_shown_twice(tmp_path: Path) -> None:
    done = command(tmp_path, "dataset=xor", "optimizer.lr=0.1,0.1,0.2", "training.iterations=5")
    assert "2 runs in multirun" in done.stdout
    assert "1 asked for twice" in done.stdout
    (table,) = tmp_path.rglob("leaderboard.csv")
    assert len(table_of(table)) == 3


def test_a_dry_run_says_what_would_be_done_and_does_nothing(tmp_path: Path) -> None:
    done = command(tmp_path, *SWEEP, "sweep.dry_run=true")
    assert done.returncode == 0, done.stderr
    assert "a stack of 8" in done.stdout
    assert "Nothing was run" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_changed_data_runs_the_jobs_on_it_again_and_no_others(tmp_path: Path) -> None:
    for name in ("a", "b"):
        np.savez(tmp_path / f"{name}.npz", X=np.eye(4), y=np.array([0, 1, 0, 1]))
    sweep_over = ("dataset=npz", f"dataset.path={tmp_path}/a.npz,{tmp_path}/b.npz", "seed=range(3)")
    assert "6 runs in" in command(tmp_path, *sweep_over, "training.iterations=5").stdout
    np.savez(tmp_path / "b.npz", X=np.eye(4) * 2, y=np.array([0, 1, 0, 1]))
    again = command(tmp_path, *sweep_over, "training.iterations=5")
    assert "3 runs in" in again.stdout
    assert "3 of 6 done before" in again.stdout


def test_changed_code_that_computes_results_runs_all_again(tmp_path: Path) -> None:
    copy = tmp_path / "checkout"
    for folder in ("runner", "datasets", "conf", "hydra_plugins"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    work = tmp_path / "work"
    work.mkdir()
    assert "8 runs in" in command(work, *SWEEP, root=copy).stdout
    with (copy / "runner" / "screen.py").open("a") as file:
        file.write("\n# what people see computes nothing\n")
    assert "0 runs in" in command(work, *SWEEP, root=copy).stdout
    with (copy / "runner" / "nn" / "optimizers.py").open("a") as file:
        file.write("\n# a change\n")
    assert "8 runs in" in command(work, *SWEEP, root=copy).stdout


def test_the_leaderboard_is_a_table_of_what_was_varied_and_what_came_out(tmp_path: Path) -> None:
    command(tmp_path, *SWEEP)
    (table,) = tmp_path.rglob("leaderboard.csv")
    lines = table_of(table)
    assert len(lines) == 8
    assert {"rank", "run", "status", "init.name", "seed", "train/cost", "train/accuracy"} <= set(lines[0])
    assert [int(line["rank"]) for line in lines] == list(range(1, 9))
    costs = [float(line["train/cost"]) for line in lines]
    assert costs == sorted(costs)
    (settings,) = tmp_path.rglob("leaderboard_by_setting.csv")
    assert [int(line["runs"]) for line in table_of(settings)] == [4, 4]


@pytest.mark.slow
def test_a_killed_sweep_run_again_repeats_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """`kill -9` at ten random moments, the same command again each time, then to its end."""
    rng = np.random.default_rng(int.from_bytes(os.urandom(4), "little"))
    arguments = [sys.executable, "-m", "runner", "-m", "dataset=xor", "architecture.hidden=[4],[5],[6],[7]"]
    arguments += ["seed=range(10)", "optimizer=gd,adam", "training.iterations=400", "tracking=none"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(10):
        process = subprocess.Popen(arguments, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
        time.sleep(float(rng.uniform(0.5, 4)))
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ended: dict[str, int] = {}
    for path in tmp_path.glob("multirun/*/*/*/journal.jsonl"):
        start = journal.first(path.parent)
        if journal.status(path.parent) == "finished" and "key" in start["tags"]:
            ended[start["tags"]["key"]] = ended.get(start["tags"]["key"], 0) + 1
            steps = [step for step, _ in rows(path.parent)]
            assert steps == sorted(set(steps))
            assert steps[-1] == 400
            assert json.loads((path.parent / "summary.json").read_text())["status"] == "finished"
    assert len(ended) == 80
    assert set(ended.values()) == {1}, "a job that had ended was run again"


def test_a_stack_is_as_large_as_pays_and_one_where_a_single_network_fills_it(
    composer: Composer, data_files: dict[str, list[str]]
) -> None:
    def size(*overrides: str) -> int:
        return planning.stack_size(compose_with(composer, overrides))

    flower = ["dataset=flower", "optimizer=gd"]
    sizes = [size(*flower, f"architecture.hidden={hidden}") for hidden in ([4], [20], [64], [64, 64])]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 30 > sizes[1] > 5
    assert sizes[-1] == 1
    assert size("dataset=xor") == planning.MOST
    cats = ["experiment=course/cats", *data_files["cats"], "architecture.hidden=[200]"]
    assert size(*cats) > size(*cats, "training.shrink=false")  # 28 rows of 48 features
