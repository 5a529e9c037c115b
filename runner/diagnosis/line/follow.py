"""How NumPy's ufuncs and functions are followed: each call is one node, whatever its arguments; NumPy only.

`creating` lets np.zeros and its like give arrays that can be followed from the first value written into them.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.lib import stride_tricks
from numpy.matrixlib import defmatrix

from runner.diagnosis.line.memory import is_followed, owner, plain, stripped
from runner.diagnosis.line.places import theirs
from runner.diagnosis.line.tape import TAPES, Tape

CREATORS = ("zeros", "ones", "empty", "full", "eye", "identity")
REDUCTIONS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}
OF_LISTS = ("sum", "mean", "std", "var", "prod", "max", "min")
IN_PLACE = {"copyto", "put", "fill_diagonal", "place", "putmask", "put_along_axis"}
SAME_MEMORY = {"asarray", "asanyarray", "ascontiguousarray", "asfortranarray", "asarray_chkfinite"}


def ufunc_called(tape: Tape | None, ufunc: Any, method: str, inputs: Sequence[Any], named: dict[str, Any]) -> Any:
    """A ufunc on followed arrays: computed on plain ones, and recorded."""
    raw, options = [plain(each) for each in inputs], stripped(named)
    out = named.get("out")
    if tape is None:
        if out is not None:
            options["out"] = tuple(plain(each) for each in out)
        made = getattr(ufunc, method)(*raw, **options)
        return out[0] if out is not None and len(out) == 1 else made
    if method == "at":
        return _at(tape, ufunc, inputs)
    options.pop("out", None)
    where = options.get("where", True)
    start = plain(out[0]).copy() if out is not None and where is not True else None

    def compute(*values: Any) -> Any:
        if start is not None:
            return getattr(ufunc, method)(*values, out=start.copy(), **options)
        return getattr(ufunc, method)(*values, **options)

    op = ufunc.__name__
    if method == "reduce":
        op = REDUCTIONS.get(op, op + ".reduce")
        options.setdefault("axis", raw[1] if len(raw) > 1 else 0)
        raw, inputs = raw[:1], inputs[:1]
    elif method != "__call__":
        op = {"add.accumulate": "cumsum", "multiply.outer": "outer_product"}.get(f"{op}.{method}", f"{op}.{method}")
        options |= {"axis": 0} if op == "cumsum" and "axis" not in options else {}
    with np.errstate(all="ignore"):
        value = compute(*raw)
    matrix = any(isinstance(each, np.matrix) for each in inputs)
    if isinstance(value, tuple):
        parts = [_part(compute, number) for number in range(len(value))]
        return tuple(tape.record(f"{op}[{i}]", inputs, each, parts[i], options) for i, each in enumerate(value))
    if ufunc is np.matmul and matrix:
        op = "matmul"
    made = tape.record(op, inputs, value, compute, options | {"ufunc": ufunc}, matrix)
    if out is None:
        return made
    tape.replaced(out[0], made)
    return out[0]


def _part(compute: Callable[..., Any], number: int) -> Callable[..., Any]:
    return lambda *values: compute(*values)[number]


def _at(tape: Tape, ufunc: Any, inputs: Sequence[Any]) -> None:
    target, key, *value = inputs
    if ufunc in (np.add, np.subtract) and value:
        amount = value[0] if ufunc is np.add else np.negative(value[0])
        tape.write(target, stripped(key), amount, "add_at")
        return
    after = plain(target).copy()
    ufunc.at(after, stripped(key), *[plain(each) for each in value])
    tape.write(target, ..., after)


def function_called(tape: Tape | None, function: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """A NumPy function on followed arrays, however they are nested in its arguments: recorded as one operation."""
    name = getattr(function, "__name__", str(function))
    if tape is None:
        result = function(*stripped(args), **stripped(named))
        return named["out"] if named.get("out") is not None else result
    if name in IN_PLACE:
        return _in_place(tape, function, args, named)
    if name in SAME_MEMORY and len(args) + len(named) == 1 and is_followed(args[0]):
        return args[0]
    if name == "dot" and len(args) == 2 and not named and any(np.ndim(each) == 0 for each in args):
        return np.multiply(*args)  # a matrix times a number comes here
    if name in ("dot", "inner", "outer", "vdot"):  # both factors are arrays from here on, lists too
        args = tuple(each if isinstance(each, np.ndarray) else np.asarray(each) for each in args)
    out = named.pop("out", None) if "out" in named else None
    arrays: list[Any] = []
    shape = _holes((args, named), arrays)

    def compute(*values: Any) -> Any:
        filled, also = _filled(shape, values)
        return function(*filled, **also)

    with np.errstate(all="ignore"):
        value = compute(*[plain(each) for each in arrays])
    matrix = any(isinstance(each, np.matrix) for each in arrays) and name not in ("mean", "outer")
    how = {"function": function, "args": shape[0], "named": shape[1]}
    if isinstance(value, tuple | list):
        parts = [
            tape.record(name, arrays, each, _part(compute, number), how | {"part": number}, matrix)
            for number, each in enumerate(value)
        ]
        return parts if isinstance(value, list) else tuple(parts)
    made = tape.record(name, arrays, value, compute, how, matrix)
    if out is None:
        return made
    target = out[0] if isinstance(out, tuple) else out
    tape.replaced(target, made)
    return target


def _in_place(tape: Tape, function: Any, args: tuple[Any, ...], named: dict[str, Any]) -> None:
    name, target = function.__name__, args[0]
    if name == "copyto" and len(args) == 2 and not named:
        tape.write(target, ..., args[1])
        return
    if name == "copyto" and "where" in named:
        mask = np.broadcast_to(stripped(named["where"]), target.shape)
        tape.write(target, mask, np.broadcast_to(args[1], target.shape)[mask])
        return
    after = plain(target).copy()
    function(after, *stripped(args[1:]), **stripped(named))
    changed = after != plain(target)
    tape.lose(f"np.{name}")
    tape.write(target, changed, after[changed])


class _Hole:
    """The place of an array in the arguments of a call."""


HOLE = _Hole()


def _holes(tree: Any, arrays: list[Any]) -> Any:
    """The nest of arguments with its arrays taken out, into `arrays`."""
    if isinstance(tree, np.ndarray):
        arrays.append(tree)
        return HOLE
    if isinstance(tree, tuple | list) and not hasattr(tree, "_fields"):
        if not any(isinstance(each, np.ndarray | tuple | list | dict) for each in tree):
            return tree
        return type(tree)(_holes(each, arrays) for each in tree)
    if isinstance(tree, dict):
        return {key: _holes(each, arrays) for key, each in tree.items()}
    return tree


def _filled(tree: Any, values: Sequence[Any]) -> Any:
    left = iter(values)

    def fill(part: Any) -> Any:
        if part is HOLE:
            return next(left)
        if isinstance(part, tuple | list) and not hasattr(part, "_fields"):
            return type(part)(fill(each) for each in part)
        if isinstance(part, dict):
            return {key: fill(each) for key, each in part.items()}
        return part

    return fill(tree)


@contextmanager
def creating(tape: Tape, namespaces: Sequence[Mapping[str, Any]]) -> Iterator[None]:
    """While it lasts, np.zeros and its like make arrays that can be followed, in the user's namespaces too."""
    found = {(np, name): getattr(np, name) for name in (*CREATORS, "array", *SAME_MEMORY)}
    found |= {(np, "vectorize"): np.vectorize, (np, "matrix"): np.matrix, (np, "asmatrix"): np.asmatrix}
    found |= {(defmatrix, "asmatrix"): np.asmatrix, (stride_tricks, "as_strided"): stride_tricks.as_strided}
    found |= {(np, name): getattr(np, name) for name in OF_LISTS}
    found |= {(math, name): getattr(math, name) for name in MATHS}
    new: dict[int, Any] = {}
    for (module, name), old in found.items():
        new[id(old)] = _replacement(tape, module, name, old)
        setattr(module, name, new[id(old)])
    changed: list[tuple[Any, str, Any]] = []
    olds = {id(old): old for old in found.values()}
    for space in namespaces:
        for name, value in list(space.items()):
            if id(value) in olds and isinstance(space, dict):
                changed.append((space, name, value))
                space[name] = new[id(value)]
    try:
        yield
    finally:
        for (module, name), old in found.items():
            setattr(module, name, old)
        for space, name, value in changed:
            space[name] = value


