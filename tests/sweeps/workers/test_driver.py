"""Sweeps on many workers: the same bits as in one process, and a worker that dies costs its stack another try."""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets import Dataset
from runner.experiment.build import compose_with
from runner.experiment.compose import Composer
from runner.sweeps import duration, planning
from runner.sweeps.jobs import Job, Stop
from runner.sweeps.jobs import run as run_serially
from runner.sweeps.planning import stacks
from runner.sweeps.workers import driver as executor
from runner.sweeps.workers.driver import ATTEMPTS
from runner.sweeps.workers.processes import Processes, how
from runner.sweeps.workers.worker import CrewError, Died, Message, Order, Ready, Said, carry_out
from tests.swept import ROOT, children, nothing_left, rows, same, start, sweep, with_deadly_init


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


def jobs(composer: Composer, folder: Path, *overrides: str) -> list[Job]:
    return [
        Job(compose_with(composer, job), folder / str(number), " ".join(job))
        for number, job in enumerate(composer.expand(overrides))
    ]


class Mortal:
    """A worker in this process; it dies as soon as it is given a job with one of the fatal seeds."""

    def __init__(self, crew: "Mortals"):
        self.crew, self.said, self.stopped = crew, iter([Ready()]), False

    def give(self, order: Order, dataset: Dataset) -> None:
        seeds = [config["seed"] for config in order.configs]
        self.crew.orders.append(seeds)
        self.said = self._work(order, dataset, bool(self.crew.fatal & set(seeds)))

    def _work(self, order: Order, dataset: Dataset, dies: bool) -> Iterator[Message]:
        for message in carry_out(order, dataset, lambda: self.stopped):
            yield message
            if dies and isinstance(message, Said):  # having said the half of it
                yield Died("its process died: of old age")

    def stop(self) -> None:
        self.stopped = True


