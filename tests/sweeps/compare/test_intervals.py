"""What pairs of runs prove: intervals that cover what they must, for few seeds and any distribution."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from benchmarks import compare as simulated
from runner.sweeps.compare import intervals
from runner.sweeps.compare.intervals import chance, difference, effect, needed, wins

COSTS = arrays.arrays(
    float, st.tuples(st.integers(1, 12), st.integers(1, 3)), elements=st.sampled_from([0.0, 1.0, 2.0, 5.0, math.inf])
)


@given(st.data())
def test_what_is_said_of_a_and_b_is_the_mirror_of_what_is_said_of_b_and_a(data: st.DataObject) -> None:
    a = data.draw(COSTS)
    b = data.draw(arrays.arrays(float, a.shape, elements=st.sampled_from([0.0, 1.0, 3.0, math.inf])))
    one, other = chance(wins(a, b)), chance(wins(b, a))
    np.testing.assert_allclose(one, (1 - other.at, 1 - other.high, 1 - other.low), atol=1e-9)
    assert one.low <= one.at <= one.high
    assert effect(a, b) == pytest.approx(-effect(b, a))


@pytest.mark.parametrize("world", ["skewed", "blocks"])
def test_the_intervals_cover_the_truth_of_simulated_settings(world: str) -> None:
    """The long version, for 5, 10 and 30 seeds and more distributions, is in benchmarks/RESULTS.md."""
    found = simulated.coverage(simulated.WORLDS[world], 10, draws=300)
    assert found["chance"] >= 0.93
    assert found["difference"] >= 0.93


def test_of_two_even_settings_none_is_called_better_too_often() -> None:
    assert simulated.coverage(simulated.even, 10, draws=300)["false"] <= 0.05


def test_five_seeds_prove_nothing_and_six_can() -> None:
    assert not chance(np.ones((5, 1))).clears(0.5)
    assert chance(np.ones((6, 1))).clears(0.5)
    assert needed(1.0) == 6


def test_the_blocks_of_a_seed_count_for_more_only_where_they_differ() -> None:
    """Four pairs a seed that all agree are one; four that go their own ways are up to four."""
    seeds = np.array([1, 1, 1, 0, 1, 1, 0, 1, 1, 1], dtype=float)[:, None]
    alike, alone = chance(np.repeat(seeds, 4, axis=1)), chance(seeds)
    np.testing.assert_allclose(alike, alone)
    mixed = chance(np.random.default_rng(0).permuted(np.repeat(seeds, 4, axis=1).ravel()).reshape(10, 4))
    assert mixed.high - mixed.low < 0.8 * (alone.high - alone.low)


def test_folds_that_share_rows_prove_less_than_seeds() -> None:
    won = np.ones((5, 1))
    assert chance(won, folds=5).low < chance(won).low
    a, b = np.zeros((5, 1)), np.arange(5.0)[:, None]
    apart = difference(a, b, folds=5)
    student = 2.776 * math.sqrt(2.5 * (1 / 5 + 1 / 4))  # t of 4 degrees of freedom, variance 2.5
    assert apart == pytest.approx((2.0, 2.0 - student, 2.0 + student), rel=1e-3)


def test_runs_that_diverged_lose_and_are_equal_among_themselves() -> None:
    a, b = np.array([[1.0], [math.inf], [2.0]]), np.array([[math.inf], [math.inf], [1.0]])
    assert wins(a, b).ravel().tolist() == [1.0, 0.5, 0.0]
    assert difference(a, b).at == 0.0


def test_with_so_many_seeds_it_is_told_with_the_power_that_was_asked_for() -> None:
    n = needed(0.8)
    assert n is not None
    rng = np.random.default_rng(0)
    told = [chance((rng.random((n, 1)) < 0.8).astype(float)).low > 0.5 for _ in range(400)]
    assert 0.74 < np.mean(told) < 0.9
    assert needed(0.5) is None
    assert needed(0.2) == n


def test_a_pair_without_a_partner_is_left_out() -> None:
    a, b = np.array([[1.0], [math.nan], [1.0]]), np.array([[2.0], [0.0], [2.0]])
    assert chance(wins(a, b)) == chance(np.ones((2, 1)))
    assert intervals.chance(wins(a[1:2], b[1:2]))[1:] == (0.0, 1.0)
