"""What the known optimizers do with a sequence of gradients, and what their usual mistakes do: one array at a time.

Each is (gradients (T arrays), lr, constants) -> the steps taken away from the parameters, T arrays. Equations as in
runner.nn.optimizers; NumPy only.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from runner.nn.types import Array

Steps = list[Array]


class Rule(NamedTuple):
    """A way to make steps of gradients: what it is called, whether it is `right`, and how."""

    name: str
    right: bool
    steps: Callable[[Sequence[Array], float], Steps]


def rules(betas: Sequence[float], epsilons: Sequence[float]) -> Iterator[Rule]:
    """All that is known, the right ones first."""
    yield Rule("gradient descent", True, lambda g, lr: [lr * each for each in g])
    for beta in betas:
        for name, kind in (("momentum", 0), ("momentum", 1), ("momentum", 2), ("Nesterov momentum", 3)):
            yield Rule(name, True, _momentum(beta, kind))
        for epsilon in epsilons:
            for inside in (False, True):
                yield Rule("RMSprop", True, _scaled(beta, epsilon, inside))
    for epsilon in epsilons:
        yield Rule("Adagrad", True, _scaled(None, epsilon, False))
        yield Rule("Adagrad", True, _scaled(None, epsilon, True))
    pairs = [(first, second) for first in betas for second in betas if first <= second]
    for wrong in ("", *MISTAKES):
        for first, second in pairs:
            for epsilon in epsilons:
                yield Rule(wrong or "Adam", not wrong, _adam(first, second, epsilon, wrong))
    yield Rule("ascent", False, lambda g, lr: [-lr * each for each in g])
    for beta in betas:
        for kind in (0, 1, 2):
            yield Rule("ascent", False, _negated(_momentum(beta, kind)))
            yield Rule("the momentum has the wrong sign", False, _momentum(-beta, kind))


MISTAKES = {
    "the corrected moments are fed back": "m and v must stay: what is divided by 1 - beta**t is for this step only",
    "the bias correction is missing": "m and v begin at 0 and are too small at first: divide them by 1 - beta**t",
    "epsilon is inside of the root": "it is added to the root, not under it",
    "the moments begin again at every step": "they must be kept from step to step",
    "the step counter stands still": "t must count the steps",
}


def _momentum(beta: float, kind: int) -> Callable[[Sequence[Array], float], Steps]:
    def steps(gradients: Sequence[Array], lr: float) -> Steps:
        v = np.zeros_like(gradients[0])
        found = []
        for g in gradients:
            share = 1 - abs(beta) if kind == 1 else lr if kind == 2 else 1.0
            v = beta * v + share * g
            found.append(v if kind == 2 else lr * (g + beta * v) if kind == 3 else lr * v)
        return found

    return steps


def _negated(rule: Callable[[Sequence[Array], float], Steps]) -> Callable[[Sequence[Array], float], Steps]:
    return lambda g, lr: [-each for each in rule(g, lr)]


def _scaled(beta: float | None, epsilon: float, inside: bool) -> Callable[[Sequence[Array], float], Steps]:
    def steps(gradients: Sequence[Array], lr: float) -> Steps:
        s = np.zeros_like(gradients[0])
        found = []
        for g in gradients:
            s = s + g * g if beta is None else beta * s + (1 - beta) * g * g
            found.append(lr * g / (np.sqrt(s + epsilon) if inside else np.sqrt(s) + epsilon))
        return found

    return steps


def _adam(first: float, second: float, epsilon: float, wrong: str) -> Callable[[Sequence[Array], float], Steps]:
    def steps(gradients: Sequence[Array], lr: float) -> Steps:
        m, v, found = np.zeros_like(gradients[0]), np.zeros_like(gradients[0]), []
        for t, g in enumerate(gradients, 1):
            if wrong == "the moments begin again at every step":
                m, v = np.zeros_like(g), np.zeros_like(g)
            if wrong == "the step counter stands still":
                t = 1
            m, v = first * m + (1 - first) * g, second * v + (1 - second) * g * g
            m_hat, v_hat = m / (1 - first**t), v / (1 - second**t)
            if wrong == "the bias correction is missing":
                m_hat, v_hat = m, v
            if wrong == "the corrected moments are fed back":
                m, v = m_hat, v_hat
            inside = wrong == "epsilon is inside of the root"
            found.append(lr * m_hat / (np.sqrt(v_hat + epsilon) if inside else np.sqrt(v_hat) + epsilon))
        return found

    return steps
