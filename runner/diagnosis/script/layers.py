"""In which order a script's arrays are the layers of a dense network: told by names and shapes."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from runner.nn.types import Array


class Order(NamedTuple):
    """Positions of the weights and biases, layer by layer; `across`: a row of W is a unit, (out, in)."""

    weights: tuple[int, ...]
    biases: tuple[int, ...]
    across: bool
    widths: tuple[int, ...]

    def layers(self, arrays: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        """W (in, out) and b (out,) by layer; without biases they are zeros that nobody moves."""
        W = [np.array(arrays[at].T if self.across else arrays[at]) for at in self.weights]
        return W, [np.array(arrays[at]).reshape(-1) for at in self.biases]


def orders(names: Sequence[str], shapes: Sequence[tuple[int, ...]], inputs: int) -> Iterator[Order]:
    """Every order in which the shapes make a chain from the inputs.

    >>> next(orders(["b1", "W1", "W2", "b2"], [(4,), (2, 4), (4, 1), (1,)], 2)).widths
    (2, 4, 1)
    """
    biases = [at for at in range(len(names)) if _is_bias(names[at], shapes[at])]
    weights = [at for at in range(len(names)) if at not in biases and len(shapes[at]) == 2]
    if len(weights) != len(biases) or len(weights) + len(biases) != len(names):
        return
    weights.sort(key=lambda at: _number(names[at]))
    biases.sort(key=lambda at: _number(names[at]))
    for across in (True, False):
        sizes = [shapes[at][::-1] if across else shapes[at] for at in weights]  # (in, out)
        widths = (inputs, *(size[1] for size in sizes))
        fits = all(size[0] == width for size, width in zip(sizes, widths, strict=False))
        if fits and all(int(np.prod(shapes[at])) == width for at, width in zip(biases, widths[1:], strict=True)):
            yield Order(tuple(weights), tuple(biases), across, widths)


def _is_bias(name: str, shape: tuple[int, ...]) -> bool:
    words = [word for word in re.findall(r"[^\W\d_]+", name) if word not in ("self", "params", "parameters", "layers")]
    called = bool(words) and words[-1].lower().startswith("b")
    return len(shape) < 2 or (called and 1 in shape)


def _number(name: str) -> list[int]:
    return [int(found) for found in re.findall(r"\d+", name)]
