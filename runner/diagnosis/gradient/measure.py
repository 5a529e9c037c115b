"""The gradient check: is an analytic gradient the slope of the cost, and where it is not, which mistake is it?

Two measurements by central differences, in float64. Along the gradient g_l of one layer at a time (the rho test)

    ρ_l = [J(θ + ε g_l) - J(θ - ε g_l)] / (2 ε |g_l|²),   |ε g_l| = 1e-5,

which is 1 for a right gradient, -1 for a wrong sign, 1/n for a sum in place of a mean. And coordinate by coordinate,
to fourth order, for errors that cancel; coordinates at a kink (of ReLU) have no slope and are left out.

Nothing here knows what the network is: parameters are one flat vector θ (P,), cut into `Part`s. NumPy only. What a
mistake is called is the business of runner.diagnosis.gradient.naming.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from runner.diagnosis.line.costs import UNSTEADY
from runner.diagnosis.line.mistake import LineMistake
from runner.nn.types import Array, Part

RHO_TOLERANCE = 3e-3
ERROR_TOLERANCE = 1e-5
STEP = 1e-5  # |ε g_l| of the rho test
TINY = 1e-12  # a gradient of no more is none, and an error of no more is rounding
SAMPLES = 8  # coordinates of a part that are looked at

Cost = Callable[[Array], float]
Costs = Callable[[Array], Array]
Gradient = Callable[[Array], Array]


class Coordinate(NamedTuple):
    """One number of a part at `place` in it: its gradient as given, as measured; `error` is |a - m| / (|a| + |m|)."""

    part: str
    place: tuple[int, ...]
    analytic: float
    numeric: float
    error: float


class PartCheck(NamedTuple):
    """A part's ρ (NaN where it has no gradient), its relative error, the `worst` coordinates first, all `positions`
    that were measured (into θ, kinks left out), `analytic` and `numeric` there, and the verdict.
    """

    part: Part
    rho: float
    relative_error: float
    worst: tuple[Coordinate, ...]
    positions: np.ndarray
    analytic: Array
    numeric: Array
    kinks: int
    ok: bool


class LayerCheck(NamedTuple):
    """`rho` and `relative_error` of a layer's W and b together, its parts, its worst coordinates, the verdict."""

    layer: int
    rho: float
    relative_error: float
    parts: tuple[PartCheck, ...]
    worst: tuple[Coordinate, ...]
    ok: bool


class Mistake(NamedTuple):
    """What is wrong: its `kind`, the `layer` where it is made, a sentence, and the numbers that speak for it."""

    kind: str
    layer: int | None
    sentence: str
    evidence: dict[str, float]


class Check(NamedTuple):
    """The verdict: every layer, the mistake where there is one, the gradient as given, and a second call's.

    Of a user's network also `lines`, the mistakes with their lines, in the order to fix; `why` there is no line, and a
    `note` on what is right although it does not look so.
    """

    layers: tuple[LayerCheck, ...]
    ok: bool
    mistake: Mistake | None
    gradient: Array
    again: Array
    lines: tuple[LineMistake, ...] = ()
    why: str | None = None
    note: str | None = None

    @property
    def unsteady(self) -> bool:
        """Each call gives another number: then nothing can be said of the gradient, nor held against it."""
        return self.mistake is not None and self.mistake.kind == UNSTEADY

    @property
    def relative_error(self) -> float:
        """The largest of the layers'."""
        return max((each.relative_error for each in self.layers if each.relative_error >= 0), default=0.0)


def scratch(parts: Sequence[Part], seed: int = 0, bias: float = 0.1) -> Array:
    """Fresh parameters θ (P,) to check at: Xavier normal weights (whichever way round W stands), small random biases.

    Biases that are not 0 keep rows of zeros off the kink of ReLU.
    """
    generator = np.random.default_rng(seed)
    theta = np.empty(max(part.stop for part in parts))
    for part in parts:
        fans = sum(part.shape) if len(part.shape) > 1 else 2
        spread = np.sqrt(2 / fans) if part.kind == "W" else bias
        theta[part.start : part.stop] = spread * generator.standard_normal(part.stop - part.start)
    return theta


def one_by_one(cost: Cost) -> Costs:
    """Costs (B,) of many θ (B, P), for a cost that takes one."""
    return lambda thetas: np.array([cost(theta) for theta in thetas], dtype=float)


