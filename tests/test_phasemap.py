"""The phase map: every run has one outcome, and what is said of many can be counted again."""

import re

from hypothesis import given
from hypothesis import strategies as st

from runner.phasemap import (
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
            there = [point for point in points if within(point, words)]
            count = sum(point.outcome == name for point in there)
            assert (count, len(there)) == (int(hits), int(of))
            assert count == len(there) if which == "all" else count < len(there)
            assert 2 * count >= len(there)


def test_a_swept_key_that_is_no_number_is_no_axis() -> None:
    points = [Point({"init": "zeros", "lr": 1, "bias": True, "seed": 0}, LEARNS)]
    assert axes(points) == ["lr"]


def test_the_map_as_data_has_every_pair_of_keys() -> None:
    points = [Point({"a": a, "b": b, "c": 1 + a, "seed": 0}, LEARNS) for a in (1, 2) for b in (1, 2)]
    assert [(one["x"], one["y"]) for one in table(points)["maps"]] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [one["y"] for one in table([Point({"a": 1}, SHORT)])["maps"]] == [None]
    assert table([Point({"init": "zeros"}, SHORT)])["maps"] == []