MATHS = {
    "exp": "exp",
    "log": "log",
    "sqrt": "sqrt",
    "tanh": "tanh",
    "log1p": "log1p",
    "expm1": "expm1",
    "sin": "sin",
    "cos": "cos",
}


def _replacement(tape: Tape, module: Any, name: str, old: Any) -> Any:
    if module is math:
        ours = getattr(np, name)

        def number(x: Any, *more: Any) -> Any:
            return ours(x) if is_followed(x) and not more and TAPES else old(x, *more)

        return number
    if name == "vectorize":
        return _Vectorized
    if name == "matrix":
        return _Matrix
    if name in OF_LISTS:
        return lambda what, *args, **named: old(_listed(what), *args, **named)
    if name == "as_strided":
        return lambda x, *args, **named: _strided(old, x, args, named)
    if name == "asmatrix":
        return lambda what, dtype=None: _matrix(what, dtype, copy=False)
    if name == "array" or name in SAME_MEMORY:

        def array(what: Any, *args: Any, **named: Any) -> Any:
            return _array(tape, name, old, what, args, named)

        return array

    def created(*args: Any, **named: Any) -> Any:
        made = old(*stripped(args), **stripped(named))
        return TAPES[-1].classed(made, False) if TAPES and type(made) is np.ndarray and theirs(1) else made

    return created


