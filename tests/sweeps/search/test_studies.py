"""Searches kept as Optuna studies: what its tools find there, who shares one, and what is no place for one."""

import json
import math
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from runner import sweep
from runner.experiment.schema import ConfigError
from runner.runs import journal
from tests.databases import WORD, Postgres
from tests.sweeps.search.test_loop import LR, arguments, command, environment

FEW = ("dataset=xor", "training.iterations=20", "plots=false", "diagnosis=none")
KINDS = ("sqlite:///study.db", "journal:///study.log")

# Optuna warns of what may change, and SQLAlchemy of what Optuna does; that is not ours to fail for.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study(storage: str, folder: Path = Path()) -> optuna.Study:
    """The only study there, as Optuna's users load it."""
    name = storage.partition("///")[2]
    if storage.startswith("journal"):
        return optuna.load_study(study_name=None, storage=JournalStorage(JournalFileBackend(str(folder / name))))
    return optuna.load_study(study_name=None, storage=f"sqlite:///{folder / name}")


def check_trials(found: optuna.Study) -> None:
    """Every trial that has ended has the value and the state of its run, which lies where it says."""
    for trial in found.trials:
        summary = json.loads((Path(trial.user_attrs["directory"]) / "summary.json").read_text())
        assert trial.user_attrs["status"] == summary["status"]
        if summary["status"] == "finished":
            assert trial.state.name == "COMPLETE"
            assert trial.value == summary["metrics"]["last"]["train/cost"]
        else:
            assert (trial.state.name, trial.value) == ("COMPLETE", math.inf)


@pytest.mark.parametrize("storage", KINDS)
def test_optuna_loads_every_trial_with_its_values_and_states(storage: str) -> None:
    words = [*FEW, "search=tpe", "search.batch=16", f"search.storage={storage}", "optimizer=gd,momentum"]
    words += ["optimizer.lr=tag(log,interval(1e-3,1e6))", "optimizer.momentum=interval(.5,.99)", "seed=range(3)"]
    runs = sweep([*words, "search.trials=48"])
    assert len(study(storage).trials) == 48
    sweep([*words, "search.trials=64"])
    found = study(storage)
    assert [trial.number for trial in found.trials] == list(range(64))
    check_trials(found)
    assert found.best_value == min(trial.value for trial in found.trials)
    assert len({trial.user_attrs["directory"] for trial in found.trials}) == 64
    assert all(("optimizer.momentum" in one.params) == (one.params["optimizer"] == "momentum") for one in found.trials)
    assert {"optimizer", "optimizer.lr", "seed"} <= set(optuna.importance.get_param_importances(found))
    assert len(runs) == 48


