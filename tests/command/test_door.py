"""The command itself: what it prints, what it leaves behind, how it exits. Each test is a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from runner.runs import journal
from tests.commands import quick
from tests.stores import until

ROOT = Path(__file__).resolve().parents[2]


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runner", *quick(*arguments)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )


def summary(folder: Path) -> dict:
    (found,) = folder.rglob("summary.json")
    return json.loads(found.read_text())


def test_a_run_prints_its_result_and_leaves_its_record(tmp_path: Path) -> None:
    done = command(tmp_path, "dataset=xor", "tracking=none")
    assert done.returncode == 0, done.stderr
    assert "finished after 2000 iterations" in done.stdout
    assert "train/cost" in done.stdout
    assert "reached" in done.stdout
    assert done.stderr == ""
    (directory,) = tmp_path.glob("outputs/*/*")
    files = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    assert {"journal.jsonl", "summary.json", "weights.npz", "config.yaml", ".hydra/config.yaml"} <= files
    assert {path.name for path in tmp_path.iterdir()} == {"outputs", "runs.jsonl"}
    found = summary(tmp_path)
    assert found["status"] == "finished"
    assert found["target"]["reached"] is True
    assert found["metrics"]["last"]["train/accuracy"] == 1.0
    assert found["mlflow_run_id"] is None
    with np.load(directory / "weights.npz", allow_pickle=False) as weights:
        assert weights["W1"].shape == (2, 8)


def test_the_same_command_gives_the_same_bits(tmp_path: Path) -> None:
    rows = []
    for _ in range(2):
        done = command(tmp_path, "training.batch_size=32", "architecture.dropout=0.2", "seed=3", "tracking=none")
        assert done.returncode == 0, done.stderr
    for directory in tmp_path.glob("outputs/*/*"):
        rows.append([(r["step"], r["values"]) for r, _ in journal.read(directory) if r["kind"] == "row"])
    assert len(rows) == 2
    assert rows[0] == rows[1]


def test_a_diverged_run_exits_1_and_names_the_first_bad_value(tmp_path: Path) -> None:
    done = command(tmp_path, "experiment=posts/xor", "tracking=none")
    assert done.returncode == 1
    assert "first non-finite value: cost of layer 2 at step 275, the first bad gradient is dZ" in done.stdout
    found = summary(tmp_path)
    assert found["status"] == "diverged"
    assert found["first_nonfinite"] == {"step": 275, "layer": 2, "array": "cost", "first_bad_gradient": "dZ"}
    assert found["metrics"]["last"]["train/cost"] == "nan"


def test_a_missed_target_is_said_and_exits_0(tmp_path: Path) -> None:
    done = command(tmp_path, "dataset=xor", "training.iterations=2", "tracking=none")
    assert done.returncode == 0
    assert "missed" in done.stdout


def test_mistakes_exit_2_all_at_once_without_a_trace(tmp_path: Path) -> None:
    done = command(tmp_path, "optimizer=adan", "seed=-1", "foo=1")
    assert done.returncode == 2
    assert done.stderr.startswith("3 mistakes in the configuration; nothing was run.\n")
    assert "Did you mean 'adam'?" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_in_one_job_of_a_sweep_stops_it_before_the_first(tmp_path: Path) -> None:
    done = command(tmp_path, "-m", "optimizer.lr=0.1,0.01,-1", "seed=range(3)", "tracking=none")
    assert done.returncode == 2
    assert "optimizer.lr of adam must be a number in (0, inf). Got -1." in done.stderr
    assert "in 3 of 9 jobs, the first: optimizer.lr=-1 seed=0" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_bad_value_in_one_job_of_two_hundred_is_refused_and_that_job_is_named(tmp_path: Path) -> None:
    rates = [f"{0.001 * (number + 1):.3f}" for number in range(200)]
    rates[150] = "fast"
    done = command(tmp_path, "-m", "dataset=xor", f"optimizer.lr={','.join(rates)}", "tracking=none")
    assert done.returncode == 2
    assert "optimizer.lr of adam must be a number in (0, inf). Got 'fast'." in done.stderr
    assert "(in 1 of 200 jobs, the first: dataset=xor optimizer.lr=fast tracking=none" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_runs_every_job_in_a_directory_of_its_own(tmp_path: Path) -> None:
    done = command(tmp_path, "-m", "dataset=xor", "init=normal,he_normal", "seed=range(3)", "tracking=none")
    assert done.returncode == 0, done.stderr
    assert "6 runs in multirun" in done.stdout
    # The three seeds of a setting stand in one line.
    assert re.search(r"^init=he_normal +3 ", done.stdout, re.MULTILINE), done.stdout
    (sweep,) = tmp_path.glob("multirun/*/*")
    assert sorted(path.name for path in sweep.iterdir() if path.is_dir()) == [*"012345", "summary"]
    overrides = (sweep / "5" / ".hydra" / "overrides.yaml").read_text().split()
    assert overrides[:8] == ["-", "dataset=xor", "-", "init=he_normal", "-", "seed=2", "-", "tracking=none"]


def test_a_key_of_a_swept_group_may_be_set_where_all_of_its_options_have_it(tmp_path: Path) -> None:
    sweep = ("-m", "dataset=xor", "optimizer=momentum,nesterov", "tracking=none", "training.iterations=5")
    done = command(tmp_path, *sweep, "optimizer.momentum=0.5")
    assert done.returncode == 0, done.stderr
    refused = command(tmp_path, *sweep[:2], "optimizer=momentum,gd", *sweep[3:], "optimizer.momentum=0.5")
    assert refused.returncode == 2
    assert "in 1 of 2 jobs, the first: dataset=xor optimizer=gd" in refused.stderr


def test_a_preset_may_be_a_sweep(tmp_path: Path) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "rates.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /dataset: xor\n  - override /optimizer: gd\n"
        "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      optimizer.lr: 0.1,1\n      seed: range(2)\n"
    )
    arguments = ("--config-dir", "mine", "experiment=rates", "tracking=none", "training.iterations=5")
    assert "4 runs in multirun" in command(tmp_path, *arguments).stdout
    assert "2 runs in multirun" in command(tmp_path, *arguments, "seed=7").stdout


OTHERS = {
    "basic": ["hydra/sweeper=basic", "hydra/launcher=basic"],
    "joblib": ["hydra/launcher=joblib"],
    "submitit": ["hydra/launcher=submitit_local"],
}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", OTHERS)
def test_hydras_other_launchers_give_the_same_results(tmp_path: Path, launcher: str) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    sweep = ["-m", "experiment=posts/xor", "fault=none,flipped_sign", "optimizer.lr=0.1,1", "tracking=none"]
    for folder, more in ((ours, []), (theirs, OTHERS[launcher])):
        folder.mkdir()
        done = command(folder, *sweep, *more)
        assert done.returncode == 1, (done.stdout, done.stderr)
    for number in range(4):
        rows = []
        for folder in (ours, theirs):
            (directory,) = folder.glob(f"multirun/*/*/{number}")
            rows.append([(r["step"], str(r["values"])) for r, _ in journal.read(directory) if r["kind"] == "row"])
        assert rows[0] == rows[1]


def test_ctrl_c_keeps_the_rows_and_exits_130(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "runner", "training.iterations=100000000", "training.log_every=100"]
    process = subprocess.Popen(
        [*arguments, "tracking=none"], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("journal.jsonl")) or not _rows(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted after" in out
    assert summary(tmp_path)["status"] == "interrupted"
    (directory,) = tmp_path.glob("outputs/*/*")
    end = journal.ending(directory)
    assert end is not None
    assert end["status"] == "interrupted"
    assert len(_rows(tmp_path)) >= 1


def test_ctrl_c_in_a_sweep_keeps_what_is_done_and_begins_no_more(tmp_path: Path) -> None:
    short, long = "training.iterations=20", "training.iterations=20,100000000"
    sweep = ("-m", "dataset=xor", "training.log_every=10", "seed=1,2", "tracking=none")
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", *sweep, long],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )

    def states() -> list[str]:
        found = (path.parent for path in tmp_path.glob("multirun/*/*/[0-3]/journal.jsonl"))
        return sorted(journal.status(directory) for directory in found)

    until(lambda: states() == ["finished", "finished", "running", "running"], 240)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130, out
    assert states() == ["finished", "finished", "interrupted", "interrupted"]
    again = command(tmp_path, *sweep, short)
    assert again.returncode == 0
    assert "2 of 2 done before and skipped" in again.stdout


def _rows(folder: Path) -> list[dict]:
    (directory,) = folder.glob("outputs/*/*")
    return [record for record, _ in journal.read(directory) if record["kind"] == "row"]


def test_a_directory_that_holds_a_run_is_not_written_over(tmp_path: Path) -> None:
    arguments = ("dataset=xor", "training.iterations=3", "tracking=none", "hydra.run.dir=here")
    assert command(tmp_path, *arguments).returncode == 0
    before = (tmp_path / "here" / "journal.jsonl").read_bytes()
    again = command(tmp_path, *arguments)
    assert again.returncode == 2
    assert "hydra.run.dir=here holds a run already" in again.stderr
    assert (tmp_path / "here" / "journal.jsonl").read_bytes() == before


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for arguments in (("hydra.run.dir=file/here",), ("-m", "seed=1,2", "hydra.sweep.dir=file/there")):
        done = command(tmp_path, "dataset=xor", "tracking=none", *arguments)
        assert done.returncode == 2
        assert f"{arguments[-1]}: it cannot be made" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_presets_leftovers_are_named_in_one_line(tmp_path: Path) -> None:
    done = command(tmp_path, "experiment=posts/flower", "optimizer=adam", "training.iterations=3", "tracking=none")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("experiment=posts/flower is used with")]
    assert "optimizer.lr=1.2" in line


def test_directories_of_runs_of_the_same_second_differ(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "runner", "dataset=xor", "training.iterations=3", "tracking=none"]
    started = [
        subprocess.Popen(arguments, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL) for _ in range(6)
    ]
    assert [process.wait(timeout=120) for process in started] == [0] * 6
    assert len(list(tmp_path.glob("outputs/*/*/summary.json"))) == 6


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"], ["--info", "searchpath"], ["optimizer=adan"]])
def test_mlflow_and_matplotlib_are_not_imported_in_the_command(tmp_path: Path, arguments: list[str]) -> None:
    script = (
        "import runpy, sys\n"
        f"sys.argv = ['runner', *{arguments!r}]\n"
        "try:\n"
        "    runpy.run_module('runner', run_name='__main__', alter_sys=True)\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'mlflow', 'matplotlib', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "print('light')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert done.stdout.endswith("light\n"), done.stdout + done.stderr


def test_the_configuration_is_shown_as_it_would_be_run(tmp_path: Path) -> None:
    done = command(tmp_path, "--cfg", "job", "experiment=posts/flower", "optimizer=adam")
    assert done.returncode == 0, done.stderr
    assert re.search(r"name: adam\n  lr: 0.01\n", done.stdout)
