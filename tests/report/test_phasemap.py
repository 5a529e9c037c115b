"""The phase map: every run has one outcome, and what is said of many can be counted again."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runner.report.phasemap import (
    BASE_RATE,
    LEARNS,
    NONE,
    NONFINITE,
    OUTCOMES,
    RISES,
    SHORT,
    Point,
    axes,
    cells,
    outcome,
    sentences,
    table,
)

ROOT = Path(__file__).resolve().parents[2]
VALUES = st.sampled_from([0.01, 0.1, 0.5, 1.0, 2.0])
POINTS = st.lists(
    st.builds(
        lambda lr, scale, seed, name: Point({"lr": lr, "scale": scale, "seed": seed}, name),
        *(VALUES, VALUES, st.integers(0, 3), st.sampled_from(OUTCOMES)),
    ),
    min_size=1,
    max_size=60,
)


def ended(status: str = "finished", cost: float = 0.5, reached: bool = False) -> dict[str, object]:
    target = {"metric": "train/cost", "value": 0.1, "reached": reached}
    last = {"train/cost": cost}
    return {"status": status, "target": target, "constant_predictor_cost": 0.6931, "metrics": {"last": last}}


def test_each_outcome_has_its_definition() -> None:
    assert outcome(ended(reached=True), 0.7) == LEARNS
    assert outcome(ended(cost=0.69), 0.7) == BASE_RATE
    assert outcome(ended(cost=0.95), 0.7) == RISES
    assert outcome(ended(cost=0.9), 0.7) == SHORT
    assert outcome(ended(cost=0.69), 0.5) == RISES  # it was lower once
    assert outcome(ended("diverged", float("nan")), 0.7) == NONFINITE
    assert outcome(ended("diverged", reached=True), 0.7) == NONFINITE
    for status in ("error", "pruned", "interrupted"):
        assert outcome(ended(status), 0.7) == NONE


@given(POINTS)
def test_every_run_is_in_one_cell_whatever_the_keys(points: list[Point]) -> None:
    for y in ("scale", None):
        found = cells(points, "lr", y)
        assert sum(cell.runs for cell in found) == len(points)
        assert len({(cell.x, cell.y) for cell in found}) == len(found)
        for cell in found:
            own = [p for p in points if p.values["lr"] == cell.x and (y is None or p.values["scale"] == cell.y)]
            assert dict(cell.counts) == {name: n for name in OUTCOMES if (n := sum(p.outcome == name for p in own))}


def within(point: Point, words: str) -> bool:
    """Whether a run is in a range of values as a sentence has it: read back from its words."""
    key, _, rest = words.partition(" ")
    value = float(point.values[key])
    if match := re.fullmatch(r"up to (\S+)", rest):
        return value <= float(match[1])
    if match := re.fullmatch(r"(\S+) and above", rest):
        return value >= float(match[1])
    if match := re.fullmatch(r"(\S+) \.\. (\S+)", rest):
        return float(match[1]) <= value <= float(match[2])
    return value == float(rest)


@given(POINTS)
def test_every_sentence_can_be_counted_again(points: list[Point]) -> None:
    for sentence in sentences(points):
        head, *parts = sentence.split("; ")
        name, hits, of = re.fullmatch(r"(.+): (\d+) of (\d+) runs", head).groups()  # type: ignore[union-attr]
        having = [point for point in points if point.outcome == name]
        assert (len(having), len(points)) == (int(hits), int(of))
        for part in parts:
            if part.startswith("only with "):
                ranges = re.split(r" and (?=lr|scale)", part.removeprefix("only with "))
                assert all(within(point, words) for point in having for words in ranges)
                continue
            which, words, hits, of = re.fullmatch(  # type: ignore[union-attr]
                r"(all|most) of those with (.+) \((\d+) of (\d+)\)", part
            ).groups()
            ranges = re.split(r" and (?=lr|scale)", words)
            there = [point for point in points if all(within(point, each) for each in ranges)]
            count = sum(point.outcome == name for point in there)
            assert (count, len(there)) == (int(hits), int(of))
            assert count == len(there) if which == "all" else count < len(there)
            assert 2 * count > len(there)


def test_a_swept_key_that_is_no_number_is_no_axis() -> None:
    points = [Point({"init": "zeros", "lr": 1, "bias": True, "seed": 0}, LEARNS)]
    assert axes(points) == ["lr"]


def test_the_map_as_data_has_every_pair_of_keys() -> None:
    points = [Point({"a": a, "b": b, "c": 1 + a, "seed": 0}, LEARNS) for a in (1, 2) for b in (1, 2)]
    assert [(one["x"], one["y"]) for one in table(points)["maps"]] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [one["y"] for one in table([Point({"a": 1}, SHORT)])["maps"]] == [None]
    assert table([Point({"init": "zeros"}, SHORT)])["maps"] == []


def test_the_flowers_borders_are_those_of_the_reference_and_of_a_direct_count(tmp_path: Path) -> None:
    """The posted loss: non-finite above a rate of .6 only; the base rate for tiny weights at small rates."""
    rates, scales = (0.003, 0.1, 0.6, 10.0), (0.001, 1.0)
    words = ["experiment=posts/flower", "training.iterations=800", "seed=range(20)", "tracking=none", "plots=true"]
    words += ["training.target={metric:train/cost,value:0.6}", "diagnosis=none", "hydra.sweep.dir=sweep"]
    words += [f"optimizer.lr={','.join(map(str, rates))}", f"init.scale={','.join(map(str, scales))}"]
    command = [sys.executable, "-m", "runner", "-m", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=300)
    told = json.loads((tmp_path / "sweep" / "phasemap.json").read_text())
    counted: dict[tuple[float, float], dict[str, int]] = {}
    for path in (tmp_path / "sweep").glob("*/journal.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        params = lines[0]["params"]
        if "optimizer.lr" not in params:
            continue  # the sweep's own run
        costs = [line["values"]["train/cost"] for line in lines if line["kind"] == "row"]
        last, bad = costs[-1], any(not math.isfinite(float(cost)) for cost in costs)
        name = "non-finite" if bad else "learns" if last <= 0.6 else "blows up" if last > 1.3 * costs[0] else ""
        name = name or ("at the base rate" if abs(last / math.log(2) - 1) <= 0.01 else "falls short")
        cell = counted.setdefault((params["optimizer.lr"], params["init.scale"]), {})
        cell[name] = cell.get(name, 0) + 1
    assert {(cell["x"], cell["y"]): cell["counts"] for cell in told["maps"][0]["cells"]} == counted
    assert sum(sum(cell.values()) for cell in counted.values()) == 160
    assert all("non-finite" not in cell for (rate, _), cell in counted.items() if rate <= 0.6)
    assert counted[10.0, 1.0]["non-finite"] >= 18
    assert counted[0.003, 0.001] == {"at the base rate": 20}
    assert any("all of those with" in line and "base rate" in line for line in told["sentences"])
