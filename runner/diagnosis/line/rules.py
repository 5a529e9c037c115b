"""What each operation of NumPy hands back: the adjoints of its inputs from the adjoint `g` of its value y.

A rule is (g, node, *values of the inputs) -> one adjoint an input; None where there is no slope. Sums over broadcast
axes are made by the caller. Operations that only move elements need no rule: `gathered`. NumPy only.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runner.diagnosis.line.tape import Node
from runner.nn.types import Array

Rule = Callable[..., Sequence[Any]]
MEASURED = 4096  # so many numbers at most are changed one by one, where an operation has no rule
STEP = 1e-6
BASE = 1 << 40  # what is moved is numbered from here on: other numbers are constants, or padding
MOVES = {
    "reshape", "ravel", "transpose", "swapaxes", "moveaxis", "rollaxis", "squeeze", "expand_dims", "flip", "fliplr",
    "flipud", "rot90", "roll", "tile", "repeat", "concatenate", "stack", "hstack", "vstack", "dstack", "column_stack",
    "row_stack", "split", "array_split", "hsplit", "vsplit", "dsplit", "broadcast_to", "broadcast_arrays", "atleast_1d",
    "atleast_2d", "atleast_3d", "pad", "take", "diag", "diagonal", "tril", "triu", "delete", "insert", "append", "copy",
    "sliding_window_view", "take_along_axis", "compress", "getitem", "ascontiguousarray", "asfortranarray", "array",
    "block", "extract", "diagflat", "matrix_transpose", "permute_dims", "concat", "resize", "unstack", "trim_zeros",
}  # fmt: skip

FLAT = (
    "sign", "floor", "ceil", "rint", "trunc", "heaviside", "greater", "greater_equal", "less", "less_equal", "equal",
    "not_equal", "isnan", "isfinite", "isinf", "logical_and", "logical_or", "logical_not", "argmax", "argmin",
    "argsort",
    "zeros_like", "ones_like", "empty_like", "full_like", "round", "shape", "all", "any", "bitwise_and", "bitwise_or",
    "invert", "signbit", "floor_divide", "nonzero", "count_nonzero", "isclose",
)  # fmt: skip


def argument(node: Node, name: str, default: Any = None) -> Any:
    """The argument `name` of the call that made a node, however it was given."""
    how = node.how or {}
    if name in how:
        return how[name]
    if name in how.get("named", {}):
        return how["named"][name]
    if "args" in how:
        try:
            given = inspect.signature(how["function"]).bind(*how["args"], **how["named"]).arguments
        except (TypeError, ValueError):
            return default
        return given.get(name, default)
    return default


def spread(g: Array, node: Node, x: Array) -> Array:
    """`g` of a reduction along the axes that it has taken away."""
    axis, keepdims = argument(node, "axis"), np.ndim(g) == np.ndim(x)
    if axis is None:
        return np.broadcast_to(np.reshape(g, (1,) * x.ndim), x.shape)
    return np.broadcast_to(g if keepdims else np.expand_dims(g, axis), x.shape)


def count(node: Node, x: Array) -> float:
    axis = argument(node, "axis")
    return float(x.size if axis is None else np.prod([x.shape[each] for each in np.atleast_1d(axis)]))


def _variance(g: Array, node: Node, x: Array) -> Array:
    axis, ddof = argument(node, "axis"), argument(node, "ddof", 0) or argument(node, "correction", 0) or 0
    axis = axis if axis is None else tuple(np.atleast_1d(axis))
    return spread(g, node, x) * 2 * (x - x.mean(axis=axis, keepdims=True)) / (count(node, x) - ddof)


def _var(g: Array, node: Node, x: Array, *_: Any) -> list[Any]:
    return [_variance(g, node, x), *([None] * len(_))]


def _std(g: Array, node: Node, x: Array, *_: Any) -> list[Any]:
    return [_variance(np.asarray(g) / (2 * np.asarray(node.value)), node, x), *([None] * len(_))]


def _mean(g: Array, node: Node, x: Array, *_: Any) -> list[Any]:
    return [spread(g, node, x) / count(node, x), *([None] * len(_))]


def _sum(g: Array, node: Node, x: Array, *_: Any) -> list[Any]:
    where = argument(node, "where", True)
    return [spread(g, node, x) * (1.0 if where is True else where), *([None] * len(_))]


def _average(g: Array, node: Node, x: Array, *weights: Any) -> list[Any]:
    if weights:
        return list(measured(g, node))
    w = argument(node, "weights")
    if w is None:
        return _mean(g, node, x)
    w = np.asarray(w, dtype=float)
    if w.shape != x.shape:
        w = w.reshape([len(w) if axis == argument(node, "axis") % x.ndim else 1 for axis in range(x.ndim)])
    total = np.broadcast_to(w, x.shape).sum(axis=argument(node, "axis"), keepdims=True)
    return [spread(g, node, x) * w / total]


def _extreme(g: Array, node: Node, x: Array, *_: Any) -> list[Any]:
    top = spread(np.asarray(node.value), node, x) == x
    axis = argument(node, "axis")
    axis = axis if axis is None else tuple(np.atleast_1d(axis))
    return [spread(g, node, x) * top / top.sum(axis=axis, keepdims=True), *([None] * len(_))]


def _prod(g: Array, node: Node, x: Array, *_: Any) -> list[Any]:
    if (x == 0).any():
        return list(measured(g, node))
    return [spread(np.asarray(g) * node.value, node, x) / x, *([None] * len(_))]


def _cumsum(g: Array, node: Node, x: Array, *_: Any) -> list[Any]:
    axis = argument(node, "axis")
    if axis is None:
        return [np.cumsum(g[::-1])[::-1].reshape(x.shape)]
    return [np.flip(np.cumsum(np.flip(g, axis), axis), axis)]


def _norm(g: Array, node: Node, x: Array, *_: Any) -> list[Any]:
    if argument(node, "ord") not in (None, 2, "fro") or (
        argument(node, "ord") == 2 and x.ndim > 1 and argument(node, "axis") is None
    ):
        return list(measured(g, node))
    return [spread(np.asarray(g) / np.asarray(node.value), node, x) * x]


def _power(g: Array, node: Node, a: Any, b: Any) -> list[Any]:
    slope = g * b * np.power(np.asarray(a, dtype=float), np.asarray(b, dtype=float) - 1)
    base = np.where(np.asarray(a) > 0, a, 1.0)
    return [slope, g * node.value * np.log(base)]


def _matmul(g: Array, node: Node, a: Array, b: Array) -> list[Any]:
    if a.ndim == 0 or b.ndim == 0:
        return [g * b, g * a]
    if a.ndim == 1 and b.ndim == 1:
        return [g * b, g * a]
    if a.ndim == 1:
        return [(np.expand_dims(g, -2) @ np.swapaxes(b, -1, -2))[..., 0, :], a[:, None] * np.expand_dims(g, -2)]
    if b.ndim == 1:
        return [np.expand_dims(g, -1) * b, np.tensordot(g, a, axes=(range(g.ndim), range(g.ndim)))]
    first, second = (isinstance(each, Node) for each in node.inputs[:2])  # nobody asks for a constant's: X is large
    return [g @ np.swapaxes(b, -1, -2) if first else None, np.swapaxes(a, -1, -2) @ g if second else None]


def _dot(g: Array, node: Node, a: Any, b: Any) -> list[Any]:
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim <= 2 and b.ndim <= 2:
        return _matmul(g, node, a, b)
    if b.ndim == 1:
        return _matmul(g, node, a, b)
    last = b.ndim - 2
    da = np.tensordot(g, b, axes=(range(a.ndim - 1, g.ndim), [each for each in range(b.ndim) if each != last]))
    db = np.tensordot(a, g, axes=(range(a.ndim - 1), range(a.ndim - 1)))
    return [da, np.moveaxis(db, 0, last)]


def _tensordot(g: Array, node: Node, a: Array, b: Array) -> list[Any]:
    axes = argument(node, "axes", 2)
    if isinstance(axes, int):
        first, second = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        first, second = (
            [int(each) % array.ndim for each in np.atleast_1d(of)] for array, of in zip((a, b), axes, strict=True)
        )
    free_a = [each for each in range(a.ndim) if each not in first]
    free_b = [each for each in range(b.ndim) if each not in second]
    da = np.tensordot(g, b, axes=(range(len(free_a), g.ndim), free_b))
    da = np.transpose(da, np.argsort(free_a + [first[i] for i in np.argsort(second)]))
    db = np.tensordot(a, g, axes=(free_a, range(len(free_a))))
    db = np.transpose(db, np.argsort([second[i] for i in np.argsort(first)] + free_b))
    return [da, db]


def _inner(g: Array, node: Node, a: Array, b: Array) -> list[Any]:
    if a.ndim < 1 or b.ndim < 1:
        return [g * b, g * a]
    da = np.tensordot(g, b, axes=(range(a.ndim - 1, g.ndim), range(b.ndim - 1)))
    db = np.tensordot(g, a, axes=(range(a.ndim - 1), range(a.ndim - 1)))
    return [da, db]


def _outer(g: Array, node: Node, a: Array, b: Array) -> list[Any]:
    g = np.reshape(g, (a.size, b.size))
    return [(g @ np.ravel(b)).reshape(a.shape), (np.ravel(a) @ g).reshape(b.shape)]


def _einsum(g: Array, node: Node, *values: Array) -> list[Any]:
    pattern = node.how["args"][0] if node.how and node.how.get("args") else None
    if not isinstance(pattern, str) or "." in pattern or len(node.how["args"]) != len(values) + 1:
        return list(measured(g, node))
    taken, _, given = pattern.replace(" ", "").partition("->")
    names = taken.split(",")
    if "->" not in pattern:
        given = "".join(sorted(each for each in set(taken) - {","} if taken.count(each) == 1))
    if any(len(set(each)) != len(each) for each in names):
        return list(measured(g, node))
    found = []
    for i, name in enumerate(names):
        others = [(names[j], values[j]) for j in range(len(names)) if j != i]
        known = set(given).union(*(set(each) for each, _ in others))
        ones = [(each, np.ones(values[i].shape[name.index(each)])) for each in name if each not in known]
        terms = [(given, g), *others, *ones]
        found.append(np.einsum(",".join(each for each, _ in terms) + "->" + name, *[array for _, array in terms]))
    return found


def _where(g: Array, node: Node, *values: Array) -> list[Any]:
    condition, *_ = node.how["args"]
    args, given = node.how["args"], iter(values)
    taken = [next(given) if type(each).__name__ == "_Hole" else each for each in args]
    condition = np.asarray(taken[0], dtype=bool)
    of = [None, g * condition, g * ~condition]
    return [of[i] for i, each in enumerate(args) if type(each).__name__ == "_Hole"]


def _clip(g: Array, node: Node, x: Array, *bounds: Any) -> list[Any]:
    return [g * (np.asarray(node.value) == x), *([None] * len(bounds))]


def _write(g: Array, node: Node, before: Array, value: Any) -> list[Any]:
    flat = np.array(g).reshape(-1)
    taken = flat[node.how].copy()
    flat[node.how] = 0.0
    return [flat.reshape(np.shape(before)), _reduced(taken, np.shape(value))]


def _add_at(g: Array, node: Node, before: Array, value: Any) -> list[Any]:
    return [g, _reduced(np.asarray(g).reshape(-1)[node.how], np.shape(value))]


def _reduced(taken: Array, shape: tuple[int, ...]) -> Array:
    return taken if taken.size != int(np.prod(shape)) else taken.reshape(shape)


def _view(g: Array, node: Node, whole: Array) -> list[Any]:
    found = np.bincount(np.ravel(node.how), weights=np.ravel(g), minlength=whole.size)
    return [found.reshape(whole.shape)]


def _logaddexp(g: Array, node: Node, a: Any, b: Any) -> list[Any]:
    return [g * np.exp(a - node.value), g * np.exp(b - node.value)]


def _unary(slope: Callable[[Any, Any], Any]) -> Rule:
    return lambda g, node, x, *rest: [g * slope(x, node.value), *([None] * len(rest))]


def _flat(g: Array, node: Node, *values: Any) -> list[Any]:
    return [None] * len(values)


def _same(g: Array, node: Node, *values: Any) -> list[Any]:
    return [g] * len(values)


RULES: dict[str, Rule] = {
    "add": _same,
    "subtract": lambda g, node, a, b: [g, -g],
    "multiply": lambda g, node, a, b: [g * b, g * a],
    "divide": lambda g, node, a, b: [g / b, -g * node.value / b],
    "power": _power, "float_power": _power, "matmul": _matmul, "dot": _dot, "tensordot": _tensordot, "inner": _inner,
    "vdot": lambda g, node, a, b: [g * b, g * a], "outer": _outer, "outer_product": _outer, "einsum": _einsum,
    "maximum": lambda g, node, a, b: [g * (np.asarray(a) > b), g * (np.asarray(b) > a)],
    "minimum": lambda g, node, a, b: [g * (np.asarray(a) < b), g * (np.asarray(b) < a)],
    "logaddexp": _logaddexp,
    "hypot": lambda g, node, a, b: [g * a / node.value, g * b / node.value],
    "negative": _unary(lambda x, y: -1.0), "positive": _same, "astype": _same, "conjugate": _same,
    "copy": lambda g, node, x: [np.reshape(g, np.shape(x))],
    "exp": _unary(lambda x, y: y), "exp2": _unary(lambda x, y: y * np.log(2)), "expm1": _unary(lambda x, y: y + 1),
    "log": _unary(lambda x, y: 1 / x), "log2": _unary(lambda x, y: 1 / (x * np.log(2))),
    "log10": _unary(lambda x, y: 1 / (x * np.log(10))), "log1p": _unary(lambda x, y: 1 / (1 + x)),
    "sqrt": _unary(lambda x, y: 0.5 / y), "cbrt": _unary(lambda x, y: y / (3 * x)),
    "square": _unary(lambda x, y: 2 * x), "reciprocal": _unary(lambda x, y: -y * y),
    "absolute": _unary(lambda x, y: np.sign(x)), "fabs": _unary(lambda x, y: np.sign(x)),
    "tanh": _unary(lambda x, y: 1 - y * y), "sinh": _unary(lambda x, y: np.cosh(x)),
    "cosh": _unary(lambda x, y: np.sinh(x)), "sin": _unary(lambda x, y: np.cos(x)),
    "cos": _unary(lambda x, y: -np.sin(x)), "tan": _unary(lambda x, y: 1 + y * y),
    "arctan": _unary(lambda x, y: 1 / (1 + x * x)), "arcsinh": _unary(lambda x, y: 1 / np.sqrt(1 + x * x)),
    "expit": _unary(lambda x, y: y * (1 - y)), "erf": _unary(lambda x, y: 2 / np.sqrt(np.pi) * np.exp(-x * x)),
    "nan_to_num": _unary(lambda x, y: np.isfinite(x)),
    "fmax": lambda g, node, a, b: [g * (np.asarray(a) > b), g * (np.asarray(b) > a)],
    "fmin": lambda g, node, a, b: [g * (np.asarray(a) < b), g * (np.asarray(b) < a)],
    "sum": _sum, "mean": _mean, "var": _var, "std": _std, "average": _average, "max": _extreme, "amax": _extreme,
    "min": _extreme, "amin": _extreme, "prod": _prod, "cumsum": _cumsum, "norm": _norm, "where": _where, "clip": _clip,
    "write": _write, "add_at": _add_at, "view": _view, "nansum": _sum,
    **dict.fromkeys(FLAT, _flat),
}  # fmt: skip


def gathered(g: Array, node: Node) -> list[Any] | None:
    """Of an operation that only moves elements: where each came from is found by moving their numbers."""
    if node.op not in MOVES or node.compute is None:
        return None
    values, numbers, start = node.raw(), [], BASE
    sizes = [int(np.size(value)) if np.asarray(value).dtype.kind == "f" else 0 for value in values]
    for value, size in zip(values, sizes, strict=True):  # below is what comes from nowhere
        numbers.append(np.arange(start, start + size).reshape(np.shape(value)) if size else value)
        start += size
    try:
        origin = np.asarray(node.compute(*numbers)).astype(np.intp)
    except Exception:  # a move that takes no whole numbers
        return None
    if origin.size != np.size(g):
        return None
    origin, start = np.where(origin >= BASE, origin - BASE + 1, 0), start - BASE + 1
    total = np.bincount(np.ravel(origin), weights=np.ravel(g), minlength=start)
    found, at = [], 1
    for value, size in zip(values, sizes, strict=True):
        found.append(total[at : at + size].reshape(np.shape(value)) if size else None)
        at += size
    return found


def measured(g: Array, node: Node) -> list[Any]:
    """Of an operation without a rule: by central differences, number by number; nothing where there are too many."""
    values = [np.array(value, dtype=float) for value in node.raw()]
    how = node.how if isinstance(node.how, dict) else {}
    if node.compute is None:
        return [None] * len(values)
    if (how.get("elementwise") or "ufunc" in how) and len(values) == 1:
        (x,) = values
        return [g * (np.asarray(node.compute(x + STEP)) - np.asarray(node.compute(x - STEP))) / (2 * STEP)]
    found: list[Any] = []
    for which, value in enumerate(values):
        if value.size > MEASURED or not isinstance(node.inputs[which], Node):
            found.append(None)
            continue
        slope = np.empty(value.size)
        for i in range(value.size):
            ends = []
            for step in (STEP, -STEP):
                moved = value.copy()
                moved.reshape(-1)[i] += step
                given = [moved if each == which else other for each, other in enumerate(values)]
                ends.append(np.asarray(node.compute(*given), dtype=float))
            slope[i] = float((g * (ends[0] - ends[1])).sum()) / (2 * STEP)
        found.append(slope.reshape(value.shape))
    return found
