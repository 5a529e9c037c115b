"""Arrays and the memory they lie in: which array owns it, and where in it a view stands. NumPy only."""

from collections.abc import Callable
from typing import Any

import numpy as np

from runner.nn.types import Array


def plain(value: Any) -> Any:
    """The array without its class, in the same memory; anything else as it is."""
    return value.view(np.ndarray) if isinstance(value, np.ndarray) and type(value) is not np.ndarray else value


def stripped(tree: Any) -> Any:
    """Plain arrays throughout a nest of tuples, lists, dictionaries and slices."""
    if isinstance(tree, np.ndarray):
        return plain(tree)[()] if tree.ndim == 0 else plain(tree)
    if isinstance(tree, tuple | list) and not hasattr(tree, "_fields"):
        return type(tree)(stripped(each) for each in tree)
    if isinstance(tree, dict):
        return {key: stripped(each) for key, each in tree.items()}
    if isinstance(tree, slice):
        return slice(stripped(tree.start), stripped(tree.stop), stripped(tree.step))
    return tree


def is_followed(value: Any) -> bool:
    """Whether an array has the class whose operations are recorded."""
    return isinstance(value, np.ndarray) and hasattr(value, "_seen")


def owner(array: np.ndarray) -> np.ndarray:
    """The array that owns the memory."""
    base: Any = array.base
    while base is not None:
        if isinstance(base, np.ndarray):
            array = base
        elif not hasattr(base, "base"):  # what as_strided puts between a view and its array has one
            break
        base = base.base
    return array


def positions(view: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Where each element of `view` stands in `top`, as an index into top.ravel(). Raises ValueError if nowhere."""
    size = top.itemsize
    offset = view.__array_interface__["data"][0] - top.__array_interface__["data"][0]
    if view.itemsize != size or offset % size or any(step % size for step in view.strides):
        raise ValueError("memory that is read as another type")
    found = np.full(view.shape, offset // size, dtype=np.intp)
    for axis, (count, step) in enumerate(zip(view.shape, view.strides, strict=True)):
        along = np.arange(count) * (step // size)
        found += along.reshape((-1,) + (1,) * (view.ndim - axis - 1))
    if top.flags.c_contiguous:
        return found
    if not top.flags.f_contiguous:
        raise ValueError("memory that is no array in one piece")
    return np.arange(top.size).reshape(top.shape).ravel(order="F")[found]


def kept(value: Any) -> Any:
    """A constant as it is now: it may be written to later."""
    return plain(value).copy() if isinstance(value, np.ndarray) else value


def put(raw: np.ndarray, key: Any, value: Any, op: str) -> None:
    if op == "add_at":
        np.add.at(raw, key, value)
    else:
        raw[key] = value


def writer(position: np.ndarray, op: str = "write") -> Callable[[Array, Any], Array]:
    def written(before: Array, value: Any) -> Array:
        after = np.array(before)
        flat = after.reshape(-1)
        put(
            flat,
            position,
            np.broadcast_to(value, position.shape) if np.size(value) == 1 else _fitted(value, position),
            op,
        )
        return flat.reshape(after.shape)

    return written


def _fitted(value: Any, position: np.ndarray) -> Any:
    """Assignment drops leading axes of length 1."""
    array = np.asarray(value)
    if array.size == 1:
        return np.broadcast_to(array.reshape(()), position.shape)
    while array.ndim > position.ndim and array.shape[0] == 1:
        array = array[0]
    return np.broadcast_to(array, position.shape)
