"""Successive halving: who goes on at a rung, and that those who go on do not notice."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.experiment.build import compose
from runner.sweeps.search.halving import Halving, at_rungs, rung_steps
from runner.training.recipe import Recipe
from runner.training.train import End, Prune, Rows, train

VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@given(VALUES, VALUES, st.integers(2, 5))
def test_one_in_so_many_of_all_that_came_goes_on(before: list[float], values: list[float], reduction: int) -> None:
    pools = [list(before)]
    stops = Halving(100, reduction, pools)(60, np.array(values))
    best = sorted([*before, *values])[: math.ceil((len(before) + len(values)) / reduction)]
    np.testing.assert_array_equal(stops, [value > best[-1] for value in values])
    assert pools == [[*before, *values]]


def test_nothing_is_decided_between_rungs_and_each_rung_only_once() -> None:
    halving = Halving(90, 3, [[], []])
    values = np.array([0.3, 0.2, 0.1])
    assert not halving(9, values).any()
    assert halving(10, values).tolist() == [True, True, False]
    assert not halving(29, values).any()
    assert halving(35, values).tolist() == [True, True, False]
    assert not halving(80, values).any()


def test_what_is_not_finite_is_the_worst() -> None:
    stops = Halving(90, 2, [[]])(45, np.array([np.nan, 0.5, np.inf, 0.4]))
    assert stops.tolist() == [True, False, True, False]


def test_a_runs_rows_say_what_it_was_at_each_rung_it_came_to() -> None:
    steps = rung_steps(iterations=270, reduction=3, rungs=3)
    assert steps == [10, 30, 90]
    rows = {step: 1 / (1 + step) for step in range(0, 60, 7)}
    assert at_rungs(rows, steps) == [rows[14], rows[35]]


@pytest.fixture(scope="module")
def recipes() -> list[Recipe]:
    common = ["dataset=xor", "optimizer=gd", "training.iterations=200", "training.log_every=10"]
    rates = [0.01, 3.0, 0.3, 1.0, 30.0, 0.1]
    return [compose([*common, f"optimizer.lr={lr}", f"seed={seed}"]).recipe for seed, lr in enumerate(rates)]


def trained(recipes: list[Recipe], prune: Prune | None = None) -> tuple[dict[int, dict], dict[int, End]]:
    rows: dict[int, dict] = {member: {} for member in range(len(recipes))}
    ends: dict[int, End] = {}
    for event in train(recipes, prune=prune):
        match event:
            case Rows(step, members, values):
                for place, member in enumerate(members.tolist()):
                    rows[member][step] = {key: column[place] for key, column in values.items()}
            case End():
                ends[event.member] = event
    return rows, ends


@pytest.mark.parametrize("reduction", [2, 3])
def test_those_that_go_on_do_not_notice_and_those_that_stop_keep_their_rows(
    recipes: list[Recipe], reduction: int
) -> None:
    rows, ends = trained(recipes, Halving(200, reduction, [[], [], []]))
    statuses = [ends[member].status for member in range(len(recipes))]
    assert {"finished", "pruned"} == set(statuses)
    for member, recipe in enumerate(recipes):
        (alone,), (end,) = (list(found.values()) for found in trained([recipe]))
        kept = rows[member]
        if statuses[member] == "finished":
            assert kept == alone
            np.testing.assert_array_equal(ends[member].theta, end.theta)
        else:
            # The last row is of the final weights, one update after the row at which it was stopped.
            *before, last = kept
            assert ends[member].step == last < 199
            assert [kept[step] for step in before] == [alone[step] for step in before]
            assert last - before[-1] == 1


def test_a_member_that_has_left_the_numbers_ends_as_diverged_not_as_pruned() -> None:
    wild = compose(["experiment=posts/xor", "fault=flipped_sign", "training.log_every=275"]).recipe
    _, ends = trained([wild], lambda step, objective: np.array([step == 275]))
    assert ends[0].status == "diverged"
    assert ends[0].nonfinite is not None


def test_what_is_pruned_by_is_the_objective_the_less_the_better(recipes: list[Recipe]) -> None:
    seen: list[np.ndarray] = []

    def look(step: int, objective: np.ndarray) -> np.ndarray:
        seen.append(objective)
        return np.zeros(len(objective), dtype=bool)

    plan = dataclasses.replace(recipes[0].plan, objective="train/accuracy", mode="max")
    rows, _ = trained([dataclasses.replace(recipe, plan=plan) for recipe in recipes[:2]], look)
    assert [values.tolist() for values in seen] == [
        [-rows[member][step]["train/accuracy"] for member in (0, 1)] for step in range(0, 199, 10)
    ]
