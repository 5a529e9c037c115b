"""Which rows are held out: drawn at random, class by class, group by group, or the last in time; or a fold of them."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datasets.types import DataError, Dataset

Split = Literal["auto", "random", "stratified", "group", "time"]
Indices = NDArray[np.int64]


def held_out(
    dataset: Dataset, split: Split, fraction: float, option: str, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Which training rows (n,) a fraction f holds out: round(f n) of them, halves up.

        random:      any rows
        stratified:  of every class f of its rows, rounded down or up so that the total is right
        group:       whole groups, in a random order, until f n rows are reached
        time:        the last rows, in the order of dataset.group, or of the file

    auto is stratified where there are classes, else random. Raises DataError where no row is left on one side.
    """
    y = dataset.train.y
    n, found = len(y), np.zeros(len(y), dtype=bool)
    parts = strata(dataset, split)
    if split == "time":
        found[in_time(dataset)[n - int(np.floor(fraction * n + 0.5)) :]] = True
    elif split == "group":
        groups = _groups(dataset)
        order, sizes = rng.permutation(int(groups.max()) + 1), np.bincount(groups)
        reached = np.cumsum(sizes[order])
        chosen = order[: max(1, int(np.argmin(np.abs(reached - fraction * n))) + 1)]
        found = np.isin(groups, chosen)
    else:
        counts = _counts(fraction, np.array([len(part) for part in parts]))
        if not 0 < counts.sum() < n:
            raise DataError(_too_few(option, fraction, n, int(counts.sum())))
        for part, count in zip(parts, counts, strict=True):
            found[rng.permutation(part)[:count]] = True
    if not 0 < found.sum() < n:
        raise DataError(_too_few(option, fraction, n, int(found.sum())))
    return found


def in_fold(
    dataset: Dataset, split: Split, folds: int, fold: int, seed: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(rows to train on, rows held out) of fold `fold` (from 0) of `folds`: every row is held out in one of them.

    In time the rows lie in folds + 1 blocks: fold f is held out of block f + 1, and trained on the blocks before it.
    """
    n, rng = len(dataset.train.y), np.random.default_rng([seed, folds])
    if fold >= folds:
        raise DataError(f"dataset.fold must be a number from 0 to {folds - 1}. Got {fold}.")
    number = np.empty(n, dtype=np.int64)
    if split == "time":
        number[in_time(dataset)] = np.arange(n) * (folds + 1) // n
        return number <= fold, number == fold + 1
    if split == "group":
        groups = _groups(dataset)
        sizes = np.bincount(groups)
        if len(sizes) < folds:
            raise DataError(f"dataset.folds={folds} needs as many groups; dataset.group has {len(sizes)}.")
        filled, of_group = np.zeros(folds), np.empty(len(sizes), dtype=np.int64)
        order = rng.permutation(len(sizes))
        for group in order[
            np.argsort(-sizes[order], kind="stable")
        ].tolist():  # the largest first, to the emptiest fold
            of_group[group] = np.argmin(filled)
            filled[of_group[group]] += sizes[group]
        number = of_group[groups]
    else:
        start = 0
        for part in strata(dataset, split):
            number[rng.permutation(part)] = (start + np.arange(len(part))) % folds
            start += len(part)
    held = number == fold
    if not 0 < held.sum() < n:
        raise DataError(f"dataset.folds={folds} of {n} rows leaves fold {fold} empty; expected at most {n} folds.")
    return ~held, held


def strata(dataset: Dataset, split: Split) -> list[Indices]:
    """The rows that are drawn from one after the other: those of each class, or all."""
    y = dataset.train.y
    if split == "stratified" and dataset.classes is None:
        raise DataError("dataset.split=stratified needs classes, and the targets are numbers; expected random or auto.")
    if dataset.classes is None or split == "random":
        return [np.arange(len(y))]
    return [np.flatnonzero(y == number) for number in range(len(dataset.classes))]


def in_time(dataset: Dataset) -> Indices:
    """The rows, the earliest first."""
    return np.arange(len(dataset.train.y)) if dataset.groups is None else np.argsort(dataset.groups, kind="stable")


def _groups(dataset: Dataset) -> Indices:
    if dataset.groups is None:
        raise DataError("dataset.split=group needs dataset.group=COLUMN, which says what rows belong together.")
    if len(np.unique(dataset.groups)) < 2:
        raise DataError("dataset.split=group: all rows are of one group; expected two or more.")
    return np.unique(dataset.groups, return_inverse=True)[1].astype(np.int64)


def _counts(fraction: float, sizes: Indices) -> Indices:
    """How many rows each part gives: its share rounded down, and one more for the largest remainders."""
    shares = fraction * sizes
    counts = np.floor(shares).astype(np.int64)
    missing = int(np.floor(fraction * sizes.sum() + 0.5)) - counts.sum()
    counts[np.argsort(counts - shares, kind="stable")[:missing]] += 1
    return counts


def _too_few(option: str, fraction: float, n: int, held: int) -> str:
    return f"{option}={fraction:g} of {n} rows holds out {held}; expected a fraction that leaves rows on both sides."
