"""The arrays of a running script that live on: in globals, in locals of the functions that run, in what those hold."""

import ctypes
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

DEEP, LONG, MANY = 6, 300, 20_000  # how far is looked: levels, entries of a list or dictionary, things in all
SAMPLE = 512  # numbers of an array that are kept to compare
SKIPPED = (types.ModuleType, type, types.FrameType, types.CodeType, types.TracebackType, np.random.Generator)


@dataclass
class Place:
    """Where an array stands: `key` in `box`; the box is a dictionary, a list, an object's attributes or a cell.

    Attributes:
        name: as a person would write it, `self.W[1]`.
        frame: of a local variable the function's frame.
    """

    name: str
    box: Any
    key: Any
    frame: types.FrameType | None = None

    def set(self, value: Any) -> None:
        """Put another value there."""
        if self.frame is not None:
            self.frame.f_locals[self.key] = value
            if sys.version_info < (3, 13):  # from 3.13 on, f_locals of a function writes through
                ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(self.frame), ctypes.c_int(0))
        elif isinstance(self.box, types.CellType):
            self.box.cell_contents = value
        else:
            self.box[self.key] = value

    def get(self) -> Any:
        """What stands there."""
        if self.frame is not None:
            return self.frame.f_locals[self.key]
        return self.box.cell_contents if isinstance(self.box, types.CellType) else self.box[self.key]


def frames(frame: types.FrameType | None, root: str) -> list[types.FrameType]:
    """The script's frames that are running, innermost first; `root` is its folder."""
    found = []
    while frame is not None:
        if frame.f_code.co_filename.startswith(root) and not frame.f_code.co_name.startswith("<listcomp"):
            found.append(frame)
        frame = frame.f_back
    return found


def modules(root: str) -> list[dict[str, Any]]:
    """The globals of the script and of its own modules beside it."""
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name == "__main__" or (isinstance(file, str) and file.startswith(root)):
            found.append(vars(module))
    return found


def is_number(value: Any) -> bool:
    """A number of a kind that training changes."""
    return isinstance(value, (float, np.floating)) and not isinstance(value, bool)


def is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiub" and value.size > 0


def places(frame: types.FrameType | None, root: str) -> Iterator[tuple[Place, Any]]:
    """Every float array and number within reach, once: (place, value)."""
    return (each for each in reachable(frame, root) if np.asarray(each[1]).dtype.kind == "f")


def reachable(frame: types.FrameType | None, root: str, again: bool = False) -> Iterator[tuple[Place, Any]]:
    """Every array of numbers within reach, whole ones too, and every float: (place, value).

    Once each, or with `again` at every place where it stands.
    """
    seen: set[int] = set()
    left = [MANY]
    running = frames(frame, root)
    for each in running:
        if each.f_code.co_name == "<module>":
            continue
        for name, value in list(each.f_locals.items()):
            yield from _within(Place(name, None, name, each), value, name, 0, seen, left, again)
    for scope in modules(root):
        for name, value in list(scope.items()):
            if not name.startswith("__"):
                yield from _within(Place(name, scope, name), value, name, 0, seen, left, again)


def _within(
    place: Place, value: Any, name: str, depth: int, seen: set[int], left: list[int], again: bool
) -> Iterator[tuple[Place, Any]]:
    left[0] -= 1
    if depth > DEEP or left[0] < 0:
        return
    if is_number(value):
        yield place, value
        return
    if isinstance(value, (str, bytes, int, SKIPPED)) or value is None:
        return
    if id(value) in seen and not (again and isinstance(value, np.ndarray)):
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        if is_array(value):
            yield place, value
        elif value.dtype == object and value.size < LONG and value.ndim == 1:
            for key in range(value.size):
                yield from _within(
                    Place(f"{name}[{key}]", value, key), value[key], f"{name}[{key}]", depth + 1, seen, left, again
                )
        return
    for box, key, inner, label in _inside(value, name):
        yield from _within(Place(label, box, key), inner, label, depth + 1, seen, left, again)


def _inside(value: Any, name: str) -> Iterator[tuple[Any, Any, Any, str]]:
    """What a thing holds: (box, key, value, name)."""
    if isinstance(value, dict):
        if len(value) < LONG:
            for key, inner in list(value.items()):
                yield value, key, inner, f"{name}[{key!r}]"
    elif isinstance(value, (list, tuple)):
        if len(value) < LONG:
            for place, inner in enumerate(value):
                if not (isinstance(value, tuple) and is_number(inner)):
                    yield value, place, inner, f"{name}[{place}]"
    elif isinstance(value, types.FunctionType):
        for label, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=False):
            try:
                yield cell, 0, cell.cell_contents, label
            except ValueError:  # not filled yet
                continue
    elif isinstance(value, types.MethodType):
        yield {0: value.__self__}, 0, value.__self__, name
    elif hasattr(value, "__dict__") and type(value).__module__.split(".")[0] not in ("matplotlib", "pandas", "sklearn"):
        for key, inner in list(vars(value).items()):
            yield vars(value), key, inner, f"{name}.{key}"


def sample(value: Any) -> np.ndarray:
    """At most SAMPLE of an array's numbers, always the same ones, as a copy."""
    flat = np.ravel(np.asarray(value), order="K")  # in the order of memory: a big array is not copied
    if flat.size > SAMPLE:
        flat = flat[np.linspace(0, flat.size - 1, SAMPLE).astype(int)]
    return np.array(flat, dtype=float)
