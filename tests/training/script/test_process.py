"""Limits of the processes that scripts run in."""

import time

import numpy as np
import pytest

from runner.training.script.process import Limits, run_all

MB = 1 << 20


def allocate(size: int) -> None:
    held = np.ones(size, dtype=np.uint8)
    time.sleep(2)
    assert held.all()


@pytest.mark.parametrize(("size", "ended"), [(10 * MB, ""), (600 * MB, "memory")])
def test_what_a_script_takes_counts_and_not_what_it_was_forked_from(size: int, ended: str) -> None:
    ours = np.ones(600 * MB, dtype=np.uint8)
    limits = Limits(seconds=60, memory=450 * MB)
    [(place, how)] = run_all([(lambda: allocate(size), limits)], at_once=1)
    assert (place, how.why) == (0, ended)
    assert ours.all()
