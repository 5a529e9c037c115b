"""What a fault can replace, and what it must know of a network to say whether it can be made there."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from runner.nn.activations import Activation
from runner.nn.architectures import Architecture
from runner.nn.losses import Head
from runner.nn.optimizers import Optimizer
from runner.nn.types import Affine, Array

Sets = Mapping[str, Any]  # the rows of "train", "val", "test", each a NamedTuple of X (n, d), Y (n, outputs), y (n,)


class Meets(NamedTuple):
    """The network that a fault meets: `widths` (inputs, hidden ..., outputs) and the names of its functions."""

    widths: tuple[int, ...]
    activation: str
    output: str
    loss: str
    l2: float = 0.0

    @property
    def last(self) -> int:
        """The number of the last layer."""
        return len(self.widths) - 1


class Fault(NamedTuple):
    """What is wrong, a piece of the mathematics each; what is None is right.

    `head` and `activation` replace those of the network; `back` gives what errors go back through in place of Wᵀ,
    (K, fan_in, fan_out) -> (K, fan_out, fan_in); `inputs` what dW is made with in place of every layer's A_{l-1}ᵀ;
    `gradient`(g, n) changes the gradients of n rows in place; `l2`: whether they have the penalty's. `optimizer`(right,
    widths), `theta0`(θ, widths), `sets`, `architecture` and `arguments` (the optimizer's) replace what their names say.
    `dropout_at_test` is a rate.

    `rotates`: whether training may be shrunk with it (runner.training.shrink). `kind` and `layer` are what a gradient
    check should call it ("" where there is nothing that it could find); `impossible` says why a network cannot have it,
    as the rest of a sentence that begins with the fault's name.
    """

    head: Callable[[Head], Head] | None = None
    activation: Callable[[Activation], Activation] | None = None
    back: Callable[[Array], Array] | None = None
    inputs: Callable[[Sequence[Array]], Sequence[Array]] | None = None
    gradient: Callable[[Affine, int], None] | None = None
    l2: bool = True
    optimizer: Callable[[Optimizer, tuple[int, ...]], Optimizer] | None = None
    theta0: Callable[[Array, tuple[int, ...]], Array] | None = None
    sets: Callable[[Sets], Sets] | None = None
    architecture: Callable[[Architecture], Architecture] | None = None
    arguments: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None
    dropout_at_test: float = 0.0
    rotates: bool = True
    kind: str = ""
    layer: Callable[[Meets], int | None] = lambda meets: None
    impossible: Callable[[Meets], str | None] = lambda meets: None
