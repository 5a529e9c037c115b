"""A small part of `python -m benchmarks.line`: mistakes made by machine are found in the line where they were made."""

import sys
from pathlib import Path

import pytest

from benchmarks.line.__main__ import measured
from benchmarks.line.networks import networks


def test_right_networks_are_right_and_no_change_at_another_line_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    chosen = [each for each in networks() if each.name.startswith(("dense", "residual"))][:3]
    outcomes, alarms = measured(chosen, 10, 30, tmp_path)
    assert alarms == []
    seen = [each for each in outcomes if each.seen]
    assert len(seen) >= 4
    assert sum(each.exact for each in seen) >= len(seen) - 1


def test_there_are_many_networks() -> None:
    names = [each.name for each in networks()]
    assert len(names) == len(set(names))
    assert len(names) >= 200
