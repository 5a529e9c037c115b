"""`python -m runner.replay`: the same numbers on one machine; on another it says that this is why they differ."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner import run
from runner.runs import journal
from runner.runs.provenance import machines_of
from runner.training.machine import differing, machine

ROOT = Path(__file__).resolve().parents[2]
HERE = {**os.environ, "PYTHONPATH": str(ROOT)}
SMALL = ["dataset=spiral", "training.iterations=3"]


def command(folder: Path, *words: str, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, env={**HERE, **more}, timeout=300
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def edit(directory: Path, change: str, value: str | None) -> None:
    """Put another word for a tag into the journal's start; None takes all tags away that begin so."""
    first, *others = (directory / journal.FILE).read_text().splitlines()
    start = json.loads(first)
    tags = {key: word for key, word in start["tags"].items() if value is not None or not key.startswith(change)}
    start["tags"] = tags if value is None else {**tags, change: value}
    (directory / journal.FILE).write_text("\n".join([json.dumps(start, separators=(",", ":")), *others]) + "\n")


def other_numbers(directory: Path) -> None:
    """Take from the record what it says of the last digits of step 0."""
    lines = (directory / journal.FILE).read_text().splitlines()
    for number, line in enumerate(lines):
        record = json.loads(line)
        if record["kind"] == "row" and record["step"] == 0:
            record["values"]["train/cost"] *= 1 + 1e-15
            lines[number] = json.dumps(record, separators=(",", ":"))
    (directory / journal.FILE).write_text("\n".join(lines) + "\n")


def test_the_machine_stands_in_the_summary_and_in_the_tags(tmp_path: Path) -> None:
    run(SMALL, tmp_path)
    said = json.loads((tmp_path / "summary.json").read_text())["machine"]
    assert {name: said[name] for name in machine()._asdict()} == machine()._asdict()
    assert said["threads"] == 1
    assert machines_of(tmp_path) == [{name: str(word) for name, word in said.items()}]
    tags = journal.first(tmp_path)["tags"]
    assert {name.removeprefix("machine.") for name in tags if name.startswith("machine.")} == set(said)


def test_another_kernel_of_blas_is_named_as_why_the_last_digits_differ(tmp_path: Path) -> None:
    ask = "from runner.training.machine import machine; print(machine().kernel)"
    kernels = {name: command(tmp_path, "-c", ask, OPENBLAS_CORETYPE=name).strip() for name in ("Prescott", "Nehalem")}
    here = command(tmp_path, "-c", ask).strip()
    other = next((name for name, kernel in kernels.items() if kernel not in ("", here)), None)
    if other is None:
        pytest.skip("BLAS has but one kernel here")
    words = ["-m", "runner", *SMALL, "tracking=none", "plots=false", "diagnosis=none", "hydra.run.dir=run"]
    command(tmp_path, *words, OPENBLAS_CORETYPE=other)
    said = command(tmp_path, "-m", "runner.replay", "run")
    assert f"note: the kernel of BLAS is {here}, it was {kernels[other]}" in said
    assert "different: step 0" in said
    assert "The machine is why" in said
    there = command(tmp_path, "-m", "runner.replay", "run", OPENBLAS_CORETYPE=other)
    assert there.startswith("bit-identical"), there


def test_a_machine_that_gives_the_same_numbers_is_noted_and_no_more(tmp_path: Path) -> None:
    run(SMALL, tmp_path / "run")
    edit(tmp_path / "run", "machine.system", "Plan 9")
    said = command(tmp_path, "-m", "runner.replay", "run").splitlines()
    assert said[0].startswith("note: the system is ")
    assert said[0].endswith(", it was Plan 9")
    assert said[1].startswith("bit-identical")


def test_what_is_not_known_of_an_older_record_is_said(tmp_path: Path) -> None:
    run(SMALL, tmp_path / "run")
    other_numbers(tmp_path / "run")
    assert command(tmp_path, "-m", "runner.replay", "run").endswith("machine are the recorded ones.\n")
    edit(tmp_path / "run", "machine.", None)
    assert machines_of(tmp_path / "run") == []
    assert "the record does not say" in command(tmp_path, "-m", "runner.replay", "run")
    edit(tmp_path / "run", "code.sha256", "another")
    assert command(tmp_path, "-m", "runner.replay", "run").splitlines()[-1].startswith("different: step 0, train/cost")


def test_a_network_that_no_seed_sets_is_not_laid_to_the_machine(tmp_path: Path) -> None:
    source = (ROOT / "tests" / "training" / "own" / "networks" / "tiny.py").read_text()
    noisy = source.replace("return -np.mean(", "return np.random.default_rng().random() - np.mean(")
    assert noisy != source
    (tmp_path / "noisy.py").write_text(noisy)
    words = ["dataset=xor", "architecture=own", "architecture.network=noisy:Tiny", "training.iterations=3"]
    command(tmp_path, "-m", "runner", *words, "tracking=none", "plots=false", "diagnosis=none", "hydra.run.dir=run")
    edit(tmp_path / "run", "machine.system", "Plan 9")
    assert "other numbers each time" in command(tmp_path, "-m", "runner.replay", "run")


def test_machines_differ_in_what_both_name() -> None:
    assert differing({"kernel": "A", "threads": "2"}, {"kernel": "A", "threads": 2, "cpu": "x"}) == []
    assert differing({"kernel": ""}, {"kernel": "A"}) == ["the kernel of BLAS is A, it was unknown"]
