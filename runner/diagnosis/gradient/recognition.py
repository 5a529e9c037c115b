"""What a network of someone else's computes, found out from its costs alone.

If it is a fully connected one with activations, output and loss that are known here, one of the combinations gives its
cost at any parameters, up to a factor c (a sum for a mean, a half) and L2:

    J(θ) = c J'(θ) + (λ/2) Σ |W_l|²

Each is fitted at several θ by least squares; the one that leaves nothing over is it. Then a wrong gradient of it can be
compared with every mistake of runner.diagnosis.gradient.mistakes, and not only with factors and transposes. NumPy only.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise, product

import numpy as np

from runner.diagnosis.gradient import mistakes
from runner.diagnosis.gradient.measure import Costs, scratch
from runner.nn import activations, losses
from runner.nn.activations import Activation
from runner.nn.losses import Head
from runner.nn.types import Array, Part

LEFT_OVER = 1e-6  # the share of the cost that a fit may leave over: an epsilon in a logarithm does
STARTS = 6
ACTIVATIONS: dict[str, Activation] = {
    "tanh": activations.tanh(),
    "sigmoid": activations.sigmoid(),
    "relu": activations.relu(),
    "leaky_relu": activations.leaky_relu(),
    "elu": activations.elu(),
    "gelu": activations.gelu(),
    "softplus": activations.softplus(),
    "identity": activations.identity(),
}
MIXED = 64  # so many ways at most to give each hidden layer an activation of its own are tried


def recognised(costs: Costs, parts: Sequence[Part], X: Array, Y: Array, seed: int = 0) -> mistakes.Structure | None:
    """The structure of the network with these `costs`(θ (B, P)) (B,) on `X` (n, d), `Y` (n, outputs); None if unknown.

    The names of what was recognised are not needed: the structure holds the functions themselves.
    """
    thetas = np.stack([scratch(parts, seed + start) for start in range(STARTS)])
    with np.errstate(all="ignore"):
        wanted = costs(thetas)
        if not np.isfinite(wanted).all() or not wanted.any():
            return None
        for structure in _candidates(parts, X, Y):
            found = _fitted(structure, thetas, wanted)
            if found is not None:
                return found
    return None


def _candidates(parts: Sequence[Part], X: Array, Y: Array) -> Iterator[mistakes.Structure]:
    """Every fully connected network that these parts can be, the usual ones first."""
    layers = sorted({part.layer for part in parts})
    weights = [part for part in parts if part.kind == "W"]
    if layers != [part.layer for part in weights] or any(len(part.shape) != 2 for part in weights):
        return
    for turned in (False, True):
        fans = [part.shape[::-1] if turned else part.shape for part in weights]
        chained = all(before[1] == after[0] for before, after in pairwise(fans))
        if not chained or fans[0][0] != X.shape[1] or fans[-1][1] != Y.shape[1]:
            continue
        hidden = len(fans) - 1
        alike = [(name,) * hidden for name in ACTIVATIONS]
        mixed = [] if len(ACTIVATIONS) ** hidden > MIXED else list(product(ACTIVATIONS, repeat=hidden))
        for names, head in product(dict.fromkeys([*alike, *mixed]), _heads()):
            yield mistakes.Structure(X, Y, [ACTIVATIONS[name] for name in names], head, parts, turned=turned)


def _heads() -> list[Head]:
    probable = [losses.cross_entropy_from_probabilities(output) for output in losses.PROBABILITIES]
    return [*probable, *(losses.half_squared_error(output) for output in losses.OUTPUTS)]


def _fitted(structure: mistakes.Structure, thetas: Array, wanted: Array) -> mistakes.Structure | None:
    """The structure with the factor c and the λ that give the `wanted` costs (B,); None where none do."""
    ours = np.array([mistakes.cost(structure, theta) for theta in thetas])
    if not np.isfinite(ours).all():
        return None
    weights = np.concatenate([np.arange(part.start, part.stop) for part in structure.parts if part.kind == "W"])
    squares = (thetas[:, weights] ** 2).sum(axis=1) / 2
    (c, l2), *_ = np.linalg.lstsq(np.stack([ours, squares], axis=1), wanted, rcond=None)
    left = wanted - c * ours - l2 * squares
    if c <= 0 or np.linalg.norm(left) > LEFT_OVER * np.linalg.norm(wanted - wanted.mean()):
        return None
    head, l2 = structure.head, 0.0 if abs(l2) < 1e-6 * c else float(l2)
    scaled = head._replace(
        cost=lambda Z, A, Y: c * head.cost(Z, A, Y),
        dZ=lambda Z, A, Y, out=None: c * head.dZ(Z, A, Y),
        weight=lambda A: c * head.weight(A),
    )
    return structure._replace(head=scaled, l2=l2)
