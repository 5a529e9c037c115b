"""A command that is printed works where this one was typed."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from runner.screen.typed import typed

RUN = "python -m runner dataset=xor 'seed=range(3)'"


def test_in_an_activated_environment_it_is_what_is_recorded() -> None:
    assert typed(RUN) == RUN


def test_where_uv_run_began_it_uv_run_begins_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / ".venv").mkdir(parents=True)
    (project / "pyproject.toml").write_text("")
    monkeypatch.setenv("UV_RUN_RECURSION_DEPTH", "1")
    monkeypatch.setattr(sys, "prefix", str(project / ".venv"))
    monkeypatch.chdir(project)
    assert typed(RUN) == f"uv run {RUN}"
    assert typed("mlflow ui --port 5001") == "uv run mlflow ui --port 5001"
    monkeypatch.chdir(tmp_path)
    assert typed(RUN) == f"uv run --project {project} {RUN}"


def test_without_a_path_to_this_python_its_own_is_printed_and_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    words = shlex.split(typed("python -c 'import runner'"))
    assert subprocess.run(words, cwd=Path(__file__).resolve().parents[2]).returncode == 0
    assert typed("mlflow ui") == f"{words[0]} -m mlflow ui"
