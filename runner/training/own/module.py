"""The module of a network of the user's own: executed once, and put back as it was for every network made of it.

    module = fresh(own, seed)

A run makes its network several times: to look at it, to train it, to check its gradient. Each must find the module as
its execution has left it: weights at its top, generators of its own, what a class keeps. So its state is copied right
after, and put back. What cannot be put back for certain (a closure over an array, a cache) is executed again.
"""

import copy
import io
import random
import sys
import types
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from gc import get_referents
from pathlib import PurePath
from typing import Any

import numpy as np

from runner.nn.architectures import Own
from runner.training.own.source import digest, executed, names, place

MOST = 16  # modules that are kept
LARGE = 50_000  # objects in a module's state; more are not looked through

Holder = types.ModuleType | type
State = dict[Holder, dict[str, Any]]


def fresh(own: Own, seed: int) -> types.ModuleType:
    """The module as it is just after its execution; so are the global generators, which were set to `seed` before it.

    Raises what `runner.training.own.source.executed` raises.
    """
    still(seed)
    code = f"{place(own)[0]} {digest(own)}"
    kept = _kept.get((code, None)) or _kept.get((code, seed))
    if kept is not None:
        kept.put_back()
        return kept.module
    before = _generators()
    module = executed(own)
    after = _generators()
    drawn = not _same(before, after)  # else it is the same of every seed
    if kept := _keepable(module, names(own), after if drawn else None):
        _kept[code, seed if drawn else None] = kept
        while len(_kept) > MOST:
            _kept.popitem(last=False)
    return module


def still(*seed: int) -> None:
    """Set NumPy's and Python's global generators, which many networks draw from: their noise is then one of (seed).

    A single seed gives the draws that a program with np.random.seed(seed) at its top has.
    """
    np.random.seed(seed[0] if len(seed) == 1 else list(seed))
    random.seed(seed[0] if len(seed) == 1 else repr(seed))


@dataclass(frozen=True)
class Kept:
    """A module, it and those beside it by name, what they and their classes held, the generators if it drew of them."""

    module: types.ModuleType
    modules: Mapping[str, types.ModuleType]
    state: State
    generators: tuple[Any, Any] | None

    def put_back(self) -> None:
        """Have the modules and their classes hold what they held, in copies."""
        sys.modules.update(self.modules)
        for holder, held in _copied(self.state).items():
            for name in _state_of(holder).keys() - held.keys():
                delattr(holder, name)
            for name, value in held.items():
                if vars(holder).get(name) is not value:
                    setattr(holder, name, value)
        if self.generators is not None:
            np.random.set_state(self.generators[0])
            random.setstate(self.generators[1])


def _keepable(module: types.ModuleType, named: Iterable[str], generators: tuple[Any, Any] | None) -> Kept | None:
    """The module to be kept; None where a copy of its state shares something with it that can change."""
    modules = {name: sys.modules[name] for name in named if name in sys.modules}
    holders: list[Holder] = [
        *modules.values(),
        *(found for each in modules.values() for found in _classes(each, modules)),
    ]
    entries = ((name, value) for each in holders for name, value in vars(each).items())
    code = tuple(part for name, value in entries for part in _functions(value) if name != "__repr__")
    state: State = {holder: _state_of(holder) for holder in holders}
    try:
        copied = _copied(state)
        theirs = _reached([*state.values(), code], modules)
        ours = _reached([*copied.values(), code], modules)
    except Exception:  # it cannot be copied, or is too much to look at
        return None
    shared = (value for key, value in theirs.items() if key in ours)
    return Kept(module, modules, copied, generators) if all(_constant(value, modules) for value in shared) else None


def _classes(holder: Holder, modules: Mapping[str, Any]) -> Iterator[type]:
    """The classes of theirs that a module or a class holds, and those that these hold."""
    for value in vars(holder).values():
        if isinstance(value, type) and value.__module__ in modules and not issubclass(value, Enum):
            yield value
            yield from _classes(value, modules)


