"""The planar flower: two classes that share the petals of a rose curve."""

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le

from datasets.types import Array, Count, Dataset, Noise, Positive, Rows, Seed


def flower(
    n: Annotated[int, Ge(2), Le(10_000_000)] = 400,
    petals: Annotated[int, Ge(1), Le(1000)] = 4,
    radius: Positive = 4.0,
    noise: Noise = 0.2,
    seed: Seed = 1,
    rng: Literal["legacy", "default"] = "legacy",
    test_n: Count = 0,
) -> Dataset:
    """Two classes on the petals of a noisy rose.

        t = linspace(3.12 j, 3.12 (j + 1), N) + noise ε,    r = radius sin(petals t) + noise ε',
        x = (r sin t, r cos t),    y = j,    for j = 0, 1, with ε, ε' standard normal

    The N draws for t come before the N draws for r, class 0 before class 1. With the defaults these are the
    points of the course, bit for bit.

    Arguments:
        n: training rows; class 0 has n // 2 of them.
        petals: petals of each class.
        radius: length of a petal.
        noise: standard deviation, of the angle in radians and of the radius.
        seed: seed of the training draw; the test draw takes seed + 1000.
        rng: legacy is `numpy.random.RandomState`, the published draw; default is `numpy.random.default_rng`.
        test_n: test rows; 0 makes no test set.

    Returns X (n, 2) and y (n,), class 0 first.

    Source: deeplearning.ai, Neural Networks and Deep Learning, week 3, `load_planar_dataset`.

    >>> flower().train.X[0].round(6).tolist()
    [1.204442, 3.576114]
    """

    def draw(rows: int, seed: int) -> Rows:
        randn = np.random.RandomState(seed).randn if rng == "legacy" else np.random.default_rng(seed).standard_normal
        halves = [_petals(j, N, petals, radius, noise, randn) for j, N in enumerate((rows // 2, rows - rows // 2))]
        y = np.repeat(np.arange(2, dtype=np.int64), [len(half) for half in halves])
        return Rows(np.concatenate(halves), y)

    return Dataset(
        "flower",
        train=draw(n, seed),
        test=draw(test_n, seed + 1000) if test_n else None,
        classes=(0.0, 1.0),
        inputs=("x1", "x2"),
    )


def _petals(j: int, N: int, petals: int, a: float, noise: float, randn: Callable[[int], Array]) -> Array:
    # The order of the draws and of the operations is the source's: other rounding is other published digits.
    t = np.linspace(j * 3.12, (j + 1) * 3.12, N) + randn(N) * noise
    r = a * np.sin(petals * t) + randn(N) * noise
    return np.column_stack([r * np.sin(t), r * np.cos(t)])  # (N, 2)
