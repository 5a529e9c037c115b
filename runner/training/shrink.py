"""Lossless shrinking: a network with more features than rows is trained on coordinates of the rows.

n rows span n directions at most of the d features. With a thin QR of all rows that a run will see, Xᵀ = Q R, the first
layer sees X W = Rᵀ (Qᵀ W): its gradient lies in the span of Q, and an optimizer that looks at no parameter alone takes
the same steps in the coordinates Qᵀ W. Inputs of n numbers in place of d give the same costs (Ng, ICML 2004, on why).

What of W0 lies outside the span has no part in any output. Under L2 it decays, each unit's along its own direction:
its length is the weight of one more input, which is 0 in every row. So norms, L2 and clipping by norm see all of W,

    W' = [Qᵀ W; |W - Q Qᵀ W| of each unit] (r + 1, fan_out),   W = W0 + Q (W' - W0')[:r] + U (W' - W0')[r],

U (d, fan_out) the unit's directions outside the span, and nothing else in the program knows of it.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from runner.nn.types import Array
from runner.training.recipe import Data, Recipe


class Basis(NamedTuple):
    """`Q` (d, r), orthonormal, spans all rows; `sets` are the same rows in its coordinates, (n, r + 1), the last 0."""

    Q: Array
    sets: Mapping[str, Data]


def applies(recipe: Recipe) -> bool:
    """Whether shrinking changes nothing and pays: fewer rows than features, an optimizer that any axes will do for."""
    if recipe.source is not None or recipe.own is not None:
        return False
    fewer = coordinates(recipe) < recipe.widths[0]
    rotates = recipe.fault.rotates and recipe.optimizer(**recipe.optimizer_arguments).rotates
    return recipe.plan.shrink and fewer and rotates


def coordinates(recipe: Recipe) -> int:
    """The inputs of a shrunk network: one a row that it will see, and one for what no row has a part in."""
    return 1 + sum(len(data.X) for data in recipe.sets.values())


def trained_widths(recipe: Recipe) -> tuple[int, ...]:
    """The widths of the network as it is trained: the first layer reads features, or coordinates of the rows."""
    return (coordinates(recipe) if applies(recipe) else recipe.widths[0], *recipe.widths[1:])


def describe(recipe: Recipe) -> str | None:
    """What the user should know of it; None where a recipe is trained on its features as they are."""
    if not applies(recipe):
        return None
    return f"trained on {coordinates(recipe) - 1} coordinates instead of {recipe.widths[0]} features (lossless)"


def basis_of(sets: Mapping[str, Data]) -> Basis:
    """The basis of the rows of all sets, made once for as long as these arrays are in use."""
    for known, basis in _made:
        if known is sets:
            return basis
    rows = np.concatenate([data.X for data in sets.values()]).astype(np.float64)
    with threadpool_limits(1, user_api="blas"):  # the same bits whoever asks first
        Q, R = np.linalg.qr(rows.T)  # (d, r), (r, n)
    dtype = next(iter(sets.values())).X.dtype
    coordinates = np.concatenate([R.T, np.zeros((len(rows), 1))], axis=1).astype(dtype)  # (n, r + 1)
    shrunk, start = {}, 0
    for name, data in sets.items():
        shrunk[name] = data._replace(X=coordinates[start : start + len(data.X)])
        start += len(data.X)
    basis = Basis(Q, shrunk)
    _made.append((sets, basis))
    del _made[:-_KEPT]
    return basis


def enter(basis: Basis, W0: Array) -> Array:
    """W' (r + 1, fan_out) of the initial weights `W0` (d, fan_out)."""
    inside, _, length = _parts(basis, W0)
    return np.concatenate([inside, length]).astype(W0.dtype)


def leave(basis: Basis, W: Array, W0: Array) -> Array:
    """The weights (d, fan_out) of the features: where `W` (r + 1, fan_out) in coordinates has got to from `W0`."""
    inside, directions, length = _parts(basis, W0)
    moved = W - np.concatenate([inside, length]).astype(W0.dtype).astype(np.float64)
    return (W0 + basis.Q @ moved[:-1] + directions * moved[-1]).astype(W0.dtype)


def _parts(basis: Basis, W0: Array) -> tuple[Array, Array, Array]:
    """Qᵀ W0 (r, fan_out); of what is left of W0, each unit's direction (d, fan_out) and length (1, fan_out)."""
    inside = basis.Q.T @ W0.astype(np.float64)
    outside = W0 - basis.Q @ inside
    length = np.sqrt((outside * outside).sum(axis=0, keepdims=True))
    return inside, outside / np.where(length > 0, length, 1), length


_KEPT = 4
_made: list[tuple[Mapping[str, Data], Basis]] = []
