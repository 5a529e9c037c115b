"""The mini-batches of rows that are not in memory, with a thread that reads ahead. NumPy only.

The rows lie in spans. Every epoch shuffles the spans, cuts their sequence into windows of a few spans, and shuffles the
rows of each window: all of it drawn by (seed, epoch), so that any step's batch can be read again. A window is read
while the batches of the one before it are trained on.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from runner.training.recipe import BATCHES, Data, Source


class Epoch(NamedTuple):
    """An epoch's order: `spans` (spans,) as they are read, and where its windows start in its rows (windows + 1,)."""

    spans: np.ndarray
    starts: np.ndarray


class Feed:
    """The batches of `batch_size` rows of a source, by step: their `X` (B, d + 1) has a column of ones."""

    def __init__(self, source: Source, seed: int, batch_size: int):
        self.source, self.seed, self.batch_size = source, seed, batch_size
        self.counts, self.together = source.counts, source.together
        self.rows = int(self.counts.sum())
        self.batches_per_epoch = -(-self.rows // batch_size)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._epochs: dict[int, Epoch] = {}
        self._windows: dict[tuple[int, int], Future[Data]] = {}  # the one in use, and the next
        self._given: tuple[int, Data] | None = None

    def batch(self, step: int) -> Data:
        """The rows of this step. Raises what reading them raised."""
        if self._given is None or self._given[0] != step:
            epoch, number = divmod(step, self.batches_per_epoch)
            start = number * self.batch_size
            self._given = step, self._rows(epoch, start, min(start + self.batch_size, self.rows))
        return self._given[1]

    def epoch(self, number: int) -> Epoch:
        """The order of an epoch."""
        if number not in self._epochs:
            spans = np.random.default_rng([self.seed, BATCHES, number]).permutation(len(self.counts))
            sizes = np.add.reduceat(self.counts[spans], np.arange(0, len(spans), self.together))
            self._epochs = {n: each for n, each in self._epochs.items() if abs(n - number) < 2}
            self._epochs[number] = Epoch(spans, np.concatenate([[0], np.cumsum(sizes)]))
        return self._epochs[number]

    def _rows(self, epoch: int, start: int, stop: int) -> Data:
        """The rows [start, stop) of an epoch, in its order: a view, where they lie in one window."""
        starts, pieces = self.epoch(epoch).starts, []
        while start < stop:
            window = int(np.searchsorted(starts, start, side="right")) - 1
            data, first, end = self._window(epoch, window), int(starts[window]), min(stop, int(starts[window + 1]))
            rows = slice(start - first, end - first)
            pieces.append(data._replace(X=data.X[rows], Y=data.Y[rows], y=data.y[rows]))
            start = end
        if len(pieces) == 1:
            return pieces[0]
        X, Y, y = (np.concatenate([piece[index] for piece in pieces]) for index in range(3))
        return Data(X, Y, y, pieces[0].variance)

    def _window(self, epoch: int, window: int) -> Data:
        """The rows of a window, in its order; the next one is begun."""
        last = window + 2 == len(self.epoch(epoch).starts)
        wanted, following = (epoch, window), (epoch + 1, 0) if last else (epoch, window + 1)
        self._windows = {key: self._windows.get(key) or self._begin(*key) for key in (wanted, following)}
        return self._windows[wanted].result()

    def _begin(self, epoch: int, window: int) -> Future[Data]:
        spans = self.epoch(epoch).spans[window * self.together : (window + 1) * self.together]
        seed = [self.seed, BATCHES, epoch, window + 1]
        return self._reader.submit(_read, self.source, spans.tolist(), int(self.counts[spans].sum()), seed)


def _read(source: Source, spans: list[int], n: int, seed: list[int]) -> Data:
    """The n rows of these spans, shuffled: in the reader's thread."""
    places = np.random.default_rng(seed).permutation(n)
    shuffled, start = None, 0
    for X, Y, y, variance in source.read(spans):
        if shuffled is None:
            X1 = np.ones((n, X.shape[1] + 1), dtype=X.dtype)
            shuffled = Data(X1, np.empty((n, Y.shape[1]), dtype=Y.dtype), np.empty(n, dtype=y.dtype), variance)
        place = places[start : start + len(X)]
        shuffled.X[place, :-1], shuffled.Y[place], shuffled.y[place] = X, Y, y
        start += len(X)
    assert shuffled is not None
    return shuffled
