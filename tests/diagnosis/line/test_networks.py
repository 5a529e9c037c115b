"""Small networks, each wrong in one way that is not in its backward pass, and right ones that look suspicious.

The line of the mistake is marked `# here`; the words it is looked at with stand in the file.
"""

import re
import sys
from pathlib import Path

import pytest

from runner.command.check import check_experiment
from runner.diagnosis.gradient.measure import Check
from runner.experiment.build import compose
from runner.screen.gradient import as_json

NETWORKS = Path(__file__).parent / "networks"


def named(start: str) -> list[str]:
    return sorted(path.stem for path in NETWORKS.glob(f"{start}_*.py"))


def checked(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Check, list[int]]:
    monkeypatch.syspath_prepend(str(NETWORKS))
    sys.modules.pop(name, None)
    text = (NETWORKS / f"{name}.py").read_text()
    (words,) = re.findall(r"^# words: ?(.*)$", text, re.MULTILINE)
    own = ["dataset=xor", "architecture=own", f"architecture.network={name}:Net", *words.split()]
    here = [number for number, line in enumerate(text.splitlines(), 1) if line.endswith("# here")]
    return check_experiment(compose(own), 30), here


@pytest.mark.parametrize("name", named("wrong"))
def test_what_is_wrong_is_found_with_its_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found, here = checked(name, monkeypatch)
    assert not found.ok
    assert found.mistake is not None
    assert [each.line for each in found.lines] == here, (found.mistake, found.lines)


@pytest.mark.parametrize("name", [*named("right"), *named("slopeless")])
def test_what_is_right_is_said_to_be(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = checked(name, monkeypatch)
    assert found.ok, found.mistake
    assert found.lines == ()


@pytest.mark.parametrize("name", named("slopeless"))
def test_no_slope_is_not_called_right(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = checked(name, monkeypatch)
    verdicts = {each["name"]: each["right"] for each in as_json(found)["arrays"]}
    assert verdicts == {"W1": True, "b1": None, "W2": True, "b2": True}
    assert found.note is not None
    assert "b1" in found.note
