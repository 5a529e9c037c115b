"""What people type who come from Hydra works, or is refused in one sentence: each test is commands of their own."""

import fcntl
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runner.runs import journal

ROOT = Path(__file__).resolve().parents[2]
FEW = ("training.iterations=20", "tracking=none", "plots=false", "diagnosis=none")


def execute(folder: Path, *words: str, module: str = "runner", code: int = 0) -> str:
    """What a command prints; it must end with this code, and never with a traceback."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    where = {**kept, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "COLUMNS": "120"}
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(command, cwd=folder, env=where, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one's own: a primary configuration that composes ours."""
    (tmp_path / "mine").mkdir()
    text = "defaults:\n  - config\n  - override dataset: xor\n  - _self_\nseed: 5\noptimizer: {lr: 0.25}\n"
    (tmp_path / "mine" / "my.yaml").write_text(text)
    return tmp_path


def trained(folder: Path) -> dict:
    """The configuration of the last run that was recorded below the folder."""
    found = sorted(folder.glob("**/config.yaml"), key=lambda path: path.stat().st_mtime)
    return yaml.safe_load([path for path in found if path.parent.name != ".hydra"][-1].read_text())


@pytest.mark.parametrize("flags", [("--config-dir", "mine"), ("--config-path", "mine")], ids=["dir", "path"])
def test_a_primary_configuration_of_ones_own_is_what_is_shown_and_what_is_trained(project: Path, flags: tuple) -> None:
    own = (*flags, "--config-name", "my")
    shown = yaml.safe_load(execute(project, *own, *FEW, "--cfg", "job", "--resolve"))
    execute(project, *own, *FEW)
    config = trained(project / "outputs")
    assert {key: config[key] for key in shown if key in config} == shown
    assert (config["dataset"]["name"], config["seed"], config["optimizer"]["lr"]) == ("xor", 5, 0.25)
    execute(project, "-m", *own, *FEW, "training.iterations=10,30")
    assert trained(project / "multirun")["optimizer"]["lr"] == 0.25
    execute(project, *own, *FEW, "search=random", "search.trials=2", "optimizer.lr=interval(1,2)")
    assert trained(project / "multirun")["seed"] == 5
    assert "xor (4 rows)" in execute(project, *own, module="runner.check")


def test_a_recorded_configuration_is_run_again(tmp_path: Path) -> None:
    execute(tmp_path, "experiment=posts/xor", *FEW)
    (recorded,) = tmp_path.glob("outputs/*/*/.hydra")
    again = ("--config-path", str(recorded), "--config-name", "config")
    execute(tmp_path, *again, "hydra.run.dir=again")
    before, after = (
        yaml.safe_load((place / "config.yaml").read_text()) for place in (recorded.parent, tmp_path / "again")
    )
    assert after == before


def test_a_primary_configuration_that_is_not_there_or_is_not_ours_is_refused(project: Path) -> None:
    said = execute(project, "--config-name", "mmy", "--config-dir", "mine", code=2)
    assert "there is no configuration called mmy. Available: config, my. Did you mean 'my'?" in said
    (project / "mine" / "other.yaml").write_text("lr: 0.1\n")
    said = execute(project, "--config-path", "mine", "--config-name", "other", code=2)
    assert "takes the rest from ours by `defaults: [config, _self_]`" in said
    assert "--config-path nowhere: there is no such directory." in execute(project, "--config-path", "nowhere", code=2)
    assert {path.name for path in project.iterdir()} == {"mine"}


def test_the_same_command_again_in_a_fixed_directory_goes_on(tmp_path: Path) -> None:
    words = ("-m", "dataset=xor", *FEW, "hydra.sweep.dir=fixed")
    execute(tmp_path, *words, "seed=range(3)")
    assert "0 runs in fixed, 3 of 3 done before" in execute(tmp_path, *words, "seed=range(3)")
    assert "2 runs in fixed, 3 of 5 done before" in execute(tmp_path, *words, "seed=range(5)")
    execute(tmp_path, *words, "seed=range(5)", "sweep.skip_done=false")
    made = [path.parent.name for path in (tmp_path / "fixed").glob("*/journal.jsonl")]
    assert sorted(made) == sorted([*"01234", *(f"{n}_1" for n in range(5)), "summary"])
    summary = tmp_path / "fixed" / "summary"
    assert journal.status(summary) == "finished"
    assert journal.last(summary)["metrics"]["runs/finished"] == 5


def test_a_longer_search_in_a_fixed_directory_goes_on(tmp_path: Path) -> None:
    words = (
        "dataset=xor",
        *FEW,
        "search=random",
        "search.batch=2",
        "optimizer.lr=interval(1,2)",
        "hydra.sweep.dir=fixed",
    )
    execute(tmp_path, *words, "search.trials=2")
    assert "2 done before" in execute(tmp_path, *words, "search.trials=4")
    assert len(list((tmp_path / "fixed").glob("[0-9]*/journal.jsonl"))) == 4


