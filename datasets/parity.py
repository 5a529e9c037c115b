"""Odd or even: of an integer, or of the number of ones in a string of bits."""

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from datasets.types import DataError, Dataset, Rows

# The table of all strings doubles with every bit: 20 bits are 1,048,576 rows and 168 MB.
LONGEST_STRING = 20


def parity(
    n: Annotated[int, Ge(1), Le(10_000_000)] = 10,
    code: Literal["integer", "binary", "bits", "signs"] = "integer",
    width: Annotated[int, Ge(1), Le(62)] | None = None,
    test_to: Annotated[int, Ge(2), Le(10_000_000)] | None = None,
) -> Dataset:
    """Parity of the integers 1..n, or of all strings of n bits.

        integer: x = v                              y = v mod 2,            v = 1..n
        binary:  x_k = bit k of v, k = 0..width-1   y = v mod 2,            v = 1..n
        bits:    x_k = bit k of v, k = 0..n-1       y = (Σ x_k) mod 2,      v = 0..2^n-1
        signs:   as bits, with -1 for a 0           y = (number of +1) mod 2

    Column k holds bit k, the least significant first.

    Arguments:
        n: the largest integer to train on; for bits and signs the length of the strings, at most 20.
        code: how an input is written.
        width: number of columns of the binary code; None takes what the largest integer used needs.
        test_to: integer and binary only: the integers n+1..test_to are the test set.

    Returns X (n, 1), (n, width) or (2^n, n), and y.
    Raises DataError where the options contradict each other.

    Source: the integers are those of case s000 of the reference; n-bit parity is Minsky and
    Papert, Perceptrons, 1969.

    >>> parity(n=3, code="binary", test_to=4).train.X.tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]]
    >>> parity(n=2, code="signs").train.y.tolist()
    [0, 1, 1, 0]
    """
    if code in ("bits", "signs"):
        for option, value in (("width", width), ("test_to", test_to)):
            if value is not None:
                raise DataError(f"dataset.{option}={value} of parity is for code=integer or binary, not {code}.")
        return _strings(n, signs=code == "signs")
    if width is not None and code == "integer":
        raise DataError(f"dataset.width={width} of parity is for code=binary; code=integer has one column.")
    if test_to is not None and test_to <= n:
        raise DataError(f"dataset.test_to={test_to} of parity must be above dataset.n={n}: the test is n+1..test_to.")
    columns = None if code == "integer" else _columns(n if test_to is None else test_to, width)
    return Dataset(
        "parity",
        train=_integers(1, n, columns),
        test=None if test_to is None else _integers(n + 1, test_to, columns),
        classes=(0.0, 1.0),
        inputs=("x",) if columns is None else tuple(f"bit_{k}" for k in range(columns)),
    )


def _columns(largest: int, width: int | None) -> int:
    """How many columns the binary code has: as many as asked for, or as the largest integer needs."""
    needed = largest.bit_length()
    if width is not None and width < needed:
        raise DataError(f"dataset.width={width} of parity is too narrow: {largest} needs {needed} bits.")
    return needed if width is None else width


def _integers(first: int, last: int, columns: int | None) -> Rows:
    v = np.arange(first, last + 1, dtype=np.int64)
    X = v[:, None] if columns is None else _bits(v, columns)
    return Rows(X.astype(np.float64), v % 2)


def _strings(n: int, *, signs: bool) -> Dataset:
    if n > LONGEST_STRING:
        raise DataError(f"dataset.n={n} of parity would make 2^{n} strings; expected at most {LONGEST_STRING} bits.")
    bits = _bits(np.arange(2**n, dtype=np.int64), n)
    X = (2 * bits - 1 if signs else bits).astype(np.float64)
    inputs = tuple(f"bit_{k}" for k in range(n))
    return Dataset("parity", Rows(X, bits.sum(axis=1) % 2), classes=(0.0, 1.0), inputs=inputs)


def _bits(v: NDArray[np.int64], columns: int) -> NDArray[np.int64]:
    return (v[:, None] >> np.arange(columns, dtype=np.int64)) & 1  # (n, columns)
