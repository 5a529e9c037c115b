"""The five posts as posted, and what people are told: the true causes in the order in which they must be fixed."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runner.diagnosis import diagnose
from runner.diagnosis.trials import courses
from runner.experiment.build import compose_with
from runner.experiment.compose import Composer
from runner.runs import findings
from runner.runs.journal import read
from runner.sweeps.jobs import Job, run


def told(overrides: Sequence[str]) -> list[Any]:
    composer = Composer()
    experiment = compose_with(composer, overrides)
    case = findings.case_of(experiment, composer)
    return diagnose(case, courses([case.recipe])[0], experiment.diagnosis.causes)


def causes(overrides: Sequence[str]) -> list[str]:
    return [finding.cause for finding in told(overrides)]


def test_xor_has_a_wrong_sign_and_then_an_init_too_small() -> None:
    first, second, *_ = told(["experiment=posts/xor"])
    assert (first.cause, first.step, first.layer, first.array) == ("wrong_output_derivative", 275, 2, "dZ")
    assert first.numbers["ratio_negative"] == pytest.approx(-1)
    assert first.numbers["ratio_positive"] == pytest.approx(1)
    assert first.override == ("fault=none",)
    assert second.cause == "init_too_small"
    assert "0.6931 is the entropy of the labels" in second.meaning


def test_parity_lacks_a_factor_and_then_units() -> None:
    first, second, *_ = told(["experiment=posts/parity"])
    assert (first.cause, first.symptom) == ("wrong_output_derivative", "cost rises")
    assert second.cause == "too_few_units"


def test_spiral_has_labels_out_of_range_and_then_too_low_a_rate() -> None:
    first, second, *_ = told(["experiment=posts/spiral"])
    assert first.cause == "labels_out_of_range"
    assert first.numbers["floor"] == pytest.approx(1 / 6, abs=1e-3)
    assert second.cause == "learning_rate_too_low"
    assert any("0.5 of the gradient" in line for line in second.evidence)


def test_flower_has_a_step_size_at_the_edge_of_stability_and_then_a_loss_that_divides_by_zero() -> None:
    first, second, *_ = told(["experiment=posts/flower"])
    assert (first.cause, first.symptom) == ("learning_rate_too_high", "non-finite")
    assert 1302 <= first.step <= 2122
    assert first.numbers["sharpness"] > 2 / 1.2
    assert second.cause == "saturated_loss"
    assert second.override == ("architecture.loss=cross_entropy", "architecture.epsilon=0.0")


def test_flower_with_an_epsilon_has_the_same_cause_and_a_biased_gradient() -> None:
    found = causes(["experiment=posts/flower", "architecture.epsilon=1e-5"])
    assert found[:2] == ["learning_rate_too_high", "biased_by_epsilon"]


def test_cats_have_an_init_too_small_for_the_depth(cats_dir: Path) -> None:
    first, *more = told(["experiment=posts/cats", f"dataset.dir={cats_dir}"])
    assert first.cause == "init_too_small"
    assert "0.6440 is the entropy of the labels" in first.meaning
    assert not more


@pytest.mark.parametrize("preset", ["cured/xor", "cured/flower", "course/flower"])
def test_what_reaches_its_target_has_no_finding(preset: str) -> None:
    assert told([f"experiment={preset}"]) == []


def test_findings_are_in_the_summary_the_journal_and_the_tags(tmp_path: Path) -> None:
    composer = Composer()
    experiment = compose_with(composer, ["experiment=posts/xor", "tracking=none"])
    results = run([Job(experiment, tmp_path / "run", "xor")])
    followed: list[Path] = []
    findings.diagnose(results, composer, follow=followed.append)
    assert followed == [tmp_path / "run"]
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    found = summary["findings"]
    assert {"symptom", "cause", "layer", "step", "evidence", "override", "cure"} <= found[0].keys()
    lines = [record for record, _ in read(tmp_path / "run")]
    assert [line["cause"] for line in lines if line["kind"] == "finding"] == [finding["cause"] for finding in found]
    tags = next(line["tags"] for line in lines if line["kind"] == "tags")
    assert tags["diagnosis"].startswith("wrong_output_derivative, init_too_small")
    assert "### 1. wrong output derivative" in tags["mlflow.note.content"]


def test_without_diagnosis_nothing_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    composer = Composer()
    experiment = compose_with(composer, ["experiment=posts/xor", "tracking=none", "diagnosis=none"])
    results = run([Job(experiment, tmp_path / "run", "xor")])
    before = (tmp_path / "run" / "journal.jsonl").read_bytes()
    monkeypatch.setattr(findings, "case_of", lambda *arguments: pytest.fail("it was looked at"))
    assert findings.diagnose(results, composer) == []
    assert (tmp_path / "run" / "journal.jsonl").read_bytes() == before


def test_of_a_sweep_failures_that_differ_in_the_seed_alone_are_one(tmp_path: Path) -> None:
    composer = Composer()
    experiments = [compose_with(composer, ["experiment=posts/xor", f"seed={seed}"]) for seed in range(4)]
    jobs = [Job(experiment, tmp_path / str(number), "xor") for number, experiment in enumerate(experiments)]
    told = findings.diagnose(run(jobs), composer)
    assert len(told) == 1
