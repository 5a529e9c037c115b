"""What NumPy code computes, operation by operation: an ndarray that remembers how it was made.

    with recording() as tape:
        W = tape.watch(W, "W")
        cost = f(W)               # NumPy, views, in-place operations, out=, indexing, np.matrix and all
    tape.node_of(cost)            # the Node that made it: operation, inputs, value, file and line

NumPy only.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from runner.diagnosis.line.follow import creating, function_called, ufunc_called
from runner.diagnosis.line.memory import plain, stripped
from runner.diagnosis.line.tape import TAPES, Node, Tape


class Traced(np.ndarray):
    """An array whose operations are recorded on the current tape."""

    _node: Node | None
    _seen: tuple[int, int]

    def __array_finalize__(self, obj: Any) -> None:
        self._node, self._seen = None, (-1, 0)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **named: Any) -> Any:
        return ufunc_called(TAPES[-1] if TAPES else None, ufunc, method, inputs, named)

    def __array_function__(self, function: Any, types: Any, args: Any, named: Any) -> Any:
        return function_called(TAPES[-1] if TAPES else None, function, args, named)

    def __getitem__(self, key: Any) -> Any:
        raw, taken = plain(self), stripped(key)
        value = raw[taken]
        if not TAPES or not isinstance(value, np.ndarray | np.generic):
            return value
        matrix = isinstance(self, np.matrix)
        if matrix and value.ndim < 2 and not isinstance(value, np.generic):
            value = np.asmatrix(raw)[taken]
        return TAPES[-1].record("getitem", [self], value, lambda a: a[taken].reshape(np.shape(value)), matrix=matrix)

    def __setitem__(self, key: Any, value: Any) -> None:
        if not TAPES:
            plain(self)[stripped(key)] = plain(value)
            return
        TAPES[-1].write(self, stripped(key), together(value))

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __float__(self) -> float:
        if TAPES and TAPES[-1].node_of(self) is not None:
            TAPES[-1].lose("a number taken out of an array by float()")
        return float(plain(self).reshape(())) if self.size == 1 else float(plain(self))

    def __round__(self, *digits: int) -> Any:
        return round(float(plain(self).reshape(())), *digits)

    def __format__(self, wanted: str) -> str:
        return format(plain(self)[()] if self.ndim == 0 else plain(self), wanted)

    def item(self, *args: Any) -> Any:
        if TAPES and self.size == 1 and not args:
            return self.reshape(())
        return plain(self).item(*args)

    @property
    def T(self) -> Any:
        return np.transpose(self)

    def copy(self, order: Any = "C") -> Any:
        return np.copy(self, subok=True) if TAPES else plain(self).copy()

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def flatten(self, order: Any = "C") -> Any:
        return np.copy(np.ravel(self, order), subok=True)

    def astype(self, dtype: Any, *args: Any, **named: Any) -> Any:
        value = plain(self).astype(dtype)
        matrix = isinstance(self, np.matrix)
        return TAPES[-1].record("astype", [self], value, lambda a: a.astype(dtype), None, matrix) if TAPES else value

    def fill(self, value: Any) -> None:
        self[...] = value

    def reshape(self, *shape: Any, **named: Any) -> Any:
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **named)

    def transpose(self, *axes: Any) -> Any:
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def dot(self, other: Any, out: Any = None) -> Any:
        return np.dot(self, other) if out is None else np.dot(self, other, out=out)


def _method(name: str, function: Any) -> Any:
    def method(self: Any, *args: Any, **named: Any) -> Any:
        return function(self, *args, **named)

    method.__name__ = name
    return method


_METHODS = (
    "sum mean var std max min prod cumsum cumprod argmax argmin ravel squeeze repeat take swapaxes clip all any "
    "diagonal trace round nonzero argsort compress"
)
for _name in _METHODS.split():
    setattr(Traced, _name, _method(_name, getattr(np, _name)))


class TracedMatrix(Traced, np.matrix):
    """np.matrix, followed: * is the matrix product, and what is made of it is a matrix again."""

    def __array_finalize__(self, obj: Any) -> None:
        Traced.__array_finalize__(self, obj)

    @property
    def A(self) -> Any:
        return TAPES[-1].record("astype", [self], plain(self), lambda a: a) if TAPES else plain(self)


@contextmanager
def recording(namespaces: Sequence[Mapping[str, Any]] = ()) -> Iterator[Tape]:
    """A tape on which what Traced arrays go through is recorded; `namespaces` may hold names imported from numpy."""
    tape = Tape(_classed)
    TAPES.append(tape)
    try:
        with creating(tape, namespaces):
            yield tape
    finally:
        TAPES.remove(tape)


def together(value: Any) -> Any:
    """A list of followed arrays as one."""
    listed = isinstance(value, list | tuple) and any(isinstance(each, np.ndarray) for each in value)
    return np.array(value) if listed else value


def _classed(array: np.ndarray, matrix: bool) -> Any:
    return array.view(TracedMatrix if matrix and array.ndim == 2 else Traced)
