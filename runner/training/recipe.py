"""A recipe: everything that the training of one network needs, as arrays and functions. NumPy only."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from runner.nn.activations import Activation
from runner.nn.architectures import Own
from runner.nn.faults import Fault
from runner.nn.initializers import Generator, Initializer, draw
from runner.nn.losses import Head
from runner.nn.optimizers import Optimizer
from runner.nn.schedules import Schedule
from runner.nn.types import Array
from runner.training.script.program import Program


class Data(NamedTuple):
    """`X` (n, d), the targets `Y` (n, outputs) that the loss sees, and `y` (n,) that the score sees.

    `variance` is that of the targets of the whole set, where these rows are only a part of it.
    """

    X: Array
    Y: Array
    y: np.ndarray
    variance: float | None = None


class Named(NamedTuple):
    """What a configuration calls the parts of a recipe: an engine finds its kernels by these names.

    `labels` are those of a single output, ascending; empty for one output a class, None for a regression.
    """

    activation: str
    output: str
    loss: str
    epsilon: float
    schedule: str
    schedule_arguments: Mapping[str, float]
    labels: tuple[float, ...] | None


class OwnSource(NamedTuple):
    """A network of the user's own: how to make it, and what was found of it before the run.

    `layout` is the name and shape of each array of parameters, in the order of θ; `classes` 0 for a regression;
    `predicts` whether it says what it predicts; `digest` is that of its sources.
    """

    options: Own
    layout: tuple[tuple[str, tuple[int, ...]], ...]
    classes: int
    predicts: bool
    digest: str
    picture: tuple[int, int, int] | None = None  # height, width, channels of a row, where it is kept as a picture
    whole: bool = False  # inputs are whole numbers, and are given as such


class Source(Protocol):
    """Rows to train on that are not in memory: they lie in spans, which are read as they are wanted."""

    @property
    def counts(self) -> np.ndarray:
        """The rows of each span (spans,)."""

    @property
    def together(self) -> int:
        """How many spans are read at once, and their rows shuffled."""

    def read(self, spans: Sequence[int]) -> Iterator[Data]:
        """The rows of these spans, one span after the other."""


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

    sets: Mapping[str, Data]  # "train" (no rows, where there is a source), and where there are any "val" and "test"
    widths: tuple[int, ...]
    activation: Activation
    head: Head
    score: Callable[[Array, Data], Array]
    optimizer: Callable[..., Optimizer]
    schedule: Schedule
    plan: Plan
    initializer: Initializer
    scored: Literal["accuracy", "r2"] = "accuracy"  # what the score is called
    fault: Fault = field(default_factory=Fault)
    optimizer_arguments: Mapping[str, Any] = field(default_factory=dict)
    l2: float = 0.0
    dropout: float = 0.0
    seed: int = 0
    rng: Literal["default", "legacy"] = "default"
    dtype: Literal["float64", "float32"] = "float64"
    own: OwnSource | None = None  # a network of the user's own: activation, head and initializer have no part in it
    source: Source | None = None  # of the rows to train on, where they are streamed
    script: Program | None = None  # a script of the user's, which is watched: of all else only seed and plan are its
    named: Named | None = None  # by what names an engine finds its kernels
    engine: Literal["numpy", "compiled"] = "numpy"  # as it is resolved

    @property
    def sizes(self) -> dict[str, int]:
        """How many rows each set has."""
        sizes = {name: len(data.X) for name, data in self.sets.items()}
        return sizes if self.source is None else sizes | {"train": int(self.source.counts.sum())}

    def initial_parameters(self) -> Array:
        """θ (P,) at step 0. `rng="legacy"` draws from RandomState(seed), as published programs do."""
        generator: Generator = (
            np.random.RandomState(self.seed) if self.rng == "legacy" else np.random.default_rng([self.seed, WEIGHTS])
        )
        theta = draw(self.initializer, generator, self.widths).astype(self.dtype)
        return theta if self.fault.theta0 is None else self.fault.theta0(theta, self.widths)


# One seed, independent streams: the second word of each generator's seed.
WEIGHTS, BATCHES, DROPOUT, DROPOUT_AT_TEST = 0, 1, 2, 3