def test_pruned_trials_and_several_objectives_are_what_optuna_calls_them() -> None:
    words = [*FEW, "search=random", "search.trials=18", "search.storage=sqlite:///study.db", LR]
    sweep([*words, "search.pruning=3", "training.log_every=1"])
    found = study(KINDS[0]).trials
    assert {trial.state.name for trial in found} == {"COMPLETE", "PRUNED"}
    assert all(trial.intermediate_values for trial in found if trial.state.name == "PRUNED")
    sweep([*words, "search.study=both", "objective.metric=[train/accuracy,train/cost]"])
    both = optuna.load_study(study_name="both", storage="sqlite:///study.db")
    assert [direction.name for direction in both.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert all(0 <= trial.values[0] <= 1 for trial in both.trials)
    assert both.best_trials
    with pytest.raises(ConfigError, match="there is a study of that name with other objectives"):
        sweep([*words, "search.study=both"])


def test_a_search_in_time_stops_and_the_same_command_goes_on() -> None:
    words = [*FEW, "search=random", "search.trials=1000", "search.batch=2", "search.timeout=0.5", LR]
    for storage in ("search.db", "sqlite:///study.db"):
        first = sweep([*words, f"search.storage={storage}"])
        assert 2 <= len(first) < 1000
        assert len(sweep([*words, f"search.storage={storage}"])) > len(first)


@pytest.mark.slow
@pytest.mark.parametrize("storage", KINDS)
def test_two_processes_share_a_study_and_go_on_where_one_was_killed(here: Path, storage: str) -> None:
    words = ["search=tpe", "search.trials=40", "search.batch=5", "dataset=flower", "training.iterations=3000", LR]
    words += [f"search.storage={storage}", "tracking=none", "plots=false", "diagnosis=none"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    victim, other = (subprocess.Popen(arguments(*words), cwd=here, env=environment(), **pipes) for _ in range(2))
    while victim.poll() is None and not list(here.glob("multirun/*/*/[0-9]*/journal.jsonl")):
        time.sleep(0.05)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    out, _ = other.communicate(timeout=600)
    assert other.returncode == 0, out
    done = command(here, *words, tracking=None)
    assert done.returncode == 0, done.stderr
    found = study(storage, here).trials
    assert len(found) == 40
    assert {trial.state.name for trial in found} == {"COMPLETE"}
    assert len({tuple(trial.params.values()) for trial in found}) == 40
    journals = here.glob("multirun/*/*/[0-9]*/journal.jsonl")  # a kill may leave a folder that has none yet
    ended = [path for path in journals if journal.status(path.parent) == "finished"]
    assert len(ended) == 40
    assert "40 done before in study" in command(here, *words, tracking=None).stdout


@pytest.mark.slow
def test_processes_share_a_study_in_postgres_and_no_file_has_its_password(here: Path) -> None:
    words = ["search=random", "search.trials=24", "search.batch=4", *FEW, "tracking=none", LR]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with Postgres() as postgres:
        uri = postgres.database("studies")
        both = [arguments(*words, f"search.storage={uri}") for _ in range(2)]
        for process in [subprocess.Popen(one, cwd=here, env=environment(), **pipes) for one in both]:
            out, _ = process.communicate(timeout=300)
            assert process.returncode == 0, out
            assert WORD not in out
        found = optuna.load_study(study_name=None, storage=uri.replace("postgresql:", "postgresql+psycopg:")).trials
        other = postgres.database("others")
        with pytest.raises(ConfigError, match="=postgresql://you@"):
            sweep([*words, f"search.storage={other.replace('//me:', '//you:')}"])
    assert len(found) == len({trial.params["optimizer.lr"] for trial in found}) == 24
    assert {trial.state.name for trial in found} == {"COMPLETE"}
    assert not any(WORD in path.read_bytes().decode(errors="replace") for path in here.rglob("*") if path.is_file())


def a_database(path: Path, *tables: str) -> None:
    with sqlite3.connect(path) as database:
        for table in tables:
            database.execute(f"CREATE TABLE {table} (id INTEGER)")


def test_a_file_of_another_program_is_refused_and_left_as_it_is(here: Path) -> None:
    a_database(here / "foreign.db", "experiments", "alembic_version")
    a_database(here / "trials.db", "trials")
    (here / "text").write_text("not a database\n" * 100)
    sweep([*FEW, "search=random", "search.trials=1", LR])
    sweep([*FEW, "search=random", "search.trials=1", "search.storage=sqlite:///study.db", LR])
    sweep([*FEW, "search=random", "search.trials=1", "search.storage=journal:///study.log", LR])
    expected = {
        "foreign.db": "must be free or hold a search. Got a file of another program",
        "sqlite:///foreign.db": "must be free or hold a search. Got a file of another program",
        "trials.db": "Got a file of another program",
        "text": "Got a file of another program",
        "journal:///text": "Got a file of another program",
        "study.db": f"Got an Optuna database: search.storage=sqlite:///{here}/study.db resumes it",
        "study.log": f"Got an Optuna journal: search.storage=journal:///{here}/study.log resumes it",
        "sqlite:///search.db": f"Got a ledger of this program: search.storage={here}/search.db resumes it",
        "sqlite:///nowhere/a.db": "there is no directory",
        "sqlite://": "must be a path, sqlite:///FILE, journal:///FILE or postgresql://HOST/NAME",
        "mysql://me:secret@host/db": "search.storage=mysql://me@host/db must be a path",
        ".": "is a directory",
    }
    before = {path.name: path.read_bytes() for path in here.iterdir() if path.is_file()}
    for storage, sentence in expected.items():
        with pytest.raises(ConfigError) as refused:
            sweep([*FEW, "search=random", f"search.storage={storage}", LR])
        assert len(refused.value.problems) == 1
        assert sentence in refused.value.problems[0]
        assert "secret" not in str(refused.value)
    assert {path.name: path.read_bytes() for path in here.iterdir() if path.is_file()} == before
