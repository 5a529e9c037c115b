"""Cures: nothing is called one that was not run, and what is called one reaches the target on every fresh seed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.diagnosis import cures
from runner.diagnosis.case import Finding
from runner.experiment.build import compose_with
from runner.experiment.compose import Composer
from runner.runs import journal
from runner.runs.findings import CURE_OF, CURED_BY, case_of

ROOT = Path(__file__).resolve().parents[2]
HERE = {**os.environ, "PYTHONPATH": str(ROOT)}


def tags(directory: Path) -> dict[str, Any]:
    return {key: value for record, _ in journal.read(directory) for key, value in (record.get("tags") or {}).items()}


@pytest.mark.slow
@pytest.mark.parametrize("post", ["xor", "parity"])
def test_the_cure_of_a_post_is_searched_run_and_linked(post: str, tmp_path: Path) -> None:
    words = [f"experiment=posts/{post}", "diagnosis.cure=true", "tracking=none", "plots=false", "hydra.run.dir=run"]
    command = [sys.executable, "-m", "runner", *words]
    done = subprocess.run(command, cwd=tmp_path, env=HERE, capture_output=True, text=True)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    cure = summary["findings"][0]["cure"]
    assert cure["override"], cure["words"]
    assert "reaches the target on 5 of 5 fresh seeds" in cure["words"]
    assert " ".join(cure["override"]) in done.stdout
    assert cure["override"] in [each["overrides"] for each in cure["tried"]]
    cured = tmp_path / "run" / "cure"
    after = json.loads((cured / "summary.json").read_text())
    assert after["target"]["reached"]
    assert after["target"]["metric"] == summary["target"]["metric"]
    assert tags(cured)[CURE_OF] == journal.first(tmp_path / "run")["uid"]
    assert tags(tmp_path / "run")[CURED_BY] == journal.first(cured)["uid"]


def finding(*override: str) -> Finding:
    return Finding("target missed", 0, "init_too_small", 1, "W", (), "", override, (), {})


def failing(*more: str) -> Any:
    composer = Composer()
    words = ["dataset=xor", "architecture.hidden=[8]", "training.iterations=2000", "init=zeros", *more]
    return case_of(compose_with(composer, words), composer)


def test_a_cure_is_the_smallest_part_of_what_was_proposed_that_reaches_the_target() -> None:
    case = failing("optimizer=gd", "optimizer.lr=0.5")
    found = cures.search(case, [finding("init=xavier_normal", "init.scale=1.0", "architecture.l2=0.0")], 3)
    assert found.best is not None
    assert (found.best.reached, found.best.of) == (3, 3)
    assert set(found.best.overrides) < {"init=xavier_normal", "init.scale=1.0", "architecture.l2=0.0"}
    assert "init=xavier_normal" in found.best.overrides
    assert found.best in found.tried


def test_where_nothing_reaches_the_target_that_is_said_with_all_that_was_tried() -> None:
    case = failing("training.iterations=3", "training.target={metric:train/cost,value:1e-12}")
    found = cures.search(case, [finding("init=xavier_normal")], 2)
    assert found.best is None
    assert len(found.tried) > 5
    assert not any(tried.cures for tried in found.tried)
