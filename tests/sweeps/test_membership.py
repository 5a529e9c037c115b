"""A run belongs to the sweep that made it and to those that found it done."""

from pathlib import Path

from runner.runs import journal
from runner.sweeps import membership
from tests.stores import write


def sweeps(directory: Path) -> str:
    found = ""
    for record, _ in journal.read(directory):
        found = (record.get("tags") or {}).get("sweeps", found)
    return found


def test_a_run_that_is_found_done_joins_each_sweep_once(tmp_path: Path) -> None:
    run = write(tmp_path / "run", tags=membership.tags("one"))
    membership.join(run, "one")
    assert sweeps(run) == "one"
    for _ in range(2):
        membership.join(run, "two")
        membership.join(run, "three")
    assert sweeps(run) == "one two three"
    assert journal.status(run) == "finished"


def test_a_run_of_no_sweep_joins_one(tmp_path: Path) -> None:
    run = write(tmp_path / "run")
    membership.join(run, "one")
    assert sweeps(run) == "one"


def test_a_run_that_somebody_is_adding_to_is_left_alone(tmp_path: Path) -> None:
    run = write(tmp_path / "run")
    with journal.Journal.supplement(run):
        membership.join(run, "one")
    assert sweeps(run) == ""
