"""What it costs a network of the user's own to know nothing: always the same answer, the best one that there is.

    base = base_cost(network, parts, source, data)      as its own cost says it: a sum, a half, an epsilon are in it

The network itself is asked: with all weights 0 and a bias of the last layer it answers the same to every row. Where it
has no such bias, its cost is recognised as a loss of its outputs, and that loss is asked for the best constant answer.
"""

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

from runner.nn.types import Array, Part
from runner.training.own.module import still
from runner.training.own.network import NetworkError, NetworkProblem, OwnNetwork
from runner.training.own.stack import given
from runner.training.recipe import Data, OwnSource
from runner.training.script.losses import SAME, recognise

TINY = 1e-12  # a share of no row has no logarithm


def base_cost(network: OwnNetwork, parts: Sequence[Part], source: OwnSource, data: Data) -> float:
    """The cost of the best constant answer to `data`, in the units of the network's own cost; NaN where it has none.

    The network's parameters are left as they are.
    """
    before = network.theta()
    try:
        with np.errstate(all="ignore"):
            found = _by_bias(network, parts, source, data)
            network.write(before)
            return found if np.isfinite(found) else _by_loss(network, source, data)
    except (NetworkProblem, NetworkError):
        return float("nan")  # its code does not take weights of 0, or constant outputs
    finally:
        network.write(before)


def base_score(data: Data, classes: int) -> float:
    """The score of the best constant answer: the share of the most frequent class, or R² = 0.

    >>> base_score(Data(np.zeros((4, 1)), np.zeros((4, 1)), np.array([0, 0, 0, 1])), 2)
    0.75
    """
    if not classes:
        return 0.0
    shares = np.unique(data.y, return_counts=True)[1] / len(data.y)
    return float(shares.max())


def _by_bias(network: OwnNetwork, parts: Sequence[Part], source: OwnSource, data: Data) -> float:
    """The least cost over constants that the last layer's bias gives, all weights 0; NaN where it has no such bias."""
    last = max(part.layer for part in parts)
    outputs = data.Y.shape[1]
    biases = [part for part in parts if part.layer == last and part.kind == "b" and prod(part.shape) == outputs]
    if len(biases) != 1 or not any(part.layer == last and part.kind == "W" for part in parts):
        return float("nan")
    (bias,), (X, Y) = biases, given(data, source)
    theta, costs = np.zeros(sum(part.stop - part.start for part in parts)), []
    for constant in constants(data.Y):
        theta[bias.start : bias.stop] = constant
        network.write(theta)
        still(0)
        costs.append(network.cost(X, Y))
    finite = [cost for cost in costs if np.isfinite(cost)]
    return min(finite, default=float("nan"))


def constants(Y: Array) -> Iterator[Array]:
    """Z (outputs,) at which an output function gives the mean or the median of the targets `Y` (n, outputs).

    For the identity that is the mean itself; its logit for sigmoid, its logarithm for softmax, artanh for tanh.
    """
    mean = Y.mean(axis=0)
    yield np.zeros_like(mean)
    for middle in (mean, np.median(Y, axis=0)):
        yield middle
        if middle.min() >= 0 and middle.max() <= 1:
            share = np.clip(middle, TINY, 1 - TINY)
            yield np.log(share / (1 - share))
            yield np.log(share)
        if np.abs(middle).max() < 1:
            yield np.arctanh(middle)


def _by_loss(network: OwnNetwork, source: OwnSource, data: Data) -> float:
    """The cost that a recognised loss has at its best constant answer; NaN where it is not recognised."""
    if not source.predicts:
        return float("nan")
    X, Y = given(data, source)
    still(0)
    cost = network.cost(X, Y)
    A = network.predict(X)
    A = np.asarray(A.T if source.options.samples == "columns" else A, dtype=float).reshape(len(data.X), -1)
    match = recognise({"cost": cost}, {"A": A}, {"Y": data.Y}).get("cost")
    if match is None or match.loss not in SAME or A.shape != data.Y.shape:
        return float("nan")
    loss = SAME[match.loss]
    costs = [
        match.factor * loss(np.broadcast_to(each, data.Y.shape).ravel(), data.Y.ravel()) for each in constants(data.Y)
    ]
    return min((float(each) for each in costs if np.isfinite(each)), default=float("nan"))
