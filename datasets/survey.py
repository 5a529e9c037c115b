"""What a user should be told of data before it is trained on: how many rows of each class, and columns far from 1."""

from functools import lru_cache

import numpy as np

from datasets.files.tables import listed
from datasets.types import Array, Dataset, Moments, moments_of

FAR = 100.0  # a column, or a target, of a size above this or below 1 / this is far from 1
MOST = 8  # classes that are named


def overview(dataset: Dataset) -> str:
    """The classes with their rows, or the course of the targets, in one line.

    >>> from datasets.xor import xor
    >>> overview(xor())
    'classes: 0 (2 rows, 50%), 1 (2 rows, 50%)'
    """
    if dataset.classes is None:
        y = _targets(dataset)
        return (
            f"targets: {y.low[0]:.6g} to {y.high[0]:.6g}, mean {y.mean[0]:.6g}; "
            "numbers, so a regression: accuracy is R² here (1 perfect, 0 the mean)"
        )
    counts = balance(dataset)
    shown = [f"{label:g}" if isinstance(label, float) else label for label in dataset.classes[:MOST]]  # 0, not 0.0
    words = [f"{label} ({n} rows, {n / sum(counts):.0%})" for label, n in zip(shown, counts, strict=False)]
    more = f" and {len(counts) - MOST} more" if len(counts) > MOST else ""
    return f"classes: {', '.join(words)}{more}"


def balance(dataset: Dataset) -> list[int]:
    """The rows to train on of each class; of a regression none.

    >>> from datasets.xor import xor
    >>> balance(xor())
    [2, 2]
    """
    if dataset.classes is None:
        return []
    if dataset.stream is not None:
        return dataset.stream.targets.counts.tolist()
    return np.bincount(dataset.train.y.astype(np.int64), minlength=len(dataset.classes)).tolist()


@lru_cache(maxsize=16)
def warnings(dataset: Dataset) -> tuple[str, ...]:
    """What will be in the way of training, each with what to do. Data that the program makes itself is as it is."""
    if dataset.source == "made" or (dataset.image_shape is not None and dataset.scaling is not None):
        return ()
    found = []
    if dataset.scaling is None:
        size = _sizes(dataset)
        far = np.flatnonzero((size > FAR) | (size < 1 / FAR) & (size > 0))
        if len(far):
            names = dataset.inputs or [str(column) for column in range(dataset.n_features)]
            what = "column is" if len(far) == 1 else "columns are"
            found.append(
                f"{len(far)} {what} far from 1: {listed((names[column] for column in far), 4)}, "
                f"sizes {_range(size[far])}. Training goes better with dataset.scaling=standardise."
            )
    if dataset.classes is None:
        targets = float(_targets(dataset).size[0])
        if targets > FAR:
            found.append(
                f"the targets are of a size of {targets:.3g}. Training goes better in a unit "
                f"that brings them nearer to 1."
            )
    return tuple(found)


def _sizes(dataset: Dataset) -> Array:
    """The root of the mean square of each column (d,)."""
    if dataset.stream is not None:
        assert dataset.stream.sizes is not None
        return dataset.stream.sizes
    X = dataset.train.X
    return np.sqrt(np.einsum("ij,ij->j", X, X) / len(X))


def _targets(dataset: Dataset) -> Moments:
    if dataset.stream is not None:
        return dataset.stream.targets.y
    return moments_of(np.asarray(dataset.train.y, dtype=np.float64)[:, None])


def _range(sizes: Array) -> str:
    low, high = f"{sizes.min():.2g}", f"{sizes.max():.2g}"
    return low if low == high else f"{low} to {high}"
