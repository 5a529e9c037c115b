"""What is said of scripts: right ones are told so, wrong ones their line, and nothing of theirs is touched."""

from pathlib import Path

import pytest

from runner.diagnosis.script.explain import as_json, explain
from runner.diagnosis.script.lines import check
from runner.diagnosis.script.sentences import mistake_of
from runner.training.script.copies import scratch
from runner.training.script.source import read
from runner.training.script.understand import Told, understand

RIGHT = sorted((Path(__file__).parents[3] / "benchmarks" / "script" / "right").glob("*.py"))
MOONS = next(path for path in RIGHT if path.stem == "script_level_moons")

# In a right script: what stands there, what is put in its place.
WRONG = {
    "derivative": ("dA1 * (1 - A1**2)", "dA1 * (1 - A1)"),
    "sign": ("dZ2 = (A2 - Y) / m", "dZ2 = (A2 + Y) / m"),
    "update": ("W1 -= learning_rate * dW1", "W1 += learning_rate * dW1"),
}


@pytest.mark.slow
@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_right_scripts_are_told_that_their_gradients_are_right(path: Path) -> None:
    place = scratch()
    found = check(understand(read(path), Told(), place), (), place, 60)
    assert found.ok, found


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_line_is_named_and_mended(name: str, tmp_path: Path) -> None:
    before, after = WRONG[name]
    text = MOONS.read_text()
    assert before in text
    path = tmp_path / "script.py"
    path.write_text(text.replace(before, after))
    report = explain(path, Told(), 60, cures=False)
    mistake = mistake_of(report)
    assert mistake is not None
    assert after in mistake["text"]
    assert report.code == 1
    assert [each.name for each in tmp_path.iterdir()] == ["script.py"]


def test_the_object_of_a_right_script_has_what_graders_read(tmp_path: Path) -> None:
    report = explain(MOONS, Told(), 60)
    made = as_json(report)
    assert made["ok"]
    assert report.code == 0
    assert made["script"]["parameters"] == ["W1", "b1", "W2", "b2"]
    assert made["script"]["cost"]["name"] == "cost"
    assert made["script"]["iterations"] == 1500
    assert made["mistakes"] == []
    assert made["first_nonfinite"] is None


@pytest.mark.parametrize(("post", "text"), [("xor", "dal = "), ("parity", "['dA'+str(len(self.dimensions)-1)] = ")])
def test_of_a_post_the_wrong_line_is_named(post: str, text: str, shared_dir: Path) -> None:
    source = read(shared_dir / "posts" / f"{post}.py")
    place = scratch()
    found = check(understand(source, Told(), place), (), place, 60)
    assert found.place is not None
    assert text in source.line(found.place["line"])


def test_the_first_bad_value_of_a_post_has_its_step_and_line(shared_dir: Path) -> None:
    report = explain(shared_dir / "posts" / "xor.py", Told(), 60, cures=False)
    assert report.bad is not None
    assert (report.bad.step, report.bad.value, report.bad.site.name) == (275, "inf", "cost")
