"""Mistakes in the update, in the cost that is reported, in the initial weights, and in what was configured.

The gradient is right with all of these; a check of the update finds the first three.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from runner.nn import optimizers
from runner.nn.architectures import Architecture
from runner.nn.faults.types import Fault, Meets
from runner.nn.losses import Head
from runner.nn.optimizers import Optimizer
from runner.nn.types import Array, Fraction, Positive, layers_of, spans


def bias_not_updated() -> Fault:
    """The update goes over the weights and forgets the biases: they stay what they were at the start."""

    def optimizer(right: Optimizer, widths: tuple[int, ...]) -> Optimizer:
        moves = np.concatenate(
            [np.repeat([True, False], [span.bias - span.start, span.stop - span.bias]) for span in spans(widths)]
        )

        def update(g: Array, state: Any, theta: Array, lr: float | Array, step: Array) -> Any:
            state = right.update(g, state, theta, lr, step)
            np.multiply(step, moves, out=step)
            return state

        return right._replace(update=update)

    return Fault(optimizer=optimizer, kind="bias not updated")


def ascent() -> Fault:
    """θ := θ + step: up the slope and not down."""

    def optimizer(right: Optimizer, widths: tuple[int, ...]) -> Optimizer:
        def update(g: Array, state: Any, theta: Array, lr: float | Array, step: Array) -> Any:
            state = right.update(g, state, theta, lr, step)
            np.negative(step, out=step)
            return state

        return right._replace(update=update)

    return Fault(optimizer=optimizer, kind="ascent")


def accumulated_gradient() -> Fault:
    """The gradient is never set back to 0: each step takes the sum of all gradients so far. The sum is remembered."""

    def optimizer(right: Optimizer, widths: tuple[int, ...]) -> Optimizer:
        def init(theta: Array) -> Any:
            inner = right.init(theta)
            return _SUMMED[type(inner)](*inner, np.zeros_like(theta))

        def update(g: Array, state: Any, theta: Array, lr: float | Array, step: Array) -> Any:
            *inner, summed = state
            summed += g
            moved = right.update(summed, _INNER[type(state)](*inner), theta, lr, step)
            return type(state)(*moved, summed)

        return right._replace(init=init, update=update)

    return Fault(optimizer=optimizer, kind="accumulated")


def wrong_cost(severity: Positive = 2.0) -> Fault:
    """The cost that is reported is `severity` times the cost; the gradient is right."""

    def head(right: Head) -> Head:
        return right._replace(cost=lambda Z, A, Y: severity * right.cost(Z, A, Y))

    return Fault(head=head, kind="wrong cost")


def symmetric_init() -> Fault:
    """Every weight of a layer begins as the same number, the root mean square of those drawn: units stay equal."""

    def theta0(theta: Array, widths: tuple[int, ...]) -> Array:
        for layer in layers_of(theta[None], widths):
            layer.W[:] = np.sqrt(np.mean(layer.W * layer.W))
            layer.b[:] = layer.b[..., :1]
        return theta

    return Fault(theta0=theta0, impossible=_needs_units)


def init_too_large(severity: Positive = 100.0) -> Fault:
    """All weights begin `severity` times too large."""
    return Fault(theta0=_scaled(severity))


def init_too_small(severity: Positive = 100.0) -> Fault:
    """All weights begin `severity` times too small."""
    return Fault(theta0=_scaled(1 / severity))


def rate_too_high(severity: Positive = 100.0) -> Fault:
    """The learning rate is `severity` times what the configuration says."""
    return Fault(arguments=_rate(severity))


def rate_too_low(severity: Positive = 1000.0) -> Fault:
    """The learning rate is a `severity`-th of what the configuration says."""
    return Fault(arguments=_rate(1 / severity))


def linear_net() -> Fault:
    """The hidden activations are forgotten: f(z) = z, and the network is a linear one."""

    def impossible(meets: Meets) -> str | None:
        if meets.last < 2:
            return "is a mistake in hidden layers, and architecture.hidden=[]."
        return None if meets.activation != "identity" else "changes nothing with architecture.activation=identity."

    return Fault(architecture=lambda right: right._replace(activation="identity"), impossible=impossible)


def too_narrow() -> Fault:
    """Every hidden layer has a single unit."""

    def architecture(right: Architecture) -> Architecture:
        return right._replace(hidden=tuple(1 for _ in right.hidden))

    return Fault(architecture=architecture, impossible=_needs_units)


def dropout_at_test(severity: Fraction = 0.5) -> Fault:
    """Dropout is left on where costs and scores are measured: `severity` of the hidden units are out."""
    return Fault(
        dropout_at_test=severity,
        impossible=lambda meets: None if meets.last > 1 else "is a mistake in hidden layers, and there are none.",
    )


def _memories() -> dict[type, Any]:
    """Each type of an optimizer's memory, and the type with one array more: flat, as checkpoints want it."""
    known = [each for each in vars(optimizers).values() if hasattr(each, "_fields") and each is not Optimizer]
    return {inner: namedtuple(f"Summed{inner.__name__}", (*inner._fields, "summed")) for inner in known}


_SUMMED = _memories()
_INNER = {outer: inner for inner, outer in _SUMMED.items()}
globals().update({outer.__name__: outer for outer in _INNER})  # pickled by name, between processes


def _scaled(factor: float) -> Callable[[Array, tuple[int, ...]], Array]:
    def theta0(theta: Array, widths: tuple[int, ...]) -> Array:
        for layer in layers_of(theta[None], widths):
            layer.W[:] *= factor
        return theta

    return theta0


def _rate(factor: float) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    return lambda arguments: {**arguments, "lr": arguments["lr"] * factor}


def _needs_units(meets: Meets) -> str | None:
    return None if max(meets.widths[1:-1], default=1) > 1 else "needs a hidden layer with several units."