def check(
    costs: Costs, gradient: Gradient, theta: Array, parts: Sequence[Part], samples: int = SAMPLES, seed: int = 0
) -> Check:
    """Check `gradient`(θ) (P,) against the slope of `costs`(θ (B, P)) (B,) at `theta` (P,). No mistake is named yet.

    `samples`: so many coordinates of each part are measured, half of them those with the largest gradient.

    >>> square = one_by_one(lambda theta: float(theta @ theta) / 2)
    >>> theta, parts = np.array([3.0, 4.0, 1.0]), parts_of((2, 1))
    >>> check(square, lambda theta: theta, theta, parts).ok
    True
    >>> round(check(square, lambda theta: -theta, theta, parts).layers[0].rho, 6)
    -1.0
    """
    theta = np.array(theta, dtype=float)
    g = np.array(gradient(theta.copy()), dtype=float)
    again = np.array(gradient(theta.copy()), dtype=float)
    base = float(costs(theta[None].copy())[0])
    groups = _groups(parts)
    rhos = _rhos(costs, theta, g, [*groups, *[[part] for part in parts]])
    generator, measured, layers = np.random.default_rng(seed), [], []
    for part, rho in zip(parts, rhos[len(groups) :], strict=True):
        measured.append(_part(costs, theta, g, base, part, rho, _chosen(g, part, samples, generator)))
    for group, rho in zip(groups, rhos[: len(groups)], strict=True):
        layers.append(_layer(group[0].layer, rho, [each for each in measured if each.part in group]))
    steady = bool(np.allclose(g, again, rtol=1e-9, atol=1e-300))
    return Check(tuple(layers), steady and all(layer.ok for layer in layers), None, g, again)


def compared(
    g: Array, again: Array, true: Array, parts: Sequence[Part], samples: int = SAMPLES, seed: int = 0
) -> Check:
    """The check of a gradient `g` (P,) against slopes `true` (P,) that are known exactly, by reverse mode."""
    generator, measured = np.random.default_rng(seed), []
    for part in parts:
        span = slice(part.start, part.stop)
        given, wanted = g[span], true[span]
        off, norms = float(np.linalg.norm(given - wanted)), float(np.linalg.norm(given) + np.linalg.norm(wanted))
        error = off / norms if norms > 0 else 0.0
        square = float(given @ given)
        rho = float(given @ wanted) / square if square > 0 else 0.0
        nothing = norms <= TINY
        right = bool(error <= ERROR_TOLERANCE or nothing)
        positions = _chosen(g, part, samples, generator)
        worst = [
            Coordinate(
                part.name,
                tuple(int(i) for i in np.unravel_index(at - part.start, part.shape)),
                float(g[at]),
                float(true[at]),
                float(abs(g[at] - true[at]) / max(abs(g[at]) + abs(true[at]), np.finfo(float).tiny)),
            )
            for at in sorted(positions, key=lambda at: -abs(g[at] - true[at]))[:3]
        ]
        rho = float("nan") if nothing else 1.0 if error <= TINY else rho
        measured.append(PartCheck(part, rho, error, tuple(worst), positions, g[positions], true[positions], 0, right))
    layers = []
    for group in _groups(parts):
        inside = np.concatenate([np.arange(part.start, part.stop) for part in group])
        square = float(g[inside] @ g[inside])
        rho = float(g[inside] @ true[inside]) / square if square > 0 else 0.0
        layers.append(_layer(group[0].layer, rho, [each for each in measured if each.part in group]))
    steady = bool(np.allclose(g, again, rtol=1e-9, atol=1e-300))
    return Check(tuple(layers), steady and all(layer.ok for layer in layers), None, g, again)


def slopes(costs: Costs, theta: Array, positions: np.ndarray, base: float, h: float) -> tuple[Array, np.ndarray]:
    """dJ/dθ_i (k,) at `positions` (k,), to fourth order, and where there is no such slope: a kink within 2h.

        J' = (8 [J(h) - J(-h)] - [J(2h) - J(-2h)]) / 12h

    A smooth J has second differences that go by 4 from h to 2h, up to h⁴ J''''; at a kink they go by about 2.
    """
    k = len(positions)
    moved = np.repeat(theta[None], 4 * k, axis=0)  # (4k, P)
    offsets = np.array([h, -h, 2 * h, -2 * h])
    moved[np.arange(4 * k), np.repeat(positions, 4)] += np.tile(offsets, k)
    near_up, near_down, far_up, far_down = costs(moved).reshape(k, 4).T
    slope = (8 * (near_up - near_down) - (far_up - far_down)) / (12 * h)
    bend = (far_up + far_down - 2 * base) - 4 * (near_up + near_down - 2 * base)
    size = np.sqrt(np.mean(slope * slope)) if k else 0.0
    return slope, np.abs(bend) / (2 * h) > 1e-7 * size + _noise(base, h) / 10


def _groups(parts: Sequence[Part]) -> list[list[Part]]:
    layers = sorted({part.layer for part in parts})
    return [[part for part in parts if part.layer == layer] for layer in layers]


