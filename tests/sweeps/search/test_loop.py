"""Searches from the command line: trials are runs of a sweep, a killed search goes on, the store has it all."""

import json
import math
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from runner import load
from runner.experiment.schema import ConfigError
from runner.runs import journal
from runner.sweeps.search.ledger import Ledger, Trial
from runner.sweeps.search.loop import best
from tests.commands import quick

ROOT = Path(__file__).resolve().parents[3]
XOR = ("dataset=xor", "optimizer=gd", "training.iterations=100")
LR = "optimizer.lr=tag(log,interval(1e-3,10))"


def arguments(*overrides: str) -> list[str]:
    return [sys.executable, "-m", "runner", *quick(*overrides)]


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}


def command(folder: Path, *overrides: str, tracking: str | None = "tracking=none") -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        arguments(*overrides, *filter(None, [tracking])),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )


def told(folder: Path) -> list[tuple]:
    """(number, what was drawn, status, objectives) of all trials in a folder's search.db."""
    query = "SELECT number, drawn, status, objectives FROM trials ORDER BY number"
    return sqlite3.connect(folder / "search.db").execute(query).fetchall()


def runs(folder: Path) -> list[Path]:
    """The directories of the trials that have begun."""
    found = [path.parent for path in folder.glob("multirun/*/*/*/journal.jsonl")]
    return [path for path in found if path.name != "summary"]


def test_every_trial_is_an_ordinary_run_and_the_best_is_said(tmp_path: Path) -> None:
    done = command(
        tmp_path, "-m", "search=tpe", "search.trials=20", "search.batch=8", *XOR, LR, "init=normal,he_normal"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert [line.split(",")[0] for line in done.stdout.splitlines()[1:4]] == ["8 of 20", "16 of 20", "20 of 20"]
    made = told(tmp_path)
    assert len(made) == len(runs(tmp_path)) == 20
    least = min(made, key=lambda trial: json.loads(trial[3])[0])
    (again,) = re.findall("^the best again: python -m runner (.*)$", done.stdout, re.MULTILINE)
    assert f"optimizer.lr={json.loads(least[1])['optimizer.lr']!r}" in again
    (directory,) = [path for path in runs(tmp_path) if path.name == str(least[0])]
    # The command that is shown makes the same run again, to the bit.
    assert command(tmp_path / "again", *again.split()).returncode == 0
    (alone,) = (tmp_path / "again").glob("outputs/*/*")
    np.testing.assert_array_equal(load(alone)["train/cost"], load(directory)["train/cost"])
    start = journal.first(directory)
    assert start["tags"]["search"] == "tpe"
    assert start["tags"]["trial"] == str(least[0])
    assert start["name"].startswith("lr=")
    assert "dataset" not in start["name"]


def test_without_m_it_is_a_search_too_and_trials_of_one_shape_share_a_stack(tmp_path: Path) -> None:
    hidden = "architecture.hidden=choice([4],[4,4])"
    done = command(tmp_path, "search=random", *XOR, LR, hidden, "search.trials=16", "sweep.dry_run=true")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("a stack of") == 2
    assert list(tmp_path.iterdir()) == []


def test_the_same_command_trains_nothing_again_and_more_trials_go_on(tmp_path: Path) -> None:
    search = ("search=tpe", "search.batch=4", *XOR, LR)
    assert command(tmp_path, *search, "search.trials=8").returncode == 0
    first = told(tmp_path)
    again = command(tmp_path, *search, "search.trials=8")
    assert "8 done before in search.db" in again.stdout
    assert len(runs(tmp_path)) == 8
    assert command(tmp_path, *search, "search.trials=12").returncode == 0
    assert told(tmp_path)[:8] == first
    assert len(runs(tmp_path)) == len(told(tmp_path)) == 12
    # Another sampler, another search: in the same file, and none of the trials are its own.
    assert "done before" not in command(tmp_path, "search=random", *search[1:], "search.trials=4").stdout


def test_a_trial_equal_to_an_earlier_run_takes_its_result(tmp_path: Path) -> None:
    assert command(tmp_path, "-m", *XOR, "optimizer.lr=0.1,1", "init=zeros,normal").returncode == 0
    search = ("search=random", "search.trials=12", *XOR, "optimizer.lr=0.1,1", "init=zeros,normal,he_normal")
    done = command(tmp_path, *search)
    assert done.returncode == 0, done.stderr
    assert "skipped" in done.stdout
    drawn = {row[1] for row in told(tmp_path)}
    new = [text for text in drawn if json.loads(text)["init"] == 2]
    assert len(runs(tmp_path)) == 4 + len(new)


def test_diverging_trials_are_told_as_the_worst_and_stop_nothing(tmp_path: Path) -> None:
    posted = ("experiment=posts/xor", "training.iterations=300", "optimizer.lr=tag(log,interval(1e-3,1e3))")
    for objective in ("train/cost", "[train/cost,weight_norm/layer_1]"):
        done = command(tmp_path, "search=tpe", "search.trials=24", *posted, f"objective.metric={objective}")
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
    diverged = [row for row in told(tmp_path) if row[2] == "diverged"]
    assert diverged
    assert len(told(tmp_path)) == 48
    for row in told(tmp_path):
        assert all(math.isinf(value) for value in json.loads(row[3])) == (row[2] == "diverged")


def test_pruned_trials_keep_their_rows_and_are_no_runs_that_are_done(tmp_path: Path) -> None:
    search = ("search=random", "search.trials=27", "search.pruning=3", *XOR, "training.log_every=1", LR)
    done = command(tmp_path, *search)
    assert done.returncode == 0, done.stderr
    statuses = {number: status for number, _, status, _ in told(tmp_path)}
    assert set(statuses.values()) == {"finished", "pruned"}
    assert list(statuses.values()).count("finished") < 9
    for directory in runs(tmp_path):
        summary = json.loads((directory / "summary.json").read_text())
        assert summary["status"] == journal.status(directory) == statuses[int(directory.name)]
        steps = load(directory).steps.tolist()
        assert steps == list(range(summary["steps"] + 1))
        assert (summary["steps"] == 100) == (summary["status"] == "finished")
    (pruned, *_) = [path for path in runs(tmp_path) if statuses[int(path.name)] == "pruned"]
    lr = load(pruned).summary["command"].split("optimizer.lr=")[1]  # type: ignore[index]
    whole = command(tmp_path, "-m", *XOR, "training.log_every=1", f"optimizer.lr={lr}", "seed=0,1")
    assert "2 runs in" in whole.stdout
    resumed = command(tmp_path, f"resume={pruned}", tracking=None)
    assert resumed.returncode == 0, resumed.stderr
    assert load(pruned).steps.tolist() == list(range(101))


def test_several_objectives_give_the_trials_that_none_is_better_than() -> None:
    made = [(1.0, 5.0), (2.0, 2.0), (5.0, 1.0), (3.0, 3.0), (1.0, 6.0), (math.inf, math.inf)]
    trials = [Trial(n, 0, {}, "finished", objectives) for n, objectives in enumerate(made)]
    assert [trial.number for trial in best(trials)] == [0, 1, 2]
    assert [trial.number for trial in best([Trial(n, 0, {}, "finished", [v]) for n, v in enumerate((3, 1, 2, 1))])] == [
        1
    ]
    assert best([Trial(0, 0, {}, "pruned", [0.0]), Trial(1, 0, {}, "diverged", [math.inf])]) == []


def test_a_ledger_holds_what_was_written_and_one_process_at_a_time(tmp_path: Path) -> None:
    ledger, other = Ledger(tmp_path / "a.db", "0123456789"), Ledger(tmp_path / "a.db", "9876543210")
    trials = [Trial(n, 0, {"optimizer.lr": 0.1 * n}) for n in range(3)]
    ended = Trial(1, 0, {"optimizer.lr": 0.1}, "finished", (math.inf,), (0.5, 0.25), tmp_path)
    with ledger.alone(), other.alone():
        ledger.write(trials)
        ledger.write([ended])
        assert ledger.trials() == [trials[0], ended, trials[2]]
        assert other.trials() == []
        script = (
            "from pathlib import Path\nfrom runner.sweeps.search.ledger import Ledger\n"
            f"with Ledger(Path({str(tmp_path / 'a.db')!r}), '0123456789').alone(): pass\n"
        )
        done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True)
        assert "another process is at this same search" in done.stderr
    (tmp_path / "b.db").write_text("no database, but text that is long enough to be taken for one" * 20)
    with pytest.raises(ConfigError, match="file is not a database"), Ledger(tmp_path / "b.db", "0123456789").alone():
        pass


