"""Schedules: the factor on the learning rate, step by step."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.experiment.schema import options
from runner.nn import schedules

SCHEDULES = options(schedules, "Schedule")
# Arguments that slow down within the few steps looked at, and each schedule's equation with u the share done.
ARGUMENTS: dict[str, dict[str, Any]] = {"step": {"every": 7}, "exponential": {"half_life": 9.0}}
FORMULAS = {
    "constant": lambda t, total, warmup: 1.0,
    "step": lambda t, total, warmup: 0.5 ** math.floor(t / 7),
    "exponential": lambda t, total, warmup: math.exp(-t * math.log(2) / 9),
    "cosine": lambda t, total, warmup: (1 + math.cos(math.pi * max(0, t - warmup) / (total - warmup))) / 2,
}
each = pytest.mark.parametrize("name", SCHEDULES)


def factors(name: str, total: int, **arguments: Any) -> list[float]:
    factor = SCHEDULES[name](**ARGUMENTS.get(name, {}) | arguments).factor
    return [factor(t, total) for t in range(total)]


@each
@given(total=st.integers(2, 60), data=st.data())
def test_the_factor_is_the_published_equation_times_a_linear_warm_up(name: str, total: int, data: st.DataObject):
    assert name in FORMULAS, f"write down what {name} computes, in plain Python"
    warmup = data.draw(st.integers(0, total - 1))
    rise = [min(1, (t + 1) / warmup) if warmup else 1 for t in range(total)]
    expected = [rise[t] * FORMULAS[name](t, total, warmup) for t in range(total)]
    assert factors(name, total, warmup=warmup) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@each
@given(total=st.integers(1, 60), warmup=st.integers(0, 80))
def test_the_factor_stays_between_nothing_and_the_full_rate(name: str, total: int, warmup: int):
    assert all(0 < factor <= 1 for factor in factors(name, total, warmup=warmup))


@each
@given(total=st.integers(2, 60), warmup=st.integers(0, 20))
def test_after_the_warm_up_the_rate_never_rises(name: str, total: int, warmup: int):
    after = factors(name, total, warmup=warmup)[warmup:]
    assert after == sorted(after, reverse=True)


@each
def test_without_warm_up_the_first_update_has_the_full_rate(name: str):
    assert factors(name, 10)[0] == 1


@each
@pytest.mark.parametrize("total", [0, 1, 2])
def test_a_warm_up_longer_than_the_run_is_no_error(name: str, total: int):
    assert 0 < SCHEDULES[name](warmup=10).factor(0, total) <= 0.1


def test_the_warm_up_rises_in_equal_steps_and_its_last_is_the_full_rate():
    assert factors("constant", 6, warmup=4) == [0.25, 0.5, 0.75, 1, 1, 1]


@given(final=st.floats(0, 0.99), warmup=st.integers(0, 20))
def test_cosine_begins_at_one_ends_at_its_final_factor_and_is_halfway_in_the_middle(final: float, warmup: int):
    factor = schedules.cosine(final=final, warmup=warmup).factor
    total = warmup + 100
    found = [factor(t, total) for t in (warmup, warmup + 50, total)]
    assert found == pytest.approx([1, (1 + final) / 2, final], abs=1e-12)


def test_exponential_halves_every_half_life():
    factor = schedules.exponential(half_life=10).factor
    assert [factor(t, 100) for t in (0, 10, 20, 30)] == [1, 0.5, 0.25, 0.125]


def test_step_multiplies_by_its_factor_every_so_many_steps():
    factor = schedules.step(every=3, factor=0.1).factor
    assert [factor(t, 9) for t in range(9)] == pytest.approx([1] * 3 + [0.1] * 3 + [0.01] * 3)