def _rhos(costs: Costs, theta: Array, g: Array, groups: Sequence[Sequence[Part]]) -> list[float]:
    """ρ of each group of parts: 0 where the gradient given is 0 (the coordinates say whether it should be).

    A ρ that is off is measured again with larger steps, as a gradient of 1e-8 drowns in the rounding of J, and with
    smaller ones, as a step over a kink says little: with 12,288 features a step of 1e-5 moves Z by 1e-3. A wrong
    gradient stays wrong with every step.
    """
    directions = np.zeros((len(groups), len(g)))
    for direction, group in zip(directions, groups, strict=True):
        for part in group:
            direction[part.start : part.stop] = g[part.start : part.stop]
    norms = np.sqrt((directions * directions).sum(axis=1))
    finite = np.isfinite(norms)
    found = np.where(finite, 0.0, np.nan)
    wanted = np.flatnonzero(finite & (norms > 0))
    for step in (STEP, 10 * STEP, 100 * STEP, STEP / 10, STEP / 100):
        if not len(wanted):
            break
        moves = directions[wanted] * (step / norms[wanted])[:, None]
        up, down = costs(np.concatenate([theta + moves, theta - moves])).reshape(2, -1)
        rho = (up - down) / (2 * step * norms[wanted])
        first = step == STEP
        found[wanted] = np.where(first | (np.abs(rho - 1) <= RHO_TOLERANCE), rho, found[wanted])
        wanted = wanted[np.abs(found[wanted] - 1) > RHO_TOLERANCE]
    return [float(rho) for rho in found]


def _chosen(g: Array, part: Part, samples: int, generator: np.random.Generator) -> np.ndarray:
    """The positions in θ to look at: half those of the largest gradients, the rest by chance."""
    size = part.stop - part.start
    if size <= samples:
        return np.arange(part.start, part.stop)
    largest = np.argpartition(-np.abs(np.nan_to_num(g[part.start : part.stop])), samples // 2)[: samples // 2]
    others = generator.choice(size, samples, replace=False)
    chosen = list(dict.fromkeys([*largest.tolist(), *others.tolist()]))[:samples]
    return part.start + np.sort(np.array(chosen))


def _part(
    costs: Costs, theta: Array, g: Array, base: float, part: Part, rho: float, positions: np.ndarray
) -> PartCheck:
    """Measure a part's coordinates: with larger steps where the slopes drown in rounding, and with smaller ones where
    every coordinate has a kink within reach.
    """
    h = 1e-4
    numeric, kinked = slopes(costs, theta, positions, base, h)
    if kinked.all():
        h = 1e-5
        numeric, kinked = slopes(costs, theta, positions, base, h)
    elif np.sqrt(np.mean(numeric**2)) < 1e-5:
        wider, bent = slopes(costs, theta, positions, base, 10 * h)
        if not bent.all():
            h, numeric, kinked = 10 * h, wider, bent
    kept = positions[~kinked]
    analytic, numeric = g[kept], numeric[~kinked]
    off = np.abs(analytic - numeric)
    errors = off / np.maximum(np.abs(analytic) + np.abs(numeric), np.finfo(float).tiny)
    norms = float(np.linalg.norm(analytic) + np.linalg.norm(numeric))
    noise = _noise(base, h) * np.sqrt(max(len(kept), 1))
    error = float(np.linalg.norm(off)) / norms if norms > 0 else 0.0
    right = bool(np.linalg.norm(off) <= ERROR_TOLERANCE * norms + noise)
    nothing = not g[part.start : part.stop].any()
    if nothing and right:
        rho = float("nan")
    worst = [
        Coordinate(
            part.name,
            tuple(int(i) for i in np.unravel_index(kept[i] - part.start, part.shape)),
            float(analytic[i]),
            float(numeric[i]),
            float(errors[i]),
        )
        for i in np.argsort(-off, kind="stable")[:3]
    ]
    ok = right and (nothing or abs(rho - 1) <= RHO_TOLERANCE)
    return PartCheck(part, rho, error, tuple(worst), kept, analytic, numeric, int(kinked.sum()), ok)


def _layer(layer: int, rho: float, parts: Sequence[PartCheck]) -> LayerCheck:
    analytic = np.concatenate([each.analytic for each in parts])
    numeric = np.concatenate([each.numeric for each in parts])
    norms = float(np.linalg.norm(analytic) + np.linalg.norm(numeric))
    error = float(np.linalg.norm(analytic - numeric)) / norms if norms > 0 else 0.0
    worst = sorted((one for each in parts for one in each.worst), key=lambda one: -abs(one.analytic - one.numeric))
    nothing = all(np.isnan(each.rho) and each.ok for each in parts)
    ok = all(each.ok for each in parts) and (nothing or abs(rho - 1) <= RHO_TOLERANCE)
    return LayerCheck(layer, float("nan") if nothing else rho, error, tuple(parts), tuple(worst[:3]), ok)


def _noise(base: float, h: float) -> float:
    """What rounding makes of a slope: J is known to some units in its last place (a sum over many rows)."""
    return 64 * np.finfo(float).eps * max(abs(base), 1e-3) / h if np.isfinite(base) else np.inf
