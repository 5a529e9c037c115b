"""What a user should be told of data before it is trained on: how many rows of each class, and columns far from 1."""

from functools import lru_cache

import numpy as np

from datasets.tables import listed
from datasets.types import Array, Dataset

FAR = 100.0  # a column, or a target, of a size above this or below 1 / this is far from 1
MOST = 8  # classes that are named


def overview(dataset: Dataset) -> str:
    """The classes with their rows, or the course of the targets, in one line.

    >>> from datasets.xor import xor
    >>> overview(xor())
    'classes: 0 (2 rows, 50%), 1 (2 rows, 50%)'
    """
    y = dataset.train.y
    if dataset.classes is None:
        return (
            f"targets: {y.min():.6g} to {y.max():.6g}, mean {y.mean():.6g}; "
            "numbers, so a regression: accuracy is R² here (1 perfect, 0 the mean)"
        )
    counts = np.bincount(y.astype(np.int64), minlength=len(dataset.classes)).tolist()
    shown = [f"{label:g}" if isinstance(label, float) else label for label in dataset.classes[:MOST]]  # 0, not 0.0
    words = [f"{label} ({count} rows, {count / len(y):.0%})" for label, count in zip(shown, counts, strict=False)]
    more = f" and {len(counts) - MOST} more" if len(counts) > MOST else ""
    return f"classes: {', '.join(words)}{more}"


@lru_cache(maxsize=16)
def warnings(dataset: Dataset) -> tuple[str, ...]:
    """What will be in the way of training, each with what to do. Data that the program makes itself is as it is."""
    if dataset.source == "made" or (dataset.image_shape is not None and dataset.scaling is not None):
        return ()
    found = []
    if dataset.scaling is None:
        X = dataset.train.X
        size = np.sqrt(np.einsum("ij,ij->j", X, X) / len(X))  # root of the mean square (d,)
        far = np.flatnonzero((size > FAR) | (size < 1 / FAR) & (size > 0))
        if len(far):
            names = dataset.inputs or [str(column) for column in range(dataset.n_features)]
            what = "column is" if len(far) == 1 else "columns are"
            found.append(
                f"{len(far)} {what} far from 1: {listed((names[column] for column in far), 4)}, "
                f"sizes {_range(size[far])}. Training goes better with dataset.scaling=standardise."
            )
    if dataset.classes is None:
        targets = float(np.sqrt(np.mean(dataset.train.y * dataset.train.y)))
        if targets > FAR:
            found.append(
                f"the targets are of a size of {targets:.3g}. Training goes better in a unit "
                f"that brings them nearer to 1."
            )
    return tuple(found)


def _range(sizes: Array) -> str:
    low, high = f"{sizes.min():.2g}", f"{sizes.max():.2g}"
    return low if low == high else f"{low} to {high}"
