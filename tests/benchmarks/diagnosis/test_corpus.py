"""The corpus that diagnosis is judged on: its parts are apart, its list is the one that was committed first."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.diagnosis import corpus
from runner.diagnosis.trials import outcomes
from runner.experiment.build import compose_with
from runner.experiment.compose import Composer
from runner.runs import findings

ROOT = Path(__file__).resolve().parents[3]


def test_the_held_out_list_is_the_one_that_was_committed_before_any_threshold_was_set_by_the_corpus() -> None:
    assert corpus.digest(corpus.faulty(held_out=True)) == corpus.HELD_OUT


def test_a_list_with_another_cause_has_another_digest() -> None:
    cells = corpus.faulty(held_out=True)
    other = [*cells[:-1], cells[-1]._replace(fault=corpus.FAULTS[0])]
    assert corpus.digest(other) != corpus.digest(cells)
    assert corpus.digest(cells[::-1]) == corpus.digest(cells)


def test_the_parts_share_no_data_set_and_no_network() -> None:
    def data(cell: corpus.Cell) -> set[str]:
        return {word for word in cell.base.overrides if word.startswith(("dataset=", "dataset.path"))} - {"dataset=npz"}

    training, held_out = corpus.faulty(held_out=False), corpus.faulty(held_out=True)
    assert not set().union(*map(data, training)) & set().union(*map(data, held_out))
    assert {cell.fault for cell in training} < {cell.fault for cell in held_out}


def test_every_cause_that_is_to_be_told_is_one_that_diagnosis_knows() -> None:
    text = (ROOT / "conf" / "diagnosis" / "default.yaml").read_text()
    for fault in corpus.FAULTS:
        assert fault.cause == corpus.UNDETERMINED or f"- {fault.cause}\n" in text


@pytest.mark.slow
@pytest.mark.parametrize("cell", corpus.healthy(), ids=lambda cell: cell.base.name)
def test_a_network_without_a_fault_learns(cell: corpus.Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus.draw(tmp_path)
    monkeypatch.chdir(tmp_path)
    composer = Composer()
    outcome = outcomes([findings.case_of(compose_with(composer, cell.overrides), composer)], range(5))[0]
    assert np.all(outcome.reached)