def _state_of(holder: Holder) -> dict[str, Any]:
    """What a module or a class holds, but what belongs to every one of them; of a class, but its methods."""
    held = {name: value for name, value in vars(holder).items() if not name.startswith("__") and name != "_abc_impl"}
    if isinstance(holder, type):
        return {name: value for name, value in held.items() if not hasattr(type(value), "__get__")}
    return held


def _copied(state: State) -> State:
    """The same names with values of their own; modules, closed files and the global generators stay themselves."""
    alone: dict[int, Any] = {id(each): each for each in (*sys.modules.values(), *_GLOBALS)}
    files = (value for held in state.values() for value in held.values() if isinstance(value, io.IOBase))
    alone |= {id(file): file for file in files if file.closed}
    return {holder: copy.deepcopy(held, alone) for holder, held in state.items()}


def _functions(value: Any) -> Iterator[types.FunctionType]:
    """The functions of a class's entry: a method, a property."""
    for part in (value, *(getattr(value, name, None) for name in ("__func__", "fget", "fset", "fdel"))):
        if isinstance(part, types.FunctionType):
            yield part


def _reached(roots: Iterable[Any], modules: Mapping[str, Any]) -> dict[int, Any]:
    """All objects that can be reached from `roots`, by id, but through modules, classes and what is not theirs.

    Raises OverflowError where there are too many.
    """
    found = {id(root): root for root in roots}
    left = list(found.values())
    while left:
        for part in _parts(left.pop(), modules):
            if id(part) not in found:
                found[id(part)] = part
                left.append(part)
        if len(found) > LARGE:
            raise OverflowError
    return found


def _parts(value: Any, modules: Mapping[str, Any]) -> Iterable[Any]:
    """What an object holds; a function: its closure, its defaults, and what was hung on it."""
    if isinstance(value, types.FunctionType) and value.__module__ in modules:
        cells = [cell.cell_contents for cell in value.__closure__ or () if cell != types.CellType()]
        hung = vars(value)
        more = hung.values() if hung.keys() <= {"__wrapped__", "__isabstractmethod__"} else [hung]
        return [*cells, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values(), *more]
    if isinstance(value, types.BuiltinFunctionType):
        return [value.__self__]
    return get_referents(value) if type(value) in (tuple, frozenset) or not _constant(value, modules) else ()


def _constant(value: Any, modules: Mapping[str, Any]) -> bool:
    """Whether it may be shared: it has no state of its own, or one that nobody changes, or that `still` sets."""
    if isinstance(value, _ATOMS) or any(value is each for each in _GLOBALS) or type(value).__module__ in _LIBRARY:
        return True
    if isinstance(value, io.IOBase):
        return value.closed
    # A function of somebody else's, in Python or not.
    named = callable(value) and getattr(value, "__qualname__", None) is not None
    alone = isinstance(getattr(value, "__self__", None), types.ModuleType | None)
    return type(value) in (tuple, frozenset) or (named and alone and value.__module__ not in modules)


def _generators() -> tuple[Any, Any]:
    return np.random.get_state(), random.getstate()


def _same(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    numbers = zip(one[0], other[0], strict=True)
    return one[1] == other[1] and all(np.array_equal(mine, theirs) for mine, theirs in numbers)


_kept: OrderedDict[tuple[str, int | None], Kept] = OrderedDict()
_GLOBALS = [getattr(function, "__self__", None) for function in (np.random.randn, random.gauss)]  # `still` sets them
_LIBRARY = ("__future__", "dataclasses", "logging", "re", "typing")  # types whose instances stand in many modules
_ATOMS = (
    *(bool, int, float, complex, str, bytes, range, slice, type(None), type(...), type(NotImplemented), PurePath),
    *(type, types.ModuleType, types.GenericAlias, types.UnionType, Enum, np.generic, np.dtype, np.ufunc),
    *(types.FunctionType, types.BuiltinFunctionType, types.CodeType),
)
