"""Who ran what: the tags that MLflow's own pages have columns for."""

import subprocess
import sys
from pathlib import Path

import pytest

from runner import run
from runner.runs import journal
from runner.tracking.store import Store
from tests.stores import new_store, push

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("started", "source"),
    [
        (str(ROOT / "runner" / "__main__.py"), "python -m runner"),
        ("/usr/bin/runner", "python -m runner"),
        ("/home/me/train.py", "/home/me/train.py"),
        ("/home/me/__main__.py", "/home/me/__main__.py"),
    ],
)
def test_a_run_says_who_ran_what_from_which_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: str, source: str
) -> None:
    monkeypatch.setattr(sys, "argv", [started])
    monkeypatch.setenv("LOGNAME", "somebody")
    run(["dataset=xor", "training.iterations=2"], tmp_path / "run")
    tags = journal.first(tmp_path / "run")["tags"]
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    assert tags["mlflow.user"] == "somebody"
    assert tags["mlflow.source.name"] == source
    assert tags["mlflow.source.type"] == "LOCAL"
    assert tags.get("mlflow.source.git.commit", "") == commit


@pytest.mark.filterwarnings("ignore")  # mlflow and what it needs warn about each other
def test_a_store_can_be_asked_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody")
    run(["dataset=xor", "training.iterations=2"], tmp_path / "run")
    store = Store(new_store(tmp_path_factory, tmp_path / "store"))
    run_id = push(store, tmp_path / "run").run_id
    (found,) = store.client.search_runs(["0", "1"], "tags.`mlflow.user` = 'somebody'")
    assert found.info.run_id == run_id
    assert found.info.user_id == "somebody"
    assert found.data.tags["mlflow.source.name"]
