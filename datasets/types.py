"""What every dataset is: rows to train on, perhaps rows to test and to choose on, and what labels mean."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Annotated, Literal, NamedTuple, Protocol

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from numpy.typing import NDArray

from datasets.encoding import Encoding

Array = NDArray[np.float64]
Missing = Literal["auto", "refuse", "drop", "mean", "median", "indicator"]

# Bounds that several signatures share. The configuration is checked against them before anything is made.
Count = Annotated[int, Ge(0), Le(10_000_000)]
Noise = Annotated[float, Ge(0), Lt(inf)]
Positive = Annotated[float, Gt(0), Lt(inf)]
Fraction = Annotated[float, Ge(0), Lt(1)]
# RandomState takes 32 bits, and a test draw adds 1000.
Seed = Annotated[int, Ge(0), Lt(2**32 - 1000)]
Scalings = Literal["auto", "none", "standardise", "unit", "divide"]


class DataError(ValueError):
    """Data that cannot be used; the message says what, where, and what was expected."""


class Rows(NamedTuple):
    """`X` (n, d) float64, one sample a row; `y` (n,): int64 class indices, or float64 regression targets."""

    X: Array
    y: NDArray[np.int64] | Array


class Scaling(NamedTuple):
    """What was done to every column: x -> (x - shift) / scale, with `shift` and `scale` (d,) float64.

    >>> Scaling(np.array([1.0, 0.0]), np.array([2.0, 255.0])).apply(np.array([[3.0, 51.0]]))
    array([[1. , 0.2]])
    """

    shift: Array
    scale: Array

    def apply(self, X: Array) -> Array:
        """Scale new rows (n, d), in the units of the source, as the training rows were scaled."""
        return (X - self.shift) / self.scale


class Moments(NamedTuple):
    """Of `n` rows, by column (d,): `low`, `high`, `mean`, and the sum `M2` of squared distances from the mean."""

    n: int
    low: Array
    high: Array
    mean: Array
    M2: Array

    @classmethod
    def none(cls, d: int) -> "Moments":
        return cls(0, np.full(d, np.inf), np.full(d, -np.inf), np.zeros(d), np.zeros(d))

    def add(self, X: Array) -> "Moments":
        """Those of more rows `X` (m, d): n1 rows with mean m1 and n2 with m2 have together

            mean = m1 + (m2 - m1) n2 / n,   M2 = M2_1 + M2_2 + (m2 - m1)² n1 n2 / n

        Source: Chan, Golub & LeVeque, Updating formulae (1979).
        """
        if len(X) == 0:
            return self
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # who uses them looks at what comes out
            n, mean = self.n + len(X), X.mean(axis=0)
            apart, M2 = mean - self.mean, ((X - mean) ** 2).sum(axis=0)
            return Moments(
                n,
                np.minimum(self.low, X.min(axis=0)),
                np.maximum(self.high, X.max(axis=0)),
                self.mean + apart * (len(X) / n),
                self.M2 + M2 + apart**2 * (self.n * len(X) / n),
            )

    @property
    def deviation(self) -> Array:
        return np.sqrt(self.M2 / max(self.n, 1))

    @property
    def size(self) -> Array:
        """The root of the mean square."""
        return np.sqrt(self.mean**2 + self.deviation**2)


def moments_of(X: Array) -> Moments:
    """Those of rows `X` (n, d)."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        mean = X.mean(axis=0)
        return Moments(len(X), X.min(axis=0), X.max(axis=0), mean, ((X - mean) ** 2).sum(axis=0))


class Targets(NamedTuple):
    """Of the training rows: how many are of each class (k,), or for a regression none; of y the moments."""

    counts: NDArray[np.int64]
    y: Moments


