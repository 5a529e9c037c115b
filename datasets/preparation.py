"""What happens to every dataset before training: it is checked, split and scaled, in this order."""

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from datasets.fitting import TargetScalings, automatic, encoded, measured_only, sizes_of, targets_scaled, weights_of
from datasets.splits import Split, held_out, in_fold
from datasets.types import (
    Array,
    Count,
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

Folds = Annotated[int, Ge(2), Le(1000)]


def prepare(
    dataset: Dataset,
    *,
    scaling: Scalings = "none",
    divisor: Positive | None = None,
    test_fraction: Fraction = 0.0,
    validation: Fraction = 0.0,
    split_seed: Seed = 0,
    split: Split = "auto",
    folds: Folds | None = None,
    fold: Count = 0,
    target_scaling: TargetScalings = "none",
    class_weight: Literal["balanced"] | None = None,
) -> Dataset:
    """Check a dataset, hold out test and validation rows, and scale the columns as the training rows say.

    Held-out rows and rows of the test set go through the numbers of the training rows, so nothing about them leaks.

    Arguments:
        dataset: rows in the units of their source.
        scaling: every column becomes (x - shift) / scale, by `scaling_of`; none leaves X as it is, auto divides the
            bytes of pictures and standardises where a column is of a size far from 1.
        divisor: for divide, and only there (255 brings pixels to [0, 1]).
        test_fraction: part of the rows to hold out as a test set, where the dataset brings none.
        validation: part of the remaining rows to hold out for choosing between runs.
        split: what is held out together: see `held_out`.
        folds: hold out a fold of so many for choosing between runs; `fold` says which, from 0.
        target_scaling: of a regression's targets while it trains: see `targets_scaled`; auto scales those far from 1.
        class_weight: balanced has all classes count alike in the cost.
        split_seed: seed of `numpy.random.default_rng`, which draws the test rows first, then those for validation.

    Returns the prepared dataset, with its `scaling`. Rows keep their order.
    Raises DataError where the data, or an option for this data, cannot be used.

    >>> from datasets.parity import parity
    >>> prepare(parity(n=4), scaling="unit").train.X.ravel().round(3).tolist()
    [0.0, 0.333, 0.667, 1.0]
    """
    _check_divisor(scaling, divisor)
    if dataset.stream is not None:
        return _streamed(dataset, scaling, divisor, (test_fraction, validation, split_seed), split, folds, class_weight)
    check(dataset)
    dataset = _parted(dataset, split, test_fraction, validation, split_seed, folds, fold)
    _every_class_trains(dataset)
    dataset = targets_scaled(encoded(dataset), target_scaling)
    dataset = dataset if class_weight is None else replace(dataset, class_weight=weights_of(dataset))
    if scaling == "auto":
        scaling, divisor, dataset = _scaling_found(dataset)
    fitted = _fit(dataset.train.X, scaling, divisor)
    return dataset if fitted is None else _scale(dataset, measured_only(fitted, dataset.encoding), scaling)


def _check_divisor(scaling: Scalings, divisor: float | None) -> None:
    if scaling == "divide" and divisor is None:
        raise DataError("dataset.scaling=divide needs dataset.divisor, for instance 255 for pixels of one byte.")
    if scaling != "divide" and divisor is not None:
        raise DataError(f"dataset.divisor={divisor:g} is for dataset.scaling=divide; expected null with {scaling}.")


def _streamed(
    dataset: Dataset,
    scaling: Scalings,
    divisor: float | None,
    parts: tuple[float, float, int],
    split: Split,
    folds: int | None,
    class_weight: str | None,
) -> Dataset:
    """Rows that stay in their file: what needs them all in memory is refused."""
    asked = [f"dataset.split={split}"] * (split != "auto") + [f"dataset.folds={folds}"] * (folds is not None)
    asked += [f"dataset.class_weight={class_weight}"] * (class_weight is not None)
    if asked:
        raise DataError(f"{asked[0]} needs the rows in memory, and dataset.stream=true leaves them in their file.")
    _no_test_set_yet(dataset, parts[0])
    assert dataset.stream is not None
    return dataset.stream.prepared(dataset, scaling, divisor, parts)


def _scaling_found(dataset: Dataset) -> tuple[Scalings, float | None, Dataset]:
    """What scaling=auto is here, said in a note."""
    X, measured = dataset.train.X, ... if dataset.encoding is None else dataset.encoding.measured
    scaling, divisor, note = automatic(X[:1000], X.min(axis=0), X.max(axis=0), sizes_of(X)[measured])
    return scaling, divisor, replace(dataset, notes=(*dataset.notes, *filter(None, [note])))


def _parted(
    dataset: Dataset, split: Split, test_fraction: float, validation: float, seed: int, folds: int | None, fold: int
) -> Dataset:
    """The rows to test and to choose on, held out of those to train on."""
    rng = np.random.default_rng(seed)
    if test_fraction > 0:
        _no_test_set_yet(dataset, test_fraction)
        out = held_out(dataset, split, test_fraction, "dataset.test_fraction", rng)
        dataset = replace(_only(dataset, ~out), test=_rows(dataset, out))
    if folds is not None:
        if validation > 0:
            raise DataError(f"dataset.folds={folds} holds its folds out to choose on; expected dataset.validation=0.")
        kept, out = in_fold(dataset, split, folds, fold, seed)
        return replace(_only(dataset, kept), validation=_rows(dataset, out))
    if fold:
        raise DataError(f"dataset.fold={fold} is one of dataset.folds; expected dataset.folds=5, or no fold.")
    if validation > 0:
        out = held_out(dataset, split, validation, "dataset.validation", rng)
        dataset = replace(_only(dataset, ~out), validation=_rows(dataset, out))
    return dataset


def _rows(dataset: Dataset, which: NDArray[np.bool_]) -> Rows:
    return Rows(dataset.train.X[which], dataset.train.y[which])


def _only(dataset: Dataset, which: NDArray[np.bool_]) -> Dataset:
    """The dataset with only these rows to train on."""
    groups = None if dataset.groups is None else dataset.groups[which]
    return replace(dataset, train=_rows(dataset, which), groups=groups)


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
    # What a table lacks is filled in by its encoding, once it is known which rows train.
    finite = np.isfinite(X) if dataset.encoding is None or dataset.missing in ("refuse", "drop") else ~np.isinf(X)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        name = f"'{dataset.inputs[column]}'" if dataset.inputs else column
        raise DataError(
            f"{where}: row {row} (counted from 0), column {name} is {X[row, column]}; expected a finite number."
        )


def _check_targets(dataset: Dataset, where: str, rows: Rows) -> None:
    y, expected = rows.y, np.dtype(np.float64 if dataset.classes is None else np.int64)
    several = dataset.classes is None and bool(dataset.outputs)
    if not isinstance(y, np.ndarray) or y.dtype != expected or y.ndim != 1 + several:
        kind = "regression targets" if dataset.classes is None else "indices of classes"
        raise DataError(f"{where}: y is {_described(y)}; expected {kind}, a {expected} array (rows,).")
    if len(y) != len(rows.X):
        raise DataError(f"{where}: X has {len(rows.X)} rows and y has {len(y)}; expected as many of both.")
    good = (
        np.isfinite(y.reshape(len(y), -1)).all(axis=1)
        if dataset.classes is None
        else (y >= 0) & (y < len(dataset.classes))
    )
    if not good.all():
        row = int(np.argmin(good))
        limits = "a finite number" if dataset.classes is None else f"an index in 0..{len(dataset.classes) - 1}"
        raise DataError(f"{where}: y in row {row} (counted from 0) is {y[row]}; expected {limits}.")


def _described(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return f"a {type(value).__name__}"


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
    """The numbers of a scaling (none has no such) for columns with these moments, over the rows to train on:

        standardise: shift = mean(x), scale = sqrt(mean((x - mean(x))²))
        unit:        shift = min(x),  scale = max(x) - min(x)
        divide:      shift = 0,       scale = divisor

    A column that is constant there has scale 1; columns of 0 and 1 that stand for labels are left as they are.
    """
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
