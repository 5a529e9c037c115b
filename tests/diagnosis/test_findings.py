"""What is told, and where: of a failed run only, in summary.json, in the journal, and of networks of the user's own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from runner.runs import findings, journal
from tests.commands import quick

ROOT = Path(__file__).resolve().parents[2]
HERE = {**os.environ, "PYTHONPATH": str(ROOT)}
UNREACHED = "{metric:train/cost,value:1e-9}"
OWN = ROOT / "tests" / "training" / "own" / "networks"


def run(folder: Path, *overrides: str) -> tuple[str, dict]:
    """What a command prints, and the summary of its run."""
    command = [
        sys.executable,
        "-m",
        "runner",
        *quick(*overrides, diagnosis=""),
        "tracking=offline",
        "hydra.run.dir=run",
    ]
    done = subprocess.run(command, cwd=folder, env=HERE, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout, json.loads((folder / "run" / "summary.json").read_text())


def test_a_run_that_reached_its_target_is_told_nothing(tmp_path: Path) -> None:
    shown, summary = run(tmp_path, "dataset=xor", "seed=0")
    assert summary["findings"] == []
    assert "why it failed" not in shown


def test_a_failed_run_is_told_why_on_the_screen_in_its_summary_and_in_its_journal(tmp_path: Path) -> None:
    shown, summary = run(tmp_path, "dataset=xor", "fault=ascent")
    assert [finding["cause"] for finding in summary["findings"]] == ["wrong_update"]
    assert "why it failed: wrong update" in shown
    said = [record for record, _ in journal.read(tmp_path / "run")]
    assert [record["cause"] for record in said if record["kind"] == "finding"] == ["wrong_update"]
    tags = {key: value for record in said for key, value in (record.get("tags") or {}).items()}
    assert tags[findings.TAG] == "wrong_update"
    assert "fault=none" in tags[findings.NOTE]


def test_diagnosis_none_looks_at_nothing(tmp_path: Path) -> None:
    shown, summary = run(tmp_path, "dataset=xor", "fault=ascent", "diagnosis=none")
    assert summary["findings"] == []
    assert "why it failed" not in shown


@pytest.mark.parametrize(
    ("network", "cause", "layer"),
    [("post_xor:Network", "wrong_backpropagation", 2), ("post_flower:ShallowNet", "undetermined", None)],
)
def test_of_a_network_of_ones_own_the_gradient_is_looked_at(
    tmp_path: Path, network: str, cause: str, layer: int | None
) -> None:
    shutil.copytree(OWN, tmp_path, dirs_exist_ok=True)
    own = ["architecture=own", f"architecture.network={network}", "architecture.samples=columns"]
    shown, summary = run(tmp_path, "dataset=xor", *own, "training.iterations=20", "training.target=" + UNREACHED)
    (finding,) = summary["findings"]
    assert (finding["cause"], finding["layer"]) == (cause, layer)
    assert "slope of the cost" in shown


@pytest.mark.parametrize(("fault", "code"), [("none", 0), ("halved_gradient", 1)])
def test_the_gradient_is_checked_where_that_is_asked_for_whether_the_run_failed_or_not(
    tmp_path: Path, fault: str, code: int
) -> None:
    words = ["dataset=xor", f"fault={fault}", "diagnosis.check_gradients=true", "tracking=offline", "hydra.run.dir=run"]
    command = [sys.executable, "-m", "runner", *words]
    done = subprocess.run(command, cwd=tmp_path, env=HERE, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "target train/cost <= 0.346574: reached" in done.stdout
    assert ("right in every layer" in done.stdout) == (code == 0)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert [finding["symptom"] for finding in summary["findings"]] == ["wrong gradient"] * code


def test_rows_that_are_streamed_are_not_diagnosed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["X"], file["y"] = rng.normal(size=(64, 3)), np.arange(64) % 2
    words = ["dataset=h5", "dataset.path=own.h5", "dataset.stream=true", "training.batch_size=16", "fault=ascent"]
    _, summary = run(tmp_path, *words, "training.iterations=20")
    assert summary["findings"] == []