class RowStream(Protocol):
    """Rows to train on that stay where they are, in spans: what a Dataset, and training, ask of them."""

    @property
    def digest(self) -> str:
        """SHA-256 over every row."""

    @property
    def counts(self) -> NDArray[np.int64]:
        """The rows of each span (spans,)."""

    @property
    def span(self) -> int:
        """The most rows of a span."""

    @property
    def width(self) -> int:
        """The values of a row."""

    @property
    def targets(self) -> Targets:
        """What the labels are, over all rows."""

    @property
    def sizes(self) -> Array | None:
        """The root of the mean square of each column (width,), where X is not scaled."""

    def read(self, spans: Sequence[int]) -> Iterator[Rows]:
        """The rows of these spans, one span after the other."""

    def prepared(
        self, dataset: "Dataset", scaling: Scalings, divisor: float | None, split: tuple[float, float, int]
    ) -> "Dataset":
        """`datasets.preparation.prepare` of a data set with these rows; `split` is (test, validation, seed)."""


class TargetScaling(NamedTuple):
    """How the targets of a regression are scaled while it trains: y -> (f(y) - shift) / scale; f is log if `log`.

    `shift` and `scale` (outputs,). What people see, costs and predictions, is in the units of y.
    """

    shift: Array
    scale: Array
    log: bool = False


@dataclass(frozen=True, eq=False)
class Dataset:
    """A problem: its rows, and what its numbers mean.

    `classes` are the labels that the indices in `y` stand for, as they were in the source (numbers or text);
    None says that `y` holds regression targets. `image_shape` is (height, width, channels) where a row is a
    picture. `inputs` names the columns of X; it may be empty. `source` says where the rows come from, for the
    record. `scaling` is what `prepare` did to the columns; None says that X is as it was in the source. Where there is
    a `stream`, the rows to train on stay in their file, and `train` has none.

    Of a table, `encoding` says what its columns are: before `prepare` X is raw, and `lacking` how many values each
    column of the file lacks. `notes` is what the user should know of the file; `groups` (n,) says which training rows
    belong together; `learned` names the columns of the table that are the target, `outputs` those of y if several.
    `targets` is how a regression's y is scaled
    while it trains, `class_weight` (classes,) what each class counts in the cost.
    """

    name: str
    train: Rows
    test: Rows | None = None
    validation: Rows | None = None
    classes: tuple[float, ...] | tuple[str, ...] | None = None
    inputs: tuple[str, ...] = ()
    image_shape: tuple[int, int, int] | None = None
    source: str = "made"
    scaling: Scaling | None = None
    stream: RowStream | None = None
    encoding: Encoding | None = None
    missing: Missing = "refuse"
    lacking: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    groups: NDArray[np.int64] | None = None
    outputs: tuple[str, ...] = ()
    learned: tuple[str, ...] = ()
    targets: TargetScaling | None = None
    class_weight: Array | None = None

    def told(self, notes: Sequence[str]) -> "Dataset":
        """The dataset with more that the user should know of its file."""
        return replace(self, notes=(*self.notes, *notes)) if notes else self

    @property
    def several(self) -> bool:
        """Whether y holds several labels a row, each 0 or 1, and not the numbers of a regression."""
        return bool(self.outputs) and bool(((self.train.y == 0) | (self.train.y == 1)).all())

    @property
    def n_features(self) -> int:
        return int(self.train.X.shape[1])

    @property
    def parts(self) -> dict[str, Rows]:
        """The rows that there are, by the name of their part."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: rows for name, rows in parts.items() if rows is not None}

    @property
    def in_memory(self) -> bool:
        """Whether the rows to train on are in `train`."""
        return self.stream is None

    def first(self, n: int) -> Array:
        """The inputs of the first few rows to train on (n at most, d)."""
        if self.stream is None:
            return self.train.X[:n]
        return next(rows.X for rows in self.stream.read(range(len(self.stream.counts))) if len(rows.X))[:n]

    def digest(self) -> str:
        """SHA-256 over every array that training may see: same data, same digest, whatever its source."""
        if self.stream is not None:
            return self.stream.digest
        digest = hashlib.sha256()
        for part, rows in self.parts.items():
            for array in rows:
                digest.update(f"{part}{array.dtype}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        digest.update(repr(self.classes).encode())
        return digest.hexdigest()
