"""What diagnosis is judged by: figures that are counted from rows, and a command that judges the corpus."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.diagnosis import scores
from benchmarks.diagnosis.evaluate import everything, look

ROOT = Path(__file__).resolve().parents[3]


@given(st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_wilsons_interval_holds_the_share_and_stays_within_0_and_1(case: tuple[int, int]) -> None:
    hits, of = case
    low, high = scores.wilson(hits, of)
    assert -1e-12 <= low <= hits / of + 1e-12
    assert hits / of - 1e-12 <= high <= 1 + 1e-12
    wider = scores.wilson(hits, of, z=3)
    assert wider[0] <= low + 1e-12
    assert high <= wider[1] + 1e-12


def row(fault: str, truth: str, *causes: str, failed: bool = True, **more: Any) -> dict[str, Any]:
    return {"fault": fault, "truth": truth, "held_out": False, "failed": failed, "causes": list(causes), **more}


def test_the_figures_are_counted_from_the_rows() -> None:
    rows = [
        row("a", "x", "x", layer=2, true_layer=2, first=5),
        row("a", "x", "y", "x", step=3, true_step=4, first=3, all=4),
        row("a", "x", failed=False),
        row("b", "z", "z", layer=1, true_layer=3, first=0),
        row("c", "undetermined", "x"),
        row("c", "undetermined", "undetermined"),
    ]
    found = scores.figures_of(rows)
    assert found["runs; failed, latent"] == "6; 5, 1"
    assert found["cause, first answer"].startswith("2 of 3")
    assert found["the same, mean over faults"] == ".750; worst a 1 of 2"
    assert found["cause, among the first two"].startswith("3 of 3")
    assert found["precision of a named cause"].startswith("2 of 4")
    assert found["layer, where the cause is right"].startswith("1 of 2")
    assert found["first iteration exact"].startswith("0 of 1")
    table = scores.cures(rows)
    assert "| the first override | 1 of 3" in table
    assert "| the first, or all of them together | 2 of 3" in table


def test_a_cell_is_trained_diagnosed_and_its_override_is_run() -> None:
    (told,) = look("xor-sigmoid/output sign/0", seeds=1, search=False)
    assert told["failed"]
    assert told["causes"][0] == told["truth"] == "wrong_output_derivative"
    assert told["layer"] == told["true_layer"] == 2
    assert told["override"] == ["fault=none"]
    assert told["first"] == 5
    (latent,) = look("xor-tanh/gradient summed/0", seeds=1, search=False)
    assert (latent["failed"], latent["causes"]) == (False, [])


def test_a_cell_that_cannot_be_made_is_left_out() -> None:
    assert look("xor-tanh/weights transposed/0", seeds=1, search=False) == []
    assert len({cell.name for cell in everything()}) == len(everything())


@pytest.mark.slow
def test_the_command_judges_a_part_of_the_corpus(tmp_path: Path) -> None:
    words = ["--part", "held-out", "--only", "moons", "--cells", "12", "--seeds", "1", "--workers", "2"]
    command = [sys.executable, "-m", "benchmarks.diagnosis.evaluate", *words, "--out", str(tmp_path / "runs.jsonl")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 12
    first = next(line for line in done.stdout.splitlines() if line.startswith("| cause, first answer"))
    hits, of = (int(word) for word in first.split("|")[2].split("=")[0].split(" of "))
    assert of >= 5
    assert hits / of >= 0.75, done.stdout


@pytest.mark.slow
def test_networks_without_a_fault_have_no_finding() -> None:
    rows = [row for cell in ("xor-fast", "xor-plateau", "flower-small") for row in look(f"{cell}/none/0", 10, False)]
    assert len(rows) == 30
    assert not any(row["causes"] for row in rows)
