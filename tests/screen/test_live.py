"""What moves on a terminal: a line for a run, a table for a sweep, nothing where there is no terminal."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.experiment.build import compose_with
from runner.experiment.compose import Composer
from runner.runs.record import Record
from runner.screen.live import Standing
from tests.commands import quick

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


def record(composer: Composer, folder: Path, seed: int, step: int, cost: float) -> Record:
    experiment = compose_with(composer, ["dataset=xor", f"seed={seed}", "training.iterations=100", "tracking=none"])
    made = Record.create(experiment, folder / str(seed), f"seed={seed}", {})
    made.result.step, made.result.last["train/cost"] = step, cost
    return made


def test_a_sweep_stands_as_its_runs_do(composer: Composer, tmp_path: Path) -> None:
    standing = Standing(4)
    runs = [record(composer, tmp_path, seed, 50, cost) for seed, cost in enumerate((0.3, 0.2, 0.1))]
    for run in runs:
        standing.take(run)
    assert standing.words() == "0 of 4 done, best train/cost 0.1 (seed=2)"
    assert standing.left is not None
    for run, status in zip(runs, ("finished", "finished", "diverged"), strict=True):
        run.result.status = status
        standing.take(run)
    assert standing.words() == "3 of 4 done, best train/cost 0.2 (seed=1), 1 diverged"


def test_what_is_left_is_what_the_rest_takes_at_the_rate_so_far(composer: Composer, tmp_path: Path) -> None:
    standing = Standing(2)
    assert standing.left is None
    standing.began = time.monotonic() - 10
    standing.take(record(composer, tmp_path, 0, 50, 0.5))  # a quarter of the whole in 10 s
    assert standing.left == pytest.approx(30, rel=0.01)


def seen(folder: Path, *arguments: str) -> str:
    """What a terminal of 80 columns gets of a command, less its colours and movements."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", *quick(*arguments, "tracking=none")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "LINES": "40", "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
    )
    os.close(theirs)
    text = b""
    while select.select([ours], [], [], 120)[0]:
        try:
            text += os.read(ours, 65536)
        except OSError:  # the terminal is closed at the other end
            break
    assert process.wait(timeout=60) == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode())


def test_a_terminal_sees_the_table_of_a_sweep_and_then_the_leaderboard(tmp_path: Path) -> None:
    words = seen(tmp_path, "-m", "dataset=xor", "seed=range(30)", "training.iterations=30000", "training.log_every=100")
    assert re.search(r"done +best train/cost +of +diverged +error +time left", words)
    assert "0 of 30" in words
    assert words.index("0 of 30") < words.index("setting")


def test_a_terminal_sees_the_line_of_a_run_and_a_pipe_does_not(tmp_path: Path) -> None:
    run = ("dataset=xor", "training.iterations=60000", "training.log_every=50")
    assert re.search(r"cost [\d.e-]+  accuracy [\d.]+  gradient [\d.e-]+ +0:0", seen(tmp_path, *run))
    assert "accuracy 0" not in seen(tmp_path, *run, "progress=false").replace("train/accuracy", "")
    piped = subprocess.run(
        [sys.executable, "-m", "runner", *quick(*run, "tracking=none")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert piped.stderr == ""
    assert "\x1b" not in piped.stdout
