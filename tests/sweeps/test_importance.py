"""Which key mattered: the one that does everything is said to, and what does nothing is not."""

import math
from itertools import product

import numpy as np

from runner.sweeps.importance import importance, sentence

GRID = list(product((0.001, 0.01, 0.1, 1.0), ("zeros", "normal"), range(5)))
COLUMNS = {
    "optimizer.lr": [lr for lr, _, _ in GRID],
    "init.name": [init for _, init, _ in GRID],
    "init.scale": [None if init == "zeros" else 1.0 for _, init, _ in GRID],
    "seed": [seed for _, _, seed in GRID],
}


def test_a_key_that_does_everything_has_more_than_nine_tenths() -> None:
    noise = np.random.default_rng(0).normal(size=len(GRID)) * 0.01
    shares = importance(COLUMNS, [lr + more for (lr, _, _), more in zip(GRID, noise, strict=True)])
    assert next(iter(shares)) == "optimizer.lr"
    assert shares["optimizer.lr"] > 0.9
    by_name = importance(COLUMNS, [float(init == "zeros") for _, init, _ in GRID])
    assert by_name["init.name"] > 0.9


def test_keys_that_act_together_only_have_little_alone() -> None:
    values = [float((lr > 0.05) != (init == "zeros")) for lr, init, _ in GRID]
    shares = importance(COLUMNS, values)
    pair, share = next(iter(shares.items()))
    assert pair == "optimizer.lr x init.name"
    assert share > 0.99
    assert "optimizer.lr x init.name 1.00" in sentence(shares, "train/cost")


def test_the_shares_of_a_search_are_those_of_a_forest() -> None:
    """Where values are drawn no combination comes twice."""
    rng = np.random.default_rng(0)
    lr, width = rng.uniform(0.1, 1.0, 60), rng.uniform(0.0, 1.0, 60)
    shares = importance({"optimizer.lr": lr.tolist(), "init.scale": width.tolist()}, (3 * lr + 0.1 * width).tolist())
    assert shares["optimizer.lr"] > 0.9
    assert shares["init.scale"] < 0.05


def test_a_key_that_follows_from_another_is_not_named_beside_it() -> None:
    assert "init.scale" not in importance(COLUMNS, [lr for lr, _, _ in GRID])


def test_a_run_that_diverged_counts_as_the_worst() -> None:
    values = [math.inf if lr == 1.0 else 0.5 for lr, _, _ in GRID]
    assert importance(COLUMNS, values)["optimizer.lr"] > 0.9


def test_where_nothing_differs_nothing_is_said() -> None:
    assert importance(COLUMNS, [1.0] * len(GRID)) == {}
    assert importance({"seed": [0, 1]}, [1.0, 2.0]) == {}
    assert importance({"seed": [0] * 9}, list(map(float, range(9)))) == {}
    assert sentence({}, "train/cost") == ""
