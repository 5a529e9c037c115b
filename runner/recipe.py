"""A recipe: everything that the training of one network needs, as arrays and functions. NumPy only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from runner.nn.activations import Activation
from runner.nn.faults import Fault
from runner.nn.initializers import Generator, Initializer, draw
from runner.nn.losses import Head
from runner.nn.optimizers import Optimizer
from runner.nn.schedules import Schedule
from runner.nn.types import Array


class Data(NamedTuple):
    """`X` (n, d), the targets `Y` (n, outputs) that the loss sees, and `y` (n,) that the score sees."""

    X: Array
    Y: Array
    y: np.ndarray


@dataclass(frozen=True)
class Plan:
    """How long, in what portions, and what is looked at: all resolved to numbers."""

    iterations: int
    batch_size: int  # the number of rows where it is the full batch
    log_every: int
    checkpoint_every: int | None = None
    patience: int | None = None  # iterations without a better objective before a member stops
    objective: str = "train/cost"
    mode: Literal["min", "max"] = "min"
    shrink: bool = True  # train on the coordinates of the rows, where that changes nothing


@dataclass(frozen=True)
class Recipe:
    """Everything that the training of one network needs, as arrays and functions."""

    sets: Mapping[str, Data]  # "train", and where there are any "val" and "test"
    widths: tuple[int, ...]
    activation: Activation
    head: Head
    score: Callable[[Array, Data], Array]
    optimizer: Callable[..., Optimizer]
    schedule: Schedule
    plan: Plan
    initializer: Initializer
    fault: Fault = field(default_factory=Fault)
    optimizer_arguments: Mapping[str, Any] = field(default_factory=dict)
    l2: float = 0.0
    dropout: float = 0.0
    seed: int = 0
    rng: Literal["default", "legacy"] = "default"
    dtype: Literal["float64", "float32"] = "float64"

    def initial_parameters(self) -> Array:
        """θ (P,) at step 0. `rng="legacy"` draws from RandomState(seed), as published programs do."""
        generator: Generator = (
            np.random.RandomState(self.seed) if self.rng == "legacy" else np.random.default_rng([self.seed, WEIGHTS])
        )
        theta = draw(self.initializer, generator, self.widths).astype(self.dtype)
        return theta if self.fault.theta0 is None else self.fault.theta0(theta, self.widths)


# One seed, independent streams: the second word of each generator's seed.
WEIGHTS, BATCHES, DROPOUT, DROPOUT_AT_TEST = 0, 1, 2, 3
