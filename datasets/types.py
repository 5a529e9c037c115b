"""What every dataset is: rows to train on, perhaps rows to test and to choose on, and what labels mean."""

import hashlib
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from numpy.typing import NDArray

if TYPE_CHECKING:
    from datasets.files.stream import Stream

Array = NDArray[np.float64]

# Bounds that several signatures share. The configuration is checked against them before anything is made.
Count = Annotated[int, Ge(0), Le(10_000_000)]
Noise = Annotated[float, Ge(0), Lt(inf)]
Positive = Annotated[float, Gt(0), Lt(inf)]
Fraction = Annotated[float, Ge(0), Lt(1)]
# RandomState takes 32 bits, and a test draw adds 1000.
Seed = Annotated[int, Ge(0), Lt(2**32 - 1000)]


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


@dataclass(frozen=True, eq=False)
class Dataset:
    """A problem: its rows, and what its numbers mean.

    `classes` are the labels that the indices in `y` stand for, as they were in the source (numbers or text);
    None says that `y` holds regression targets. `image_shape` is (height, width, channels) where a row is a
    picture. `inputs` names the columns of X; it may be empty. `source` says where the rows come from, for the
    record. `scaling` is what `prepare` did to the columns; None says that X is as it was in the source. Where there is
    a `stream`, the rows to train on stay in their file, and `train` has none.
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
    stream: "Stream | None" = None

    @property
    def n_features(self) -> int:
        return int(self.train.X.shape[1])

    @property
    def parts(self) -> dict[str, Rows]:
        """The rows that there are, by the name of their part."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: rows for name, rows in parts.items() if rows is not None}

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