class Mortals:
    size = 2

    def __init__(self, *fatal: int):
        self.fatal, self.orders, self.closed = set(fatal), [], False

    def hire(self) -> Mortal:
        return Mortal(self)

    def hear(self, workers: Sequence[Mortal], seconds: float) -> list[tuple[Mortal, Message]]:
        return [(worker, message) for worker in workers if (message := next(worker.said, None))]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def halting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers say every event by itself, so that a death comes in the middle of what is said."""
    monkeypatch.setattr("runner.sweeps.workers.worker.EVERY", 0.0)


@pytest.mark.usefixtures("halting")
def test_what_kills_its_worker_is_found_and_the_others_finish(composer: Composer, tmp_path: Path) -> None:
    overrides = ("dataset=xor", "seed=range(12)", "training.iterations=40")
    serial = run_serially(jobs(composer, tmp_path / "serial", *overrides))
    crew = Mortals(3, 7)
    made = jobs(composer, tmp_path / "made", *overrides)
    results = executor.run(made, stacks([job.experiment for job in made], 2), crew)
    assert [number for number, result in enumerate(results) if result.status == "error"] == [3, 7]
    for number, (ours, expected) in enumerate(zip(results, serial, strict=True)):
        if number in (3, 7):
            assert ours.error is not None
            assert "its process died: of old age" in ours.error
        else:
            assert rows(ours.directory) == rows(expected.directory)  # each row once
    assert crew.orders.count([3]) <= ATTEMPTS
    assert crew.closed


@pytest.mark.usefixtures("halting")
@given(st.sets(st.integers(0, 8)), st.integers(1, 4))
def test_every_job_ends_once_whoever_dies(composer: Composer, fatal: set[int], size: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        made = jobs(composer, Path(folder), "dataset=xor", "seed=range(9)", "training.iterations=3")
        crew = Mortals(*fatal)
        crew.size = size
        results = executor.run(made, stacks([job.experiment for job in made], size), crew)
        assert {number for number, result in enumerate(results) if result.status == "error"} == fatal
        assert {result.status for result in results} <= {"error", "finished"}


def test_an_interrupt_ends_those_running_and_begins_no_more(composer: Composer, tmp_path: Path) -> None:
    stop = Stop()

    def after_a_row(record: Any) -> None:
        stop.asked = True

    made = jobs(composer, tmp_path, "dataset=xor", "optimizer=gd,adam,momentum,adagrad", "training.iterations=2000000")
    crew = Processes(2)
    results = executor.run(made, [[0], [1], [2], [3]], crew, progress=after_a_row, stop=stop)
    assert 1 <= len(results) <= 2  # the second worker may not have begun when the first tells of a row
    assert {result.status for result in results} == {"interrupted"}
    assert all((result.directory / "checkpoint.npz").exists() for result in results)


def test_what_raises_in_a_stack_is_found_by_training_each_alone(composer: Composer, tmp_path: Path) -> None:
    made = jobs(composer, tmp_path, "dataset=xor", "seed=range(3)", "training.iterations=20")
    broken = made[1].experiment
    made[1] = Job(
        type(broken)(**{**vars(broken), "config": {**broken.config, "dtype": "float33"}}), made[1].directory, "broken"
    )
    results = executor.run(made, [[0, 1, 2]], Processes(1))
    assert [result.status for result in results] == ["finished", "error", "finished"]
    assert results[1].error is not None
    assert "ConfigError" in results[1].error


@pytest.mark.usefixtures("halting")
def test_fail_fast_stops_at_the_first_that_fails(composer: Composer, tmp_path: Path) -> None:
    made = jobs(composer, tmp_path, "dataset=xor", "seed=range(6)", "training.iterations=10")
    crew = Mortals(0)
    crew.size = 1
    results = executor.run(made, [[number] for number in range(6)], crew, fail_fast=True)
    assert [result.status for result in results] == ["error"]


def test_where_no_worker_lives_the_sweep_says_so(composer: Composer, tmp_path: Path) -> None:
    class Stillborn(Mortals):
        def hear(self, workers: Sequence[Mortal], seconds: float) -> list[tuple[Mortal, Message]]:
            return [(worker, Died("its process died: exit code 1")) for worker in workers]

    with pytest.raises(CrewError, match=r"No worker can be started: its process died: exit code 1\."):
        executor.run(jobs(composer, tmp_path, "dataset=xor", "seed=1,2"), [[0], [1]], Stillborn())
    assert not any(tmp_path.iterdir())


def test_a_crew_with_a_worker_alive_is_not_given_up_though_no_other_starts(composer: Composer, tmp_path: Path) -> None:
    class OneOf(Mortals):
        hired: list[Mortal]

        def hire(self) -> Mortal:
            self.hired = [*getattr(self, "hired", []), Mortal(self)]
            return self.hired[-1]

        def hear(self, workers: Sequence[Mortal], seconds: float) -> list[tuple[Mortal, Message]]:
            dead = [(worker, Died("signal 9")) for worker in workers if worker is not self.hired[0]]
            return [*dead, *super().hear([worker for worker in workers if worker is self.hired[0]], seconds)]

    made = jobs(composer, tmp_path, "dataset=xor", "seed=range(6)", "training.iterations=20")
    results = executor.run(made, [[number] for number in range(6)], OneOf())
    assert [result.status for result in results] == ["finished"] * 6


def planned(composer: Composer, *overrides: str) -> planning.Plan:
    return planning.plan([compose_with(composer, job) for job in composer.expand(overrides)], cores=4)


def test_a_short_sweep_stays_in_this_process_and_a_long_one_does_not(composer: Composer) -> None:
    short, long = ("training.iterations=50", "training.iterations=20000")
    assert planned(composer, "dataset=flower", "seed=range(8)", short).backend == "serial"
    plan = planned(composer, "dataset=flower", "seed=range(80)", long)
    assert (plan.backend, plan.workers) == ("loky", 4)
    assert planned(composer, "dataset=flower", "seed=range(80)", long, "sweep.workers=1").backend == "serial"
    assert planned(composer, "dataset=flower", "seed=range(80)", long, "sweep.backend=serial").backend == "serial"
    assert planned(composer, "dataset=flower", "seed=range(8)", short, "sweep.workers=3").workers == 3
    assert planned(composer, "dataset=flower", "seed=range(8)", short, "sweep.backend=loky").workers == 4


@given(st.integers(1, 300), st.integers(1, 9), st.integers(1, 33))
def test_each_worker_has_a_stack_and_none_is_mostly_overhead(members: int, groups: int, workers: int) -> None:
    recipe = compose_with(Composer(), ["dataset=flower"]).recipe
    size = duration.portion(recipe, members, groups, workers)
    assert 1 <= size <= members
    assert groups * -(-members // size) >= min(workers, groups * members) / 2  # rounding, at worst
    if members > 16 * workers:
        assert size * duration.member_step(recipe) > duration.stack_step(recipe)


def test_how_a_process_ended_is_said_in_words() -> None:
    assert how(-9) == "signal 9 (SIGKILL)"
    assert how(0) == "exit code 0"


SWEEP = ("dataset=flower", "seed=range(24)", "init=normal,he_normal", "training.iterations=300", "tracking=none")


def test_a_sweep_on_two_processes_has_the_bits_of_one_in_one(tmp_path: Path) -> None:
    more = (*SWEEP, "optimizer.lr=0.01,1e3", "training.checkpoint_every=100", "training.patience=200")
    serial = sweep(tmp_path / "serial", *more, "sweep.backend=serial")
    ours = sweep(tmp_path / "ours", *more, "sweep.backend=loky", "sweep.workers=2")
    assert serial.returncode == ours.returncode == 0, ours.stderr
    assert "in this process" in serial.stdout
    assert "by 2 processes (sweep.backend=loky)" in ours.stdout
    assert ours.stderr == ""
    assert same(tmp_path / "ours", tmp_path / "serial") == 96


def test_a_job_that_ends_its_process_is_an_error_and_the_others_finish(tmp_path: Path) -> None:
    root = with_deadly_init(tmp_path / "checkout")
    words = ("dataset=xor", "seed=range(5)", "training.iterations=50", "tracking=none", "sweep.workers=2")
    done = sweep(tmp_path / "work", *words, "init=normal,deadly,he_normal", "sweep.backend=loky", root=root)
    assert done.returncode == 1, done.stderr
    summaries = [json.loads(path.read_text()) for path in tmp_path.glob("work/multirun/*/*/*/summary.json")]
    for summary in summaries:
        assert summary["status"] == ("error" if "deadly" in summary["name"] else "finished")
    assert len(summaries) == 15
    assert sum("its process died: exit code 3" in (summary["error"] or "") for summary in summaries) == 5
    assert "its process died: exit code 3" in done.stdout


def test_a_network_of_ones_own_that_ends_its_process_is_an_error_alone(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    for name in ("exits.py", "tiny.py"):
        shutil.copy(ROOT / "tests" / "training" / "own" / "networks" / name, folder)
    own = ("architecture=own", "architecture.network=exits:Exits", "+architecture.arguments.on_seed=2")
    words = ("dataset=xor", "seed=range(6)", "training.iterations=200", "tracking=none")
    done = sweep(folder, *words, *own, "sweep.backend=loky", "sweep.workers=2")
    assert done.returncode == 1, done.stdout + done.stderr
    summaries = [json.loads(path.read_text()) for path in tmp_path.glob("work/multirun/*/*/*/summary.json")]
    ended = {summary["seed"]: summary["status"] for summary in summaries if "seed" in summary}
    assert ended == {seed: "error" if seed == 2 else "finished" for seed in range(6)}
    assert "its process died: exit code 3" in done.stdout


def test_ctrl_c_ends_a_sweep_as_interrupted_and_leaves_no_process(tmp_path: Path) -> None:
    words = ("dataset=xor", "optimizer=gd,adam,momentum", "training.iterations=2000000", "tracking=none")
    process = start(tmp_path / "work", *words, "sweep.backend=loky", "sweep.workers=2")
    while len(list(tmp_path.glob("work/multirun/*/*/*/journal.jsonl"))) < 2:
        time.sleep(0.2)
        assert process.poll() is None
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    ended = [json.loads(path.read_text())["status"] for path in tmp_path.glob("work/multirun/*/*/*/summary.json")]
    assert ended == ["interrupted"] * 2
    assert nothing_left(process.pid)


def test_workers_go_when_the_driver_is_killed(tmp_path: Path) -> None:
    words = ("dataset=xor", "optimizer=gd,adam", "training.iterations=2000000", "tracking=none")
    process = start(tmp_path / "work", *words, "sweep.backend=loky", "sweep.workers=2")
    while len(list(tmp_path.glob("work/multirun/*/*/*/journal.jsonl"))) < 2:
        time.sleep(0.2)
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert nothing_left(process.pid)


def test_an_unknown_backend_is_named_with_those_there_are(tmp_path: Path) -> None:
    done = sweep(tmp_path / "work", "dataset=xor", "seed=1,2", "sweep.backend=lokey")
    assert done.returncode == 2
    assert "sweep.backend must be one of 'auto', 'serial', 'loky', 'ray'. Got 'lokey'." in done.stderr
    assert "Did you mean 'loky'?" in done.stderr
    assert list((tmp_path / "work").iterdir()) == []


def test_a_dry_run_says_who_would_train(tmp_path: Path) -> None:
    done = sweep(tmp_path / "work", *SWEEP, "sweep.backend=loky", "sweep.workers=2", "sweep.dry_run=true")
    assert done.returncode == 0, done.stderr
    assert "by 2 processes (sweep.backend=loky)" in done.stdout
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.slow
def test_workers_killed_at_random_moments_cost_nothing_but_time(tmp_path: Path) -> None:
    """Ten kills of a worker in mid-sweep: every job ends, none twice, all with the bits of a serial sweep."""
    words = ("dataset=flower", "seed=range(150)", "training.iterations=12000", "tracking=none")
    process = start(tmp_path / "ours", *words, "sweep.backend=loky", "sweep.workers=2")
    kills = written = 0
    while kills < 10 and process.poll() is None:
        time.sleep(random.uniform(0.1, 1.0))
        workers = children(process.pid, "popen_loky_posix")
        now = sum(path.stat().st_size for path in tmp_path.glob("ours/multirun/*/*/*/journal.jsonl"))
        if workers and now > written:  # one has worked since: without that it would be no sweep, but a siege
            os.kill(random.choice(workers), signal.SIGKILL)
            kills, written = kills + 1, now
    out, errors = process.communicate(timeout=600)
    assert kills == 10
    assert process.returncode == 0, out + errors
    assert sweep(tmp_path / "serial", *words, "sweep.backend=serial").returncode == 0
    assert same(tmp_path / "ours", tmp_path / "serial") == 150
    assert nothing_left(process.pid)