MISTAKES = {
    "sampler": (["search=tpee", LR], ["there is no such search", "Did you mean 'tpe'?"]),
    "empty interval": (
        ["search=tpe", "optimizer.lr=interval(1,1)"],
        ["optimizer.lr=interval(1,1): there is nothing in that interval"],
    ),
    "empty range": (["search=tpe", LR, "seed=range(3,3)"], ["seed=range(3,3): there is nothing in it"]),
    "empty grid": (["-m", "optimizer.lr=range(3,3)"], ["optimizer.lr=range(3,3): there is nothing in that range"]),
    "nothing": (["search=tpe"], ["A search needs something to search"]),
    "no search": (["-m", LR], ["an interval is for a search: add search=random"]),
    "no -m": ([LR], ["an interval is for a search. Add search=random"]),
    "objective": (["search=tpe", LR, "objective.metric=val/cost"], ["this run has no metric 'val/cost'"]),
    "trials": (["search=tpe", LR, "search.trials=0"], ["search.trials must be a whole number in [1, inf). Got 0."]),
    "bounds": (["search=tpe", "optimizer.lr=interval(-1,1)"], ["optimizer.lr of adam must be a number in (0, inf)"]),
    "pruning": (
        ["search=tpe", LR, "search.pruning=3", "objective.metric=[train/cost,grad_norm]"],
        ["it is for a single objective"],
    ),
    "storage": (["search=tpe", LR, "search.storage=nowhere/a.db"], ["there is no directory"]),
    "launcher": (["search=tpe", LR, "hydra/launcher=joblib"], ["a search trains its trials as stacks itself"]),
    "modes": (["search=tpe", LR, "objective.mode=[min,max]"], ["as many modes or one"]),
    "different objectives": (
        ["search=tpe", "dataset.validation=0.0,0.2"],
        ["objective.metric is train/cost and val/cost in different trials"],
    ),
    "several": (
        ["search=tpe", "optimizer.lr=tag(log,interval(0,1))", "search.batch=0", "seed=-1"],
        ["a logarithm needs an interval above 0", "search.batch must be", "seed must be"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_exit_2_and_nothing_is_written(tmp_path: Path, mistake: str) -> None:
    overrides, sentences = MISTAKES[mistake]
    done = command(tmp_path, *overrides)
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stderr
    for sentence in sentences:
        assert sentence in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_preset_may_be_a_search(tmp_path: Path) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "hunt.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /dataset: xor\n  - override /search: random\n"
        "search:\n  trials: 3\ntraining:\n  iterations: 5\n"
        "hydra:\n  sweeper:\n    params:\n      optimizer.lr: tag(log,interval(1e-4,1))\n"
    )
    done = command(tmp_path, "--config-dir", "mine", "experiment=hunt")
    assert done.returncode == 0, done.stderr
    assert len(runs(tmp_path)) == 3


def test_optuna_is_imported_by_a_search_and_by_nothing_else(tmp_path: Path) -> None:
    for overrides, expected in ((["dataset=xor"], False), (["search=random", "search.trials=2", LR], True)):
        script = (
            "import runpy, sys\n"
            f"sys.argv = ['runner', *{overrides!r}, 'training.iterations=3', 'tracking=none']\n"
            "try:\n    runpy.run_module('runner', run_name='__main__', alter_sys=True)\nexcept SystemExit:\n    pass\n"
            "print('optuna' in sys.modules)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True
        )
        assert done.stdout.splitlines()[-1] == str(expected), done.stderr


KILLED: dict[str, Sequence[str]] = {
    "tpe": ("search=tpe",),
    "nsga2": ("search=nsga2", "search.population=8", "objective.metric=[train/cost,weight_norm/layer_1]"),
    "sobol": ("search=sobol",),
}


@pytest.mark.slow
@pytest.mark.parametrize("sampler", KILLED)
def test_a_search_killed_at_random_moments_comes_to_what_one_never_stopped_does(tmp_path: Path, sampler: str) -> None:
    rng = np.random.default_rng(int.from_bytes(os.urandom(4), "little"))
    search = (*KILLED[sampler], "search.trials=48", "search.batch=8", "dataset=xor", "optimizer=gd", LR)
    search = (*search, "init=normal,he_normal", "training.iterations=3000")
    assert command(tmp_path / "whole", *search).returncode == 0
    killed = tmp_path / "killed"
    killed.mkdir()
    for _ in range(5):
        process = subprocess.Popen(
            arguments(*search, "tracking=none"), cwd=killed, env=environment(), stdout=subprocess.DEVNULL
        )
        time.sleep(float(rng.uniform(0.8, 3.5)))
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = command(killed, *search)
    assert done.returncode == 0, done.stderr
    assert told(killed) == told(tmp_path / "whole")
    ended = [path for path in runs(killed) if journal.status(path) == "finished"]
    different = {drawn for _, drawn, _, _ in told(killed)}
    assert len(ended) == len(different), "a trial that had ended was trained again"


@pytest.mark.slow
def test_a_search_is_in_the_store_like_any_sweep(tmp_path: Path) -> None:
    search = ("search=random", "search.trials=12", "search.pruning=3", *XOR, LR)
    done = command(tmp_path, *search, tracking="tracking=mlflow")
    assert done.returncode == 0, done.stderr
    assert "compareRunsMode=CHART" in done.stdout.splitlines()[-1]
    script = (
        "import json, mlflow\n"
        "client = mlflow.MlflowClient('sqlite:///mlflow.db')\n"
        "runs = client.search_runs([e.experiment_id for e in client.search_experiments()])\n"
        "print(json.dumps([{'status': r.info.status, 'params': r.data.params, 'tags': r.data.tags,"
        " 'metrics': r.data.metrics} for r in runs]))\n"
    )
    read = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    found = json.loads(read.stdout.splitlines()[-1])
    (summary,) = [run for run in found if "sweep_summary" in run["tags"]]
    trials = [run for run in found if "sweep" in run["tags"]]
    assert len(trials) == 12
    assert {run["status"] for run in trials} == {"FINISHED"}
    assert {run["tags"]["status"] for run in trials} == {"finished", "pruned"}
    assert {run["tags"]["sweep"] for run in trials} == {summary["tags"]["sweep_summary"]}
    assert summary["metrics"]["runs/pruned"] == sum(run["tags"]["status"] == "pruned" for run in trials)
    assert summary["params"]["search"] == "random"
    ended = [run for run in trials if run["tags"]["status"] == "finished"]
    least = min(ended, key=lambda run: run["metrics"]["train/cost"])
    assert summary["params"]["best/optimizer.lr"] == least["params"]["optimizer.lr"]
