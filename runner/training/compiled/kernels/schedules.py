"""Kernels of the schedules: the factor on the learning rate at step t. One function each, as in runner.nn.schedules.

`c` are the schedule's own arguments, in the order of `NUMBERS`. A schedule without a kernel here is trained by NumPy.
"""

import math

from runner.training.compiled.kernels.jit import kernel

NUMBERS = ["warmup", "every", "factor", "half_life", "final"]
WARMUP, EVERY, FACTOR, HALF_LIFE, FINAL = range(5)


@kernel
def constant(t, total, c):
    """1."""
    return 1.0


@kernel
def step(t, total, c):
    """factor ** floor(t / every)."""
    return c[FACTOR] ** float(t // int(c[EVERY]))


@kernel
def exponential(t, total, c):
    """2 ** (-t / half_life)."""
    return 2.0 ** (-t / c[HALF_LIFE])


@kernel
def cosine(t, total, c):
    """final + (1 - final) (1 + cos(π u)) / 2, u the share of the steps after the warm-up that are done."""
    warmup = int(c[WARMUP])
    u = min(1.0, max(0, t - warmup) / max(1, total - warmup))
    return c[FINAL] + (1.0 - c[FINAL]) * (1.0 + math.cos(math.pi * u)) / 2.0


KERNELS = [constant, step, exponential, cosine]


@kernel
def factor(kind, t, total, c):
    """The factor of step t of `total`, with the warm-up."""
    if kind == 1:
        found = step(t, total, c)
    elif kind == 2:
        found = exponential(t, total, c)
    elif kind == 3:
        found = cosine(t, total, c)
    else:
        found = constant(t, total, c)
    return found * min(1.0, (t + 1) / c[WARMUP]) if c[WARMUP] > 0 else found
