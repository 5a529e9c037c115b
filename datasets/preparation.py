"""What happens to every dataset before training: it is checked, split and scaled, in this order."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from datasets.types import (
    Array,
    DataError,
    Dataset,
    Fraction,
    Moments,
    Positive,
    Rows,
    Scaling,
    Scalings,
    Seed,
    moments_of,
)


def prepare(
    dataset: Dataset,
    *,
    scaling: Scalings = "none",
    divisor: Positive | None = None,
    test_fraction: Fraction = 0.0,
    validation: Fraction = 0.0,
    split_seed: Seed = 0,
) -> Dataset:
    """Check a dataset, hold out test and validation rows, and scale the columns as the training rows say.

    Every column becomes (x - shift) / scale, where over the rows that are left to train on

        standardise: shift = mean(x), scale = sqrt(mean((x - mean(x))²));
        unit:        shift = min(x),  scale = max(x) - min(x);
        divide:      shift = 0,       scale = divisor;

    and a column that is constant there has scale 1. Held-out rows and rows of the test set go through the
    same numbers, so nothing about them leaks into training.

    Arguments:
        dataset: rows in the units of their source.
        scaling: as above; none leaves X as it is.
        divisor: for divide, and only there (255 brings pixels to [0, 1]).
        test_fraction: part of the rows to hold out as a test set, where the dataset brings none.
        validation: part of the remaining rows to hold out for choosing between runs.
        split_seed: seed of `numpy.random.default_rng`, which draws the test rows first, then those for
            validation.

    A fraction f takes round(f n) rows, halves up. With classes, every class gives f of its rows, rounded down
    or up so that the total is right. Rows keep their order.

    Returns the prepared dataset, with its `scaling`.
    Raises DataError where the data, or an option for this data, cannot be used.

    >>> from datasets.parity import parity
    >>> prepared = prepare(parity(n=4), scaling="unit")
    >>> prepared.train.X.ravel().round(3).tolist()
    [0.0, 0.333, 0.667, 1.0]
    >>> prepared.scaling
    Scaling(shift=array([1.]), scale=array([3.]))
    """
    if scaling == "divide" and divisor is None:
        raise DataError("dataset.scaling=divide needs dataset.divisor, for instance 255 for pixels of one byte.")
    if scaling != "divide" and divisor is not None:
        raise DataError(f"dataset.divisor={divisor:g} is for dataset.scaling=divide; expected null with {scaling}.")
    if dataset.stream is not None:
        _no_test_set_yet(dataset, test_fraction)
        return dataset.stream.prepared(dataset, scaling, divisor, (test_fraction, validation, split_seed))
    check(dataset)
    rng = np.random.default_rng(split_seed)
    if test_fraction > 0:
        _no_test_set_yet(dataset, test_fraction)
        train, test = _split(dataset, test_fraction, "dataset.test_fraction", rng)
        dataset = replace(dataset, train=train, test=test)
    if validation > 0:
        train, held_out = _split(dataset, validation, "dataset.validation", rng)
        dataset = replace(dataset, train=train, validation=held_out)
    _every_class_trains(dataset)
    fitted = _fit(dataset.train.X, scaling, divisor)
    return dataset if fitted is None else _scale(dataset, fitted, scaling)


def check(dataset: Dataset) -> None:
    """Refuse a dataset that training could not use.

    X must be (n, d) float64 with n, d >= 1 and the same d everywhere, finite; y (n,), with int64 indices into
    `classes`, or finite float64 where `classes` is None. `inputs`, where there are any, name d columns.

    Raises DataError, naming the part (train, validation, test), the row counted from 0, and the column.
    """
    if dataset.classes is not None and len(set(dataset.classes)) < max(2, len(dataset.classes)):
        raise DataError(f"{dataset.name} has classes {dataset.classes}; expected two or more, all different.")
    for part, rows in dataset.parts.items():
        _check_inputs(dataset, f"{dataset.name}, {part}", rows.X)
        _check_targets(dataset, f"{dataset.name}, {part}", rows)


def _check_inputs(dataset: Dataset, where: str, X: Array) -> None:
    if not isinstance(X, np.ndarray) or X.dtype != np.float64 or X.ndim != 2:
        raise DataError(f"{where}: X is {_described(X)}; expected a float64 array (rows, columns).")
    if 0 in X.shape:
        raise DataError(f"{where}: X has shape {X.shape}; expected at least one row and one column.")
    if X.shape[1] != dataset.n_features:
        raise DataError(f"{where}: X has {X.shape[1]} columns; expected {dataset.n_features}, as in train.")
    if dataset.inputs and X.shape[1] != len(dataset.inputs):
        raise DataError(f"{where}: X has {X.shape[1]} columns; expected {len(dataset.inputs)}, one for each name.")
    finite = np.isfinite(X)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        name = f"'{dataset.inputs[column]}'" if dataset.inputs else column
        raise DataError(
            f"{where}: row {row} (counted from 0), column {name} is {X[row, column]}; expected a finite number."
        )


def _check_targets(dataset: Dataset, where: str, rows: Rows) -> None:
    y, expected = rows.y, np.dtype(np.float64 if dataset.classes is None else np.int64)
    if not isinstance(y, np.ndarray) or y.dtype != expected or y.ndim != 1:
        kind = "regression targets" if dataset.classes is None else "indices of classes"
        raise DataError(f"{where}: y is {_described(y)}; expected {kind}, a {expected} array (rows,).")
    if len(y) != len(rows.X):
        raise DataError(f"{where}: X has {len(rows.X)} rows and y has {len(y)}; expected as many of both.")
    good = np.isfinite(y) if dataset.classes is None else (y >= 0) & (y < len(dataset.classes))
    if not good.all():
        row = int(np.argmin(good))
        limits = "a finite number" if dataset.classes is None else f"an index in 0..{len(dataset.classes) - 1}"
        raise DataError(f"{where}: y in row {row} (counted from 0) is {y[row]}; expected {limits}.")


def _described(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return f"a {type(value).__name__}"


def _split(dataset: Dataset, fraction: float, option: str, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """The training rows in two parts: what remains, and what is held out."""
    X, y = dataset.train
    k = 1 if dataset.classes is None else len(dataset.classes)
    groups = [np.arange(len(y))] if dataset.classes is None else [np.flatnonzero(y == c) for c in range(k)]
    counts = _held_out_counts(fraction, np.array([len(group) for group in groups]))
    if not 0 < counts.sum() < len(y):
        raise DataError(
            f"{option}={fraction:g} of {len(y)} rows holds out {counts.sum()}; "
            f"expected a fraction that leaves rows on both sides."
        )
    held_out = np.zeros(len(y), dtype=bool)
    for group, count in zip(groups, counts, strict=True):
        held_out[rng.permutation(group)[:count]] = True
    return Rows(X[~held_out], y[~held_out]), Rows(X[held_out], y[held_out])


def _held_out_counts(fraction: float, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many rows each group gives: its share rounded down, and one more for the largest remainders."""
    shares = fraction * sizes
    counts = np.floor(shares).astype(np.int64)
    missing = int(np.floor(fraction * sizes.sum() + 0.5)) - counts.sum()
    counts[np.argsort(counts - shares, kind="stable")[:missing]] += 1
    return counts


