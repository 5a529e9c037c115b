"""Architectures: what a network is made of, before it is known what data it meets.

To add one: one function here that returns an `Architecture`, and one yaml in conf/architecture.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from runner.nn.types import Fraction, NonNegative, Positive, PositiveCount


class Own(NamedTuple):
    """A network of the user's own: where it is, how it wants rows and labels, who updates it, what it is made with.

    `inputs` "as_is": whole numbers stay whole numbers, and pictures (n, height, width, channels).
    """

    network: str
    samples: Literal["rows", "columns"] = "rows"
    labels: Literal["auto", "column", "one_hot", "index"] = "auto"
    update: Literal["ours", "own"] = "ours"
    hidden: tuple[int, ...] | None = None
    arguments: Mapping[str, Any] = {}
    inputs: Literal["floats", "as_is"] = "floats"
    init: Literal["own", "lecun_normal", "xavier_normal", "he_normal"] = "own"
    init_scale: float = 1.0


class Architecture(NamedTuple):
    """`hidden` widths; the names of the hidden activation, the output function and the loss ("auto" fits the data).

    `own` is the user's network, where it is one: then nothing else here is the network's but `output`: how labels are
    given to it.
    """

    hidden: tuple[int, ...]
    activation: str
    output: str
    loss: str
    epsilon: float
    l2: float
    dropout: float
    own: Own | None = None


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


def own(
    network: str,
    samples: Literal["rows", "columns"] = "rows",
    labels: Literal["auto", "column", "one_hot", "index"] = "auto",
    update: Literal["ours", "own"] = "ours",
    hidden: list[PositiveCount] | None = None,
    arguments: dict[str, Any] = {},  # noqa: B006 - never changed; a signature is a schema, and {} its default
    inputs: Literal["floats", "as_is"] = "floats",
    init: Literal["own", "lecun_normal", "xavier_normal", "he_normal"] = "own",
    init_scale: Positive = 1.0,
) -> Architecture:
    """A network of your own: `network` is my_module:MyNet, or a module of functions (see docs/own-network.md).

    `samples` says whether a sample is a row or a column of X and Y; `labels` what Y holds: a `column` of numbers,
    `one_hot` vectors, or the `index` of the class; auto is a column of 0 and 1 for two classes, one_hot for more.
    `update` is ours (the optimizer's) or the network's own step(lr). `hidden` and `arguments` reach its constructor.
    `inputs` says whether X holds `floats` (n, d), scaled, or is `as_is`: whole numbers stay so, and pictures are (n,
    height, width, channels). `init` draws its weights here (biases are 0 then), own leaves those that it has drawn;
    `init_scale` is what they are multiplied by.

    >>> own(network="my_module:MyNet").own.samples
    'rows'
    """
    output = {"column": "identity", "one_hot": "softmax"}.get(labels, "auto")
    widths = None if hidden is None else tuple(hidden)
    given = Own(network, samples, labels, update, widths, arguments, inputs, init, init_scale)
    return Architecture((), "identity", output, "auto", 0.0, 0.0, 0.0, given)
