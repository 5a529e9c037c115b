"""One noisy spiral, cut along its length into classes."""

import random
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le

from datasets.types import Array, Count, DataError, Dataset, Noise, Positive, Rows, Seed


def spiral(
    n: Annotated[int, Ge(2), Le(10_000_000)] = 1000,
    classes: Annotated[int, Ge(2), Le(1000)] = 3,
    turns: Positive = 4.0,
    radius: Positive = 5.0,
    noise: Noise = 1.0,
    seed: Seed = 0,
    rng: Literal["legacy", "default"] = "legacy",
    test_n: Count = 0,
) -> Dataset:
    """A spiral from the centre outwards, whose classes are consecutive stretches of it.

        r_i = linspace(0, radius, n)_i + noise u_i,    θ_i = linspace(0, 2π turns, n)_i,
        x_i = (r_i cos θ_i, r_i sin θ_i),    u_i uniform in [0, 1),
        y_i = c for ⌊n c / k⌋ <= i < ⌊n (c + 1) / k⌋

    Arguments:
        n: training rows.
        classes: k above.
        turns: full turns from the centre to the rim.
        radius: of the spiral, before noise.
        noise: width of the uniform noise on the radius.
        seed: seed of the training draw; the test draw takes seed + 1000.
        rng: legacy is Python's `random.Random`, the draw of the post; default is `numpy.random.default_rng`.
        test_n: test rows, drawn along the whole spiral; 0 makes no test set.

    Returns X (n, 2) and y (n,), in order along the spiral.
    Raises DataError where there are fewer rows than classes.

    Source: the post of case s004 of the reference, whose labels 0, 1, 2 met a single sigmoid.

    >>> import numpy as np
    >>> np.bincount(spiral().train.y).tolist()
    [333, 333, 334]
    """
    if n < classes:
        raise DataError(f"dataset.n={n} rows of spiral cannot hold dataset.classes={classes}; expected n >= classes.")

    def draw(rows: int, seed: int) -> Rows:
        u = _legacy(rows, seed) if rng == "legacy" else np.random.default_rng(seed).random(rows)
        return _along(np.linspace(0, radius, rows) + noise * u, turns, classes)

    return Dataset(
        "spiral",
        train=draw(n, seed),
        test=draw(test_n, seed + 1000) if test_n else None,
        classes=tuple(float(c) for c in range(classes)),
        inputs=("x1", "x2"),
    )


def _along(r: Array, turns: float, classes: int) -> Rows:
    """The rows at the radii `r` (n,), and which stretch of the spiral each is on."""
    theta = np.linspace(0, 2 * np.pi * turns, len(r))
    boundaries = [len(r) * c // classes for c in range(classes + 1)]
    y = np.repeat(np.arange(classes, dtype=np.int64), np.diff(boundaries))
    return Rows(np.column_stack([r * np.cos(theta), r * np.sin(theta)]), y)


def _legacy(rows: int, seed: int) -> Array:
    uniform = random.Random(seed).random
    return np.array([uniform() for _ in range(rows)])