def _every_class_trains(dataset: Dataset) -> None:
    if dataset.classes is None:
        return
    counts = np.bincount(dataset.train.y.astype(np.int64), minlength=len(dataset.classes))
    if not counts.all():
        name = dataset.classes[int(np.argmin(counts))]
        held_out = sum(len(rows.y) for part, rows in dataset.parts.items() if part != "train")
        raise DataError(
            f"{dataset.name}: class {name!r} has no row among the {len(dataset.train.y)} to train on "
            f"({held_out} rows are held out); expected at least one row of every class."
        )


def _fit(X: Array, scaling: Scalings, divisor: float | None) -> Scaling | None:
    if scaling == "none":
        return None
    return scaling_of(Moments.none(X.shape[1]) if scaling == "divide" else moments_of(X), scaling, divisor)


def scaling_of(moments: Moments, scaling: Scalings, divisor: float | None) -> Scaling:
    """The numbers of a scaling (none has no such) for columns with these moments."""
    d = len(moments.mean)
    if scaling == "divide":
        return Scaling(np.zeros(d), np.full(d, divisor, dtype=np.float64))
    low, high = moments.low, moments.high
    # Asked of the values, not of the deviation: that of a constant 0.1 is 1e-17 and not 0, by rounding.
    varies = high > low
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # who applies it looks at what comes out
        if scaling == "unit":
            return Scaling(low, np.where(varies, high - low, 1.0))
        return Scaling(np.where(varies, moments.mean, low), np.where(varies, moments.deviation, 1.0))


def _no_test_set_yet(dataset: Dataset, test_fraction: float) -> None:
    if test_fraction > 0 and dataset.test is not None:
        raise DataError(
            f"dataset.test_fraction={test_fraction:g} cannot be met: {dataset.name} brings "
            f"its own test set of {len(dataset.test.y)} rows; expected 0."
        )


def _scale(dataset: Dataset, fitted: Scaling, scaling: Scalings) -> Dataset:
    usable = np.isfinite(fitted.shift) & np.isfinite(fitted.scale) & (fitted.scale > 0)
    scaled: dict[str, Rows] = {}
    with np.errstate(all="ignore"):
        for part, rows in dataset.parts.items():
            X = fitted.apply(rows.X)
            usable &= np.isfinite(X).all(axis=0)
            scaled[part] = Rows(X, rows.y)
    refuse_unusable(usable, dataset, scaling, dataset.train.X[0])
    return replace(
        dataset,
        train=scaled["train"],
        validation=scaled.get("validation"),
        test=scaled.get("test"),
        scaling=fitted,
    )


def refuse_unusable(usable: NDArray[np.bool_], dataset: Dataset, scaling: Scalings, row: Array) -> None:
    """Raise DataError where a column (d,) is not `usable` when scaled; `row` (d,) is the first, to show its value."""
    if usable.all():
        return
    column = int(np.argmin(usable))
    name = f"'{dataset.inputs[column]}'" if dataset.inputs else column
    raise DataError(
        f"{dataset.name}: column {name} cannot be scaled by {scaling}: its values, "
        f"{row[column]} in the first row, leave the range of float64; "
        f"expected values nearer to 1."
    )
