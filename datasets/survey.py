"""What a user should be told of data before it is trained on: how many rows of each class, and columns far from 1."""

from functools import lru_cache

import numpy as np

from datasets.encoding import Column
from datasets.files.tables import listed
from datasets.types import Array, Dataset, Moments, moments_of

FAR = 100.0  # a column, or a target, of a size above this or below 1 / this is far from 1
MOST = 8  # classes that are named
MOST_AS_CLASSES = 100  # different whole numbers that may be classes after all
MOST_SHOWN = 24  # columns that are shown each on a line of its own
UNITS = 20.0  # rows so many times the size of others are in other units


def overview(dataset: Dataset) -> str:
    """The classes with their rows, or the course of the targets, in one line.

    >>> from datasets.xor import xor
    >>> overview(xor())
    'classes: 0 (2 rows, 50%), 1 (2 rows, 50%)'
    """
    if dataset.several:
        shares = ", ".join(
            f"{name} {share:.0%}" for name, share in zip(dataset.outputs, dataset.train.y.mean(0), strict=True)
        )
        return f"{len(dataset.outputs)} labels of 0 and 1 a row, an output each: {shares}; accuracy is over all of them"
    if dataset.outputs:
        return f"{len(dataset.outputs)} targets in each row, an output each: {listed(dataset.outputs)}; R² is over all"
    if dataset.classes is None:
        y = _targets(dataset)
        return (
            f"targets: {y.low[0]:.6g} to {y.high[0]:.6g}, mean {y.mean[0]:.6g}; "
            f"numbers, so a regression: its score is r2, R² (1 perfect, 0 the mean){_other_task(dataset)}"
        )
    counts = balance(dataset)
    shown = [f"{label:g}" if isinstance(label, float) else label for label in dataset.classes[:MOST]]  # 0, not 0.0
    words = [f"{label} ({n} rows, {n / sum(counts):.0%})" for label, n in zip(shown, counts, strict=False)]
    more = f" and {len(counts) - MOST} more" if len(counts) > MOST else ""
    return f"classes: {', '.join(words)}{more}{_other_task(dataset)}"


def _other_task(dataset: Dataset) -> str:
    """The way out, where whole numbers might as well be classes as amounts."""
    if dataset.source == "made" or dataset.stream is not None or dataset.outputs:
        return ""
    if dataset.classes is not None:
        few = len(dataset.classes) > 2 and not isinstance(dataset.classes[0], str)
        return f"; {len(dataset.classes)} whole numbers: dataset.task=regression takes them for amounts" if few else ""
    y = dataset.train.y
    whole = bool((y == np.floor(y)).all()) and len(np.unique(y)) <= MOST_AS_CLASSES
    return "; whole numbers: dataset.task=classification takes each for a class" if whole else ""


def schema(dataset: Dataset) -> list[str]:
    """What the columns of a table were understood as, and what became of each, a line a column.

    Where all are numbers and all are taken, one line; of many numbers only how many.
    """
    encoding = dataset.encoding
    if encoding is None:
        return []
    columns = encoding.columns
    special = [column for column in columns if column.kind != "number" or dataset.lacking.get(column.name)]
    plain = [column.name for column in columns if column not in special]
    lines = []
    if plain:
        lines.append(f"columns: {len(plain)} number{'s' * (len(plain) > 1)} ({listed(plain, 6)})")
    width = max([len(column.name) for column in special[:MOST_SHOWN]], default=0)
    for column in special[:MOST_SHOWN]:
        gone = dataset.lacking.get(column.name, 0)
        lines.append(
            f"  {column.name:<{width}}  {column.kind:<8}  {f'{gone} missing' if gone else '':<12}{_became(column)}"
        )
    if len(special) > MOST_SHOWN:
        lines.append(f"  and {len(special) - MOST_SHOWN} more that are no plain numbers")
    for name, why in encoding.left_out[:MOST_SHOWN]:
        lines.append(f"  {name} is left out: {why}")
    if len(encoding.left_out) > MOST_SHOWN:
        lines.append(f"  and {len(encoding.left_out) - MOST_SHOWN} more are left out")
    return lines


def _became(column: Column) -> str:
    if column.empty:
        return "no value in the training rows: left out"
    mark = " and a mark" if column.indicator else ""
    if column.kind == "category":
        return f"{len(column.labels)} columns of 0 and 1: {listed(column.labels, 5)}{mark}"
    unit = "days since 1970" if column.kind == "date" else "0 or 1" if column.kind == "boolean" else ""
    fill = f"filled in with {column.fill:.6g}{mark}" if column.fill is not None else ""
    return ", ".join(filter(None, [unit, fill]))


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
        return dataset.notes
    found = [*dataset.notes, *_held_out(dataset)]
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
    if dataset.targets is not None:
        shift, scale, log = dataset.targets
        found.append(
            f"the targets are scaled while the network trains ({'log, ' if log else ''}mean {_few(shift)}, deviation "
            f"{_few(scale)}); costs and predictions are in their own units (dataset.target_scaling)."
        )
    elif dataset.classes is None:
        targets = float(_targets(dataset).size.max())
        if targets > FAR:
            found.append(
                f"the targets are of a size of {targets:.3g}. Training goes better in a unit "
                f"that brings them nearer to 1, or with dataset.target_scaling=standardise."
            )
    return tuple(found)


def _held_out(dataset: Dataset) -> list[str]:
    """Held-out rows that cannot say much: too few of a regression, or in other units than those to train on."""
    found = []
    for name, rows in (("validation", dataset.validation), ("test", dataset.test)):
        if rows is None:
            continue
        if dataset.classes is None and len(rows.y) < 2:
            found.append(f"the {name} set is one row: it has no R², which needs two or more that differ.")
        if dataset.stream is None:
            with np.errstate(all="ignore"):
                ratio = np.sqrt((rows.X**2).mean() / (dataset.train.X**2).mean())
            if ratio > UNITS or ratio < 1 / UNITS:
                found.append(
                    f"the {name} rows are {ratio:.3g} times the size of those to train on: in the same units they "
                    "would be alike. Were only some of them divided, as pixels by 255?"
                )
    return found


def _few(values: Array) -> str:
    return ", ".join(f"{value:.6g}" for value in values[:3]) + (", ..." if len(values) > 3 else "")


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
    return moments_of(np.asarray(dataset.train.y, dtype=np.float64).reshape(len(dataset.train.y), -1))


def _range(sizes: Array) -> str:
    low, high = f"{sizes.min():.2g}", f"{sizes.max():.2g}"
    return low if low == high else f"{low} to {high}"
