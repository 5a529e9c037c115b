"""Rows of an HDF5 file that stay there: they are read span by span, and memory does not grow with the file.

A span is some two megabytes of neighbouring rows, in whole chunks of the file. One pass over the target finds the
classes; one over the inputs checks every value, fits the scaling on the training rows, and makes the digest. Held-out
rows are kept in memory, training rows are read again whenever they are wanted.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import floor, prod
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from datasets.files.h5file import dataset_at, opened, slice_of
from datasets.files.tables import MOST_CLASSES, Classes, Labels, Task, as_inputs, as_labels, encode, encode_as
from datasets.fitting import automatic
from datasets.preparation import refuse_unusable, scaling_of
from datasets.types import Array, DataError, Dataset, Moments, Rows, Scaling, Scalings, Targets

SPAN_BYTES = 2_000_000  # as float64
MOST_SPAN_BYTES = 64_000_000
MOST_HELD_OUT_BYTES = 64_000_000
TRAIN, TEST, VALIDATION = 0, 1, 2


class Split(NamedTuple):
    """What is held out of every span: f of its rows, drawn by (seed, span); over the whole file round(f n) rows."""

    test: float = 0.0
    validation: float = 0.0
    seed: int = 0


NOTHING_HELD_OUT = Split()


@dataclass(frozen=True, eq=False)
class Stream:
    """`n` rows of `width` values in the array `inputs` of a file, with their `target`; `span` rows are read at once.

    `stamp` is the file's size and time of change: a file that is another now is refused.
    """

    path: Path
    inputs: str
    target: str
    stamp: tuple[int, int]
    n: int
    width: int
    span: int
    classes: Classes | None
    split: Split = NOTHING_HELD_OUT
    scaling: Scaling | None = None
    digest: str = ""
    sizes: Array | None = None  # root of the mean square of each column (width,), where X is not scaled
    targets: Targets = field(default_factory=lambda: Targets(np.zeros(0, dtype=np.int64), Moments.none(1)))

    @property
    def spans(self) -> int:
        return -(-self.n // self.span)

    @property
    def counts(self) -> NDArray[np.int64]:
        """The training rows of each span (spans,)."""
        starts = [self._left(min(index * self.span, self.n)) for index in range(self.spans + 1)]
        return np.diff(starts).astype(np.int64)

    def read(self, spans: Sequence[int]) -> Iterator[Rows]:
        """The training rows of these spans, scaled, one span after the other.

        Raises DataError where the file is gone, is damaged, or is not the one that was checked.
        """
        with self.opened() as file:
            for index in spans:
                (X, y), part = self.span_at(file, index)
                train = part == TRAIN
                X, y = (X, y) if train.all() else (X[train], y[train])
                yield Rows(self.scaling.apply(X) if self.scaling else X, y)

    def prepared(
        self, dataset: Dataset, scaling: Scalings, divisor: float | None, split: tuple[float, float, int]
    ) -> Dataset:
        """The pass over all rows: they are checked, those to hold out are kept, the scaling is fitted on the rest.

        `split` (test, validation, seed). Raises DataError, naming row and column.
        """
        stream = replace(self, split=Split(*split))
        _fits(stream, stream.n - int(stream.counts.sum()), "dataset.test_fraction and dataset.validation hold out")
        for option, fraction, rows in (
            ("test_fraction", split[0], stream._tests(stream.n)),
            ("validation", split[1], stream.n - stream._tests(stream.n) - stream._left(stream.n)),
        ):
            if fraction > 0 and not (rows and stream._left(stream.n)):
                raise DataError(
                    f"dataset.{option}={fraction:g} of {stream.n} rows holds out {rows}; "
                    f"expected a fraction that leaves rows on both sides."
                )
        seen = _Pass(stream, dataset.test, moments=scaling != "divide")
        with stream.opened() as file:
            for index in range(stream.spans):
                seen.add(*stream.span_at(file, index))
        if stream.classes is not None and not seen.counts.all():
            name, left = stream.classes[int(np.argmin(seen.counts))], seen.counts.sum()
            raise DataError(f"{dataset.name}: class {name!r} has no row among the {left} to train on.")
        if scaling == "auto":
            scaling, divisor, note = automatic(seen.first, seen.lowest, seen.highest, seen.X.size)
            dataset = replace(dataset, notes=(*dataset.notes, *filter(None, [note])))
        fitted = None if scaling == "none" else scaling_of(seen.X, scaling, divisor)
        if fitted is not None:
            with np.errstate(all="ignore"):
                ends = fitted.apply(np.stack([seen.lowest, seen.highest]))
            usable = np.isfinite(fitted).all(axis=0) & (fitted.scale > 0) & np.isfinite(ends).all(axis=0)
            refuse_unusable(usable, dataset, scaling, seen.first[0])
        held = {name: rows and Rows(fitted.apply(rows.X) if fitted else rows.X, rows.y) for name, rows in seen.held()}
        digest = seen.digest(fitted)
        targets, sizes = Targets(seen.counts, seen.y), None if fitted else seen.X.size
        stream = replace(stream, scaling=fitted, digest=digest, targets=targets, sizes=sizes)
        return replace(dataset, stream=stream, scaling=fitted, test=held["test"], validation=held["validation"])

    def part(self, index: int) -> NDArray[np.int8]:
        """Of each row of a span (m,): whether it is TRAIN, TEST or VALIDATION."""
        start, stop = self._bounds(index)
        tests = self._tests(stop) - self._tests(start)
        others = (stop - start) - (self._left(stop) - self._left(start)) - tests
        found = np.full(stop - start, TRAIN, dtype=np.int8)
        if tests or others:
            order = np.random.default_rng([self.split.seed, index]).permutation(stop - start)
            found[order[:tests]], found[order[tests : tests + others]] = TEST, VALIDATION
        return found

    def _tests(self, stop: int) -> int:
        """How many of the first `stop` rows are held out to test."""
        return floor(self.split.test * stop + 0.5)

    def _left(self, stop: int) -> int:
        """How many of the first `stop` rows are left to train on."""
        rest = stop - self._tests(stop)
        return rest - floor(self.split.validation * rest + 0.5)

    def _bounds(self, index: int) -> tuple[int, int]:
        return index * self.span, min((index + 1) * self.span, self.n)

    @contextmanager
    def opened(self) -> Iterator[h5py.File]:
        try:
            now = stamp_of(self.path)
        except OSError as error:
            raise DataError(f"{self.path} can no longer be read ({error.strerror}); its rows are streamed.") from None
        if now != self.stamp:
            raise DataError(f"{self.path} has changed since it was checked; its rows are streamed.")
        with opened(self.path) as file:
            yield file

    def span_at(self, file: h5py.File, index: int) -> tuple[Rows, NDArray[np.int8]]:
        """All rows of a span, in the units of the file, and the part that each belongs to."""
        start, stop = self._bounds(index)
        where, target = f"'{self.inputs}' in {self.path}", f"'{self.target}' in {self.path}"
        X, _ = as_inputs(slice_of(file[self.inputs], start, stop, self.n, where), where, fewest=1, first=start)
        labels = as_labels(slice_of(file[self.target], start, stop, self.n, target), stop - start, target, first=start)
        y = encode_as(labels, self.classes, lambda row: f"{target}, row {start + row} (counted from 0),")
        return Rows(X, y), self.part(index)


class _Pass:
    """What the pass over all rows finds: of the training rows the moments, of all the extremes and the digest."""

    def __init__(self, stream: Stream, test: Rows | None, moments: bool):
        self.moments, self.classes = moments, stream.classes
        self.X, self.y, self.counts = Moments.none(stream.width), Moments.none(1), np.zeros(0, dtype=np.int64)
        if stream.classes is not None:
            self.counts = np.zeros(len(stream.classes), dtype=np.int64)
        self.lowest, self.highest = np.full(stream.width, np.inf), np.full(stream.width, -np.inf)
        self.first = np.empty((0, stream.width))  # some rows
        self._kept: dict[int, list[Rows]] = {TEST: [test] if test else [], VALIDATION: []}
        self._hash = hashlib.sha256(repr((stream.n, stream.width, stream.classes, stream.split)).encode())
        for array in test or ():
            self._hash.update(np.ascontiguousarray(array).data)

    def add(self, rows: Rows, part: NDArray[np.int8]) -> None:
        """Take in a span."""
        for array in rows:
            self._hash.update(np.ascontiguousarray(array).data)
        for number, kept in self._kept.items():
            if (part == number).any():
                kept.append(Rows(rows.X[part == number], rows.y[part == number]))
        train = part == TRAIN
        X, y = rows if train.all() else (rows.X[train], rows.y[train])
        self.first = self.first if len(self.first) else rows.X[:1000].copy()
        self.lowest = np.minimum(self.lowest, rows.X.min(axis=0))
        self.highest = np.maximum(self.highest, rows.X.max(axis=0))
        if self.moments:
            self.X = self.X.add(X)
        if self.classes is None:
            self.y = self.y.add(np.asarray(y, dtype=np.float64)[:, None])
        else:
            self.counts += np.bincount(y.astype(np.int64), minlength=len(self.counts))

    def held(self) -> Iterator[tuple[str, Rows | None]]:
        for name, number in (("test", TEST), ("validation", VALIDATION)):
            kept = self._kept[number]
            yield name, Rows(*map(np.concatenate, zip(*kept, strict=True))) if kept else None

    def digest(self, fitted: Scaling | None) -> str:
        for array in fitted or ():
            self._hash.update(np.ascontiguousarray(array).data)
        return self._hash.hexdigest()


def open_stream(path: Path, inputs: str, target: str, task: Task) -> Stream:
    """A stream over a file: shapes and chunks are looked at, and the classes are found in a pass over the target.

    Raises DataError where the file, an array in it or a target cannot be used.
    """
    stamp = stamp_of(path)
    with opened(path) as file:
        X, y = dataset_at(file, inputs, path), dataset_at(file, target, path)
        where = f"'{inputs}' in {path}"
        if len(X.shape or ()) == 0 or len(X) < 2 or X.size == 0:
            raise DataError(f"{where} has shape {X.shape}; expected 2 or more rows of one or more values.")
        n, width = len(X), prod(X.shape[1:])
        if y.size != n or y.size != max(y.shape, default=1):
            raise DataError(
                f"'{target}' in {path} has shape {y.shape}; expected ({n},), one target for each of the {n} rows of X."
            )
        rows = X.chunks[0] if X.chunks else 1
        if rows * width * 8 > MOST_SPAN_BYTES and rows > 1:
            raise DataError(
                f"{where} lies in chunks of {X.chunks}: {rows} rows must be read at once, {rows * width * 8 / 1e6:.0f} "
                f"MB; expected at most {MOST_SPAN_BYTES / 1e6:.0f} MB. Rewrite it with "
                f"chunks={(max(1, SPAN_BYTES // (width * 8)), *X.shape[1:])}."
            )
        span = rows * max(1, SPAN_BYTES // (rows * width * 8))
        classes = _classes(y, n, max(span, 100_000), task, f"'{target}' in {path}")
    return Stream(path, inputs, target, stamp, n, width, span, classes)


def check_test_rows(stream: Stream, rows: int, name: str) -> None:
    """Refuse a test set of its own that is too large to be kept."""
    _fits(stream, rows, f"'{name}' in {stream.path} has")


def stamp_of(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _fits(stream: Stream, rows: int, who: str) -> None:
    most = MOST_HELD_OUT_BYTES // (8 * stream.width)
    if rows > most:
        raise DataError(
            f"{who} {rows} rows, and with dataset.stream=true these stay in memory; expected at most {most} "
            f"({MOST_HELD_OUT_BYTES / 1e6:.0f} MB, a fraction of {floor(1e4 * most / stream.n) / 1e4:g} of the file)."
        )


def _classes(dataset: h5py.Dataset, n: int, step: int, task: Task, where: str) -> Classes | None:
    """The sorted labels; None for a regression, which is left as soon as it is known to be one."""
    distinct: NDArray[Any] | None = None
    for start in range(0, n, step):
        stop = min(start + step, n)
        found = as_labels(slice_of(dataset, start, stop, n, where), stop - start, where, first=start).distinct
        distinct = found if distinct is None else np.union1d(distinct, found)
        if distinct.dtype.kind == "U" or task == "classification":
            continue
        if task == "regression" or len(distinct) > MOST_CLASSES or bool((distinct != np.floor(distinct)).any()):
            return None
    assert distinct is not None
    return encode(Labels(distinct, np.empty(0, dtype=np.int64)), task, where)[1]


def rows_of_none(width: int) -> Rows:
    """What stands in memory for the training rows of a stream."""
    return Rows(np.empty((0, width)), np.empty(0))
