"""Which settings may be the best: the best is among them, and the others are left out where seeds allow it."""

import math

import numpy as np

from benchmarks import compare as simulated
from runner.sweeps.compare.best import contenders, ranks


def test_the_best_is_among_those_that_may_be_though_ten_were_looked_at() -> None:
    share, size = simulated.among(np.zeros(10), 8, draws=100)  # all even: the first is as good as any
    assert share >= 0.95
    share, size = simulated.among(np.arange(10.0), 8, draws=30)
    assert share >= 0.95
    assert size < 5


def test_settings_that_always_lose_are_left_out_by_eight_seeds_and_not_by_five() -> None:
    order = np.arange(6.0)[:, None, None] + np.zeros((6, 8, 2))
    assert contenders(ranks(order)).tolist() == [True] + [False] * 5
    assert contenders(ranks(order[:, :5])).all()


def test_settings_that_all_diverge_share_the_last_rank() -> None:
    values = np.array([[1.0, 1.0], [math.inf, math.inf], [math.inf, 2.0]])[:, :, None]
    assert ranks(values).tolist() == [[1.0, 2.5, 2.5], [1.0, 3.0, 2.0]]


def test_a_choice_of_other_keys_that_one_setting_lacks_is_left_out_for_all() -> None:
    values = np.array([[[2.0, 1.0]], [[1.0, math.nan]]])
    assert ranks(values).tolist() == [[2.0, 1.0]]
