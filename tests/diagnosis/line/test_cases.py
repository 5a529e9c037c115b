"""Networks found in public, each wrong in its own way, and their right twins: the line is the true cause's."""

import sys
from pathlib import Path

import pytest

from runner.command.check import check_experiment
from runner.diagnosis.gradient.measure import Check
from runner.experiment.build import compose

XOR = ["dataset=xor"]
COLUMNS = [*XOR, "architecture.samples=columns", "architecture.hidden=[4,3]"]
OWN = [*XOR, "architecture.update=own"]
TABLE = ["dataset=csv", "dataset.path={data}/firstbit.csv", "dataset.target=label", "architecture.hidden=[4]"]
DIGITS = ["dataset=npz", "dataset.path={data}/digits.npz"]

# (case, file, what it is run with, the lines of the true cause)
WRONG = [
    ("01_softmax_axis", "wrong", "", DIGITS, [20]),
    ("03_uphill_own_update", "wrong", "Net", OWN, [46, 47, 48, 49]),
    ("06_accumulator_alias", "wrong", "Net", [*XOR, "architecture.hidden=[3]"], [29, 30]),
    ("07_deep_tanh_output", "wrong", "Net", COLUMNS, [35, 36]),
    ("09_adam_feedback", "wrong", "Net", [*OWN, "architecture.hidden=[4]"], [47]),
    ("11_n_by_n", "wrong", "Net", [*XOR, "architecture.labels=index", "architecture.hidden=[4]"], [19]),
    ("11_n_by_n", "wrong_flat", "Net", [*XOR, "architecture.hidden=[4]"], [24]),
    ("12_rnn_carry", "wrong", "Net", TABLE, [44]),
    ("15_momentum_delta_rule", "wrong", "Net", OWN, [39, 41]),
    ("15_momentum_delta_rule", "wrong_negated", "Net", XOR, [39, 41]),
]
RIGHT = [
    ("01_softmax_axis", "right", "", DIGITS),
    ("03_uphill_own_update", "right", "Net", OWN),
    ("04_house_unscaled", "wrong", "Net", XOR),
    ("06_accumulator_alias", "right", "Net", [*XOR, "architecture.hidden=[3]"]),
    ("07_deep_tanh_output", "right", "Net", COLUMNS),
    ("07_deep_tanh_output", "half", "Net", COLUMNS),
    ("09_adam_feedback", "right", "Net", [*OWN, "architecture.hidden=[4]"]),
    ("10_marks_unscaled", "wrong", "Net", [*XOR, "architecture.samples=columns"]),
    ("11_n_by_n", "right", "Net", [*XOR, "architecture.labels=index", "architecture.hidden=[4]"]),
    ("11_n_by_n", "right_flat", "Net", [*XOR, "architecture.hidden=[4]"]),
    ("12_rnn_carry", "right", "Net", TABLE),
    ("15_momentum_delta_rule", "right", "Net", OWN),
    ("15_momentum_delta_rule", "delta_right", "Net", OWN),
    ("15_momentum_delta_rule", "delta_right", "Net", XOR),
]


def checked(shared: Path, case: str, file: str, name: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> Check:
    folder = shared / "cases" / "networks"
    monkeypatch.syspath_prepend(str(folder / case))
    sys.modules.pop(file, None)
    network = f"{file}:{name}" if name else file
    given = [word.format(data=folder / "data") for word in words]
    return check_experiment(compose([*given, "architecture=own", f"architecture.network={network}"]), 60)


def named(each: tuple[object, ...]) -> str:
    return f"{each[0]}-{each[1]}"


@pytest.mark.slow
@pytest.mark.parametrize("case", WRONG, ids=named)
def test_the_true_cause_is_found_with_its_line(
    case: tuple[str, str, str, list[str], list[int]], shared_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *which, lines = case
    found = checked(shared_dir, *which, monkeypatch)  # type: ignore[arg-type]
    assert not found.ok
    assert [each.line for each in found.lines] == lines, found.lines


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: f"{case[0]}-{case[1]}-{len(case[3])}")
def test_what_is_right_is_said_to_be(
    case: tuple[str, str, str, list[str]], shared_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = checked(shared_dir, *case, monkeypatch)
    assert found.ok, found.mistake
    assert found.lines == ()
