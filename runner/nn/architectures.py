"""Architectures: what a network is made of, before it is known what data it meets.

To add one: one function here that returns an `Architecture`, and one yaml in conf/architecture.
"""

from typing import NamedTuple

from runner.nn.types import Fraction, NonNegative, PositiveCount


class Architecture(NamedTuple):
    """`hidden` widths; the names of the hidden activation, the output function and the loss ("auto" fits the data)."""

    hidden: tuple[int, ...]
    activation: str
    output: str
    loss: str
    epsilon: float
    l2: float
    dropout: float


def mlp(
    hidden: list[PositiveCount],
    activation: str = "tanh",
    output: str = "auto",
    loss: str = "auto",
    epsilon: NonNegative = 0.0,
    l2: NonNegative = 0.0,
    dropout: Fraction = 0.0,
) -> Architecture:
    """A multilayer perceptron: fully connected layers of the `hidden` widths, then the output layer.

    `activation` is a function of runner.nn.activations, `loss` one of runner.nn.losses, `output` sigmoid, softmax,
    tanh or identity. `epsilon` stands in the logarithms of cross_entropy_from_probabilities; `l2` is λ in J + (λ/2)
    |W|²; `dropout` is the share of hidden units that is out in a training step, the rest scaled up (Srivastava et
    al., 2014).

    >>> mlp(hidden=[4]).hidden
    (4,)
    """
    return Architecture(tuple(hidden), activation, output, loss, epsilon, l2, dropout)