def _array(tape: Tape, name: str, old: Any, what: Any, args: Any, named: Any) -> Any:
    """np.array of followed arrays, alone or in lists, is followed."""
    if not TAPES:
        return old(what, *args, **named)
    if is_followed(what):
        value = old(plain(what), *args, **named)
        if owner(value) is owner(what) and value.shape == what.shape:
            return what
        return tape.record("copy", [what], value, lambda a: old(a, *args, **named), matrix=isinstance(what, np.matrix))
    arrays: list[Any] = []
    if isinstance(what, list | tuple):
        tree = _holes(what, arrays)
        if any(is_followed(each) for each in arrays):
            options = stripped(named)
            value = old(_filled(tree, [plain(each)[()] for each in arrays]), *args, **options)
            how = {"function": None}
            return tape.record("array", arrays, value, lambda *v: old(_filled(tree, v), *args, **options), how)
    made = old(what, *args, **named)
    return TAPES[-1].classed(made, False) if type(made) is np.ndarray and made.dtype.kind == "f" and theirs(1) else made


def _listed(what: Any) -> Any:
    """A list of followed numbers is one array; anything else is as it is."""
    listed = isinstance(what, list | tuple) and any(is_followed(each) for each in what)
    return np.array(what) if listed and TAPES else what


def _strided(old: Any, x: Any, args: Any, named: Any) -> Any:
    made = old(plain(x), *args, **named)
    return TAPES[-1].classed(made, False) if is_followed(x) and TAPES else made


class _Vectorized(np.vectorize):
    """np.vectorize of a function of one number: its derivative is measured."""

    def __call__(self, *args: Any, **named: Any) -> Any:
        if not TAPES or named or len(args) != 1 or not is_followed(args[0]) or self.signature:
            return super().__call__(*stripped(args), **stripped(named))
        (x,) = args
        function = self.pyfunc

        def compute(a: Any) -> Any:  # number by number: as a whole, all are cut to the type of the first one's answer
            numbers = plain(a)
            return np.array([float(function(each)) for each in numbers.ravel()]).reshape(numbers.shape)

        return TAPES[-1].record(
            "vectorize", [x], np.asarray(super().__call__(plain(x))), compute, {"elementwise": True}
        )


class _AnyMatrix(type):
    """isinstance(x, np.matrix) holds for what it held for."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, MATRIX)


class _Matrix(metaclass=_AnyMatrix):
    """np.matrix, whose instances can be followed."""

    def __new__(cls, data: Any, dtype: Any = None, copy: bool = True) -> Any:
        return _matrix(data, dtype, copy)


MATRIX = np.matrix


def _matrix(data: Any, dtype: Any, copy: bool) -> Any:
    if (isinstance(data, np.ndarray) and data.ndim > 2) or not TAPES:
        return MATRIX(plain(data) if not isinstance(data, MATRIX) else data, dtype, copy)
    if is_followed(data) and isinstance(data, MATRIX) and not copy and dtype in (None, data.dtype):
        return data
    if is_followed(data):
        raw = plain(data)
        value = plain(MATRIX(raw, dtype, copy))
        return TAPES[-1].record("copy", [data], value, lambda a: a.reshape(value.shape), matrix=True)
    if isinstance(data, list | tuple) and any(is_followed(each) for each in data):
        return _matrix(np.array(data), dtype, copy)
    return TAPES[-1].classed(plain(MATRIX(data, dtype, copy)), True)
