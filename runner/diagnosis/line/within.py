"""Everything that a user's functions hold on to: their objects, closures and modules, with a way to put things there.

    for place in held(network.functions.cost, network.functions.gradients):
        if isinstance(place.value, np.ndarray): place.put(another)

NumPy only.
"""

import contextlib
import random
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from runner.diagnosis.line.places import is_theirs

DEPTH = 8


class Place(NamedTuple):
    """A value somewhere in the user's structures, and how to put another one in its place."""

    value: Any
    put: Callable[[Any], None]


def held(*roots: Any) -> list[Place]:
    """All arrays and generators that can be reached from functions, methods and objects, each of their places once."""
    found: list[Place] = []
    seen: set[int] = set()
    for root in roots:
        _into(root, found, seen, 0)
    return found


def generators(*roots: Any) -> Callable[[], None]:
    """Remember every generator that the roots hold, and its state; what is returned puts both back.

    The generator itself, too: a module that was made again for another network holds another one by now.
    """
    kept: list[tuple[Place, Any]] = []
    for place in held(*roots):
        one = place.value
        if isinstance(one, np.random.Generator):
            kept.append((place, one.bit_generator.state))
        elif isinstance(one, np.random.RandomState):
            kept.append((place, one.get_state()))
        elif isinstance(one, random.Random):
            kept.append((place, one.getstate()))

    def back() -> None:
        for (one, put), state in kept:
            with contextlib.suppress(AttributeError, TypeError):  # a place that takes no other value has its own still
                put(one)
            if isinstance(one, np.random.RandomState):
                one.set_state(state)
            elif isinstance(one, random.Random):
                one.setstate(state)
            else:
                one.bit_generator.state = state

    return back


def _into(thing: Any, found: list[Place], seen: set[int], depth: int) -> None:
    if id(thing) in seen or depth > DEPTH:
        return
    seen.add(id(thing))
    for value, put in _parts(thing):
        if isinstance(value, np.ndarray | np.random.Generator | np.random.RandomState | random.Random):
            found.append(Place(value, put))
        elif isinstance(value, tuple) and value:
            _tuple(value, put, found, seen, depth)
        else:
            _into(value, found, seen, depth + 1)


def _tuple(value: tuple[Any, ...], put: Callable[[Any], None], found: list[Place], seen: set[int], depth: int) -> None:
    """A tuple is replaced as a whole; what is put into it later sees what was put before."""
    box = list(value)

    def put_at(index: int) -> Callable[[Any], None]:
        def replace(new: Any) -> None:
            box[index] = new
            put(type(value)(*box) if hasattr(value, "_fields") else tuple(box))

        return replace

    for index, each in enumerate(value):
        if isinstance(each, np.ndarray):
            found.append(Place(each, put_at(index)))
        elif isinstance(each, tuple):
            _tuple(each, put_at(index), found, seen, depth + 1)
        else:
            _into(each, found, seen, depth + 1)


def _parts(thing: Any) -> Iterator[tuple[Any, Callable[[Any], None]]]:
    """The values that a thing holds, each with how to replace it."""
    if isinstance(thing, dict):
        yield from _keyed(thing, list(thing))
    elif isinstance(thing, list):
        yield from _keyed(thing, range(len(thing)))
    elif isinstance(thing, types.MethodType):
        yield thing.__self__, _never
        yield thing.__func__, _never
    elif isinstance(thing, types.FunctionType):
        yield from _function(thing)
    elif isinstance(thing, types.ModuleType):
        if is_theirs(getattr(thing, "__file__", "") or ""):
            yield from _keyed(vars(thing), [name for name in vars(thing) if not name.startswith("__")])
    elif isinstance(thing, type):
        if _is_of_theirs(thing):
            for name in [name for name in vars(thing) if not name.startswith("__")]:
                yield vars(thing)[name], _setter(thing, name)
    elif _is_of_theirs(type(thing)) or isinstance(thing, types.SimpleNamespace):
        yield type(thing), _never
        for name in [*getattr(thing, "__dict__", {}), *_slots(type(thing))]:
            if hasattr(thing, name):
                yield getattr(thing, name), _setter(thing, name)


def _function(thing: types.FunctionType) -> Iterator[tuple[Any, Callable[[Any], None]]]:
    for cell in thing.__closure__ or ():
        try:
            yield cell.cell_contents, _cell(cell)
        except ValueError:  # nothing in it yet
            continue
    for default in thing.__defaults__ or ():
        yield default, _never
    if is_theirs(thing.__code__.co_filename):
        space = thing.__globals__
        yield from _keyed(space, [name for name in space if not name.startswith("__")])


def _keyed(holder: Any, keys: Sequence[Any] | range) -> Iterator[tuple[Any, Callable[[Any], None]]]:
    for key in keys:
        yield holder[key], _item(holder, key)


def _item(holder: Any, key: Any) -> Callable[[Any], None]:
    return lambda new: holder.__setitem__(key, new)


def _setter(thing: Any, name: str) -> Callable[[Any], None]:
    return lambda new: setattr(thing, name, new)


def _cell(cell: Any) -> Callable[[Any], None]:
    return lambda new: setattr(cell, "cell_contents", new)


def _never(new: Any) -> None:
    """What cannot be replaced is left as it is."""


def _slots(kind: type) -> list[str]:
    return [name for each in kind.__mro__ for name in _named(vars(each).get("__slots__", ()))]


def _named(slots: Any) -> Sequence[str]:
    return [slots] if isinstance(slots, str) else list(slots)


def _is_of_theirs(kind: type) -> bool:
    import sys

    module = sys.modules.get(kind.__module__)
    return (
        module is not None
        and is_theirs(getattr(module, "__file__", "") or "")
        and bool(getattr(module, "__file__", ""))
    )
