"""Runs side by side: what is paired with what, and what is said where nothing is."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.screen import compare as screen
from runner.sweeps.compare.matched import CompareError, matched
from runner.sweeps.compare.verdict import needed, standings
from runner.sweeps.table import Row, Runs

OWN = {"objective.metric": "auto", "objective.mode": "auto"}


def row(status: str = "finished", **columns: Any) -> Row:
    named = {key.replace("__", "."): value for key, value in columns.items()}
    cost = named.pop("cost", 1.0)
    return Row(Path("."), {"run": "", "status": status, **OWN, **named, "train/cost": cost, "train/accuracy": 1 - cost})


def grid(seeds: int = 8) -> Runs:
    """gd and adam at two rates; adam, which alone has a beta1, costs less, and diverges once."""
    rows = []
    for name, lr, seed in product(("gd", "adam"), ("0.1", "0.01"), range(seeds)):
        own = {"optimizer__beta1": "0.9"} if name == "adam" else {}
        ended = "diverged" if (name, lr, seed) == ("adam", "0.1", 0) else "finished"
        cost = (0.5 if name == "gd" else 0.2) + 0.01 * seed
        rows.append(row(ended, optimizer__name=name, optimizer__lr=lr, seed=seed, cost=cost, **own))
    return Runs(rows)


def test_settings_are_paired_over_the_other_keys_and_the_seeds() -> None:
    found = matched(grid(), "optimizer")
    assert (found.by, found.settings, found.others) == (["optimizer.name"], ["gd", "adam"], ["optimizer.lr"])
    assert found.values.shape == (2, 8, 2)
    best, worse = standings(found)
    assert (best.name, best.diverged, worse.pairs) == ("adam", 1, 16)
    assert worse.better is not None
    assert worse.better.at == pytest.approx(15 / 16)
    assert not worse.contends


def test_a_metric_of_which_more_is_better_is_compared_so() -> None:
    best, _ = standings(matched(grid(), "optimizer.name", "train/accuracy"))
    assert (best.name, best.median) == ("adam", pytest.approx(0.76))  # the one that diverged is the least


def test_without_a_key_the_whole_settings_are_compared() -> None:
    found = matched(grid(), None)
    assert found.settings[0] == "optimizer.name=gd optimizer.lr=0.1"
    assert len(found.settings) == 4
    assert found.others == []


def test_without_seeds_the_other_keys_are_what_is_repeated() -> None:
    found = matched(grid(seeds=1), "optimizer.name")
    assert found.values.shape == (2, 2, 1)
    assert "choices of the other keys cannot tell" in " ".join(screen.sentences(found, standings(found)))


def test_runs_that_were_stopped_are_left_out_and_said() -> None:
    runs = Runs([*grid(), row("pruned", optimizer__name="adam", optimizer__lr="1.0", seed=0)])
    found = matched(runs, "optimizer.name")
    assert found.left_out == 1
    assert any("1 runs are left out" in line for line in screen.sentences(found, standings(found)))


def test_settings_without_a_common_seed_are_not_compared() -> None:
    rows = [
        row(optimizer__name=name, seed=seed) for name, seeds in (("gd", (0, 1)), ("adam", (2, 3))) for seed in seeds
    ]
    found = standings(matched(Runs(rows), "optimizer.name"))
    assert all(one.contends for one in found)
    assert found[1].pairs == 0


def test_what_cannot_be_compared_is_said() -> None:
    with pytest.raises(CompareError, match=r"Did you mean 'optimizer.name'"):
        matched(grid(), "optimiser.name")
    with pytest.raises(CompareError, match=r"--by=dataset.name: the runs have no key"):
        matched(grid(), "dataset.name")
    with pytest.raises(CompareError, match=r"Did you mean 'train/accuracy'"):
        matched(grid(), "optimizer.name", "train/acuracy")
    with pytest.raises(CompareError, match="one setting: They differ in seed"):
        matched(Runs(row(seed=seed) for seed in range(3)), None)
    with pytest.raises(CompareError, match="None of these runs has ended"):
        matched(Runs([row("killed")]), None)


def test_more_seeds_are_asked_for_where_settings_cannot_be_told_apart() -> None:
    costs = {"gd": np.full(10, 0.5), "adam": np.where(np.arange(10) < 7, 0.4, 0.6)}  # adam is better in 7 of 10
    rows = [
        row(optimizer__name=name, seed=seed, cost=float(cost))
        for name, column in costs.items()
        for seed, cost in enumerate(column)
    ]
    found = standings(matched(Runs(rows), "optimizer.name"))
    answer = needed(found, 10)
    assert answer is not None
    assert answer[0].contends
    assert answer[1] is not None
    assert answer[1] > 0
    assert needed(standings(matched(grid(), "optimizer.name")), 8) is None