def test_a_sweeper_that_launches_in_batches_has_one_leaderboard(tmp_path: Path) -> None:
    basic = ("hydra/sweeper=basic", "hydra.sweeper.max_batch_size=2")
    said = execute(tmp_path, "-m", "dataset=xor", *FEW, "seed=range(3)", *basic)
    assert len(re.findall(r"^setting", said, re.MULTILINE)) == 1
    assert re.search(r"^all +3 ", said, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local", "basic"])
def test_other_launchers_end_with_the_leaderboard(tmp_path: Path, launcher: str) -> None:
    words = ("-m", "dataset=xor", *FEW, "tracking=mlflow", "seed=range(2)", f"hydra/launcher={launcher}")
    said = execute(tmp_path, *words)
    assert re.search(r"^all +2 ", said, re.MULTILINE)
    assert "then open http" in said.splitlines()[-1]
    assert len(list(tmp_path.glob("multirun/*/*/summary/journal.jsonl"))) == 1


@pytest.mark.parametrize("launcher", ["stacked", "basic"])
def test_two_jobs_with_one_directory_are_refused_before_the_first(tmp_path: Path, launcher: str) -> None:
    words = ("seed=1,2", "hydra.sweep.subdir=s${seed}", "init=zeros,normal", f"hydra/launcher={launcher}")
    said = execute(tmp_path, "-m", "dataset=xor", *FEW, *words, code=2)
    assert "must be another directory for each job. Got s1 for the jobs 0 and 1." in said
    assert not list(tmp_path.rglob("journal.jsonl"))


def test_override_dirname_takes_its_own_keys(tmp_path: Path) -> None:
    config = (
        "{exclude_keys: [seed, dataset, training.iterations, tracking, plots, diagnosis], kv_sep: '-', item_sep: '+'}"
    )
    words = ("hydra.sweep.subdir=${hydra.job.override_dirname}/${seed}", f"hydra.job.config.override_dirname={config}")
    execute(tmp_path, "-m", "dataset=xor", *FEW, "optimizer.lr=1,2", "optimizer=gd", "seed=4", *words)
    places = sorted(
        path.parent.relative_to(path.parents[2]).as_posix() for path in tmp_path.glob("multirun/*/*/*/4/summary.json")
    )
    assert places == ["optimizer.lr-1+optimizer-gd/4", "optimizer.lr-2+optimizer-gd/4"]


def test_callbacks_of_jobs_are_called_in_stacked_sweeps(tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text(
        "from hydra.experimental.callback import Callback\n\n\nclass Told(Callback):\n"
        "    def on_job_start(self, config, **more):\n        print('begins', config.seed, config.hydra.job.num)\n\n"
        "    def on_job_end(self, config, job_return, **more):\n"
        "        print('ends', config.seed, job_return.return_value > 0)\n"
    )
    said = execute(tmp_path, "-m", "dataset=xor", *FEW, "seed=3,4", "+hydra.callbacks.told._target_=told.Told")
    assert re.findall(r"^(?:begins|ends) .*", said, re.MULTILINE) == [
        *("begins 3 0", "begins 4 1"),
        *("ends 3 True", "ends 4 True"),
    ]


def test_a_choice_with_a_plus_and_a_rate_with_two_dashes_are_understood(tmp_path: Path) -> None:
    said = execute(tmp_path, "+experiment=posts/xor", "--lr", "0.5", *FEW)
    assert "--lr 0.5 is read as optimizer.lr=0.5" in said
    assert trained(tmp_path)["optimizer"]["lr"] == 0.5
    said = execute(tmp_path, "--learning-rate", "0.5", code=2)
    assert "--learning-rate: there is no such option; a value is set by KEY=VALUE." in said
    said = execute(tmp_path, "--name=5", code=2)
    assert "Did you mean dataset.name=5 or " in said


@pytest.mark.slow
def test_the_store_stays_where_the_command_was_typed(tmp_path: Path) -> None:
    tags = ("+tracking.tags.hour='${now:%H}'", "tracking=mlflow", "hydra.job.chdir=true")
    execute(tmp_path, "dataset=xor", *FEW, *tags)
    assert [path.parent for path in tmp_path.rglob("mlflow.db")] == [tmp_path]
    (run,) = tmp_path.glob("outputs/*/*")
    assert re.fullmatch(r"\d\d", journal.first(run)["tags"]["hour"])
    assert json.loads((run / "summary.json").read_text())["mlflow_run_id"]


def test_what_is_refused_once_hydra_has_begun_is_a_sentence_too(tmp_path: Path) -> None:
    (tmp_path / "foreign.db").write_bytes(b"SQLite format 3\x00 but not really")
    words = ("search=random", "optimizer.lr=interval(1,2)", "search.trials=2", "search.storage=foreign.db")
    said = execute(tmp_path, "dataset=xor", *FEW, *words, code=2)
    assert "search.storage=" in said


def test_verbose_shows_what_is_logged_at_debug(tmp_path: Path) -> None:
    said = execute(tmp_path, "dataset=xor", *FEW, "hydra.verbose=true")
    assert re.search(r"^\[.*\]\[runner\.experiment\.compose\]\[DEBUG\] - composing config with", said, re.MULTILINE)
    assert re.search(r"\[runner\.command\.session\]\[DEBUG\] - began .* in ", said)
    assert "[hydra." in said
    said = execute(tmp_path, "-m", "dataset=xor", *FEW, "seed=1,2", "hydra.verbose=[runner.runs.index]")
    assert set(re.findall(r"\[([\w.]+)\]\[DEBUG\]", said)) == {"runner.runs.index"}
    assert "0 of 2 jobs are in " in said
    assert "[DEBUG]" not in execute(tmp_path, "dataset=xor", *FEW)


def test_a_second_process_at_a_search_with_one_owner_is_refused(tmp_path: Path) -> None:
    words = ("dataset=xor", *FEW, "search=random", "search.trials=2", "optimizer.lr=interval(1,2)")
    execute(tmp_path, *words)
    with (tmp_path / "search.db.lock").open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)  # of every search in it
        said = execute(tmp_path, *words, "search.trials=4", code=2)
    assert "another process is at this same search" in said
