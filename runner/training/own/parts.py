"""Which array is the weight or the bias of which layer: from the names and shapes of a network's parameters."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import prod

from runner.nn.types import Part
from runner.training.own.network import Layout

BIASES = re.compile(r"(?:^|[._])(?:bias|biases|intercept|b|beta|c)(?:es)?[_.]?(?:\w{0,12})$", re.IGNORECASE)


def parts_of(layout: Layout, inputs: int | None = None, outputs: int | None = None) -> list[Part]:
    """The parts of θ, layer by layer as names and shapes have it; layers are numbered from the inputs on.

    A number in the names is the layer (W1, weights.0, layers.0.W), if so each layer has one weight; else a layer begins
    at each weight. A vector, or a row or column beside a weight that it fits, is a bias. Of several ways to read them,
    the first is taken that makes a chain of matrices from `inputs` to `outputs`, else one that makes a chain at all.

    >>> [(part.name, part.layer, part.kind) for part in parts_of((("W1", (4, 2)), ("b1", (4, 1)), ("W2", (1, 4))))]
    [('W1', 1, 'W'), ('b1', 1, 'b'), ('W2', 2, 'W')]
    """
    plain = ["W" if len(shape) > 1 else "b" for _, shape in layout]
    half = len(layout) // 2
    apart = ["W"] * (len(layout) - half) + ["b"] * half  # all weights, then all biases
    ways = (_kinds(layout, by_shape=False), _kinds(layout, by_shape=True), apart, plain)
    found = [_parts(layout, layers, kinds) for kinds in ways for layers in _numbered(layout, kinds)]
    chains = [(widths_of(parts, inputs, outputs), parts) for parts in found]
    whole = [parts for widths, parts in chains if widths and (widths[0], widths[-1]) == (inputs, outputs)]
    return (whole or [parts for widths, parts in chains if widths] or found)[0]


def widths_of(parts: Sequence[Part], inputs: int | None = None, outputs: int | None = None) -> tuple[int, ...] | None:
    """(inputs, hidden ..., outputs), if the weights are a chain of matrices either way round; else None."""
    chains = list(_chains(parts))
    return next((each for each in chains if (each[0], each[-1]) == (inputs, outputs)), chains[0] if chains else None)


def _chains(parts: Sequence[Part]) -> Iterator[tuple[int, ...]]:
    """The widths, for W as (fan_in, fan_out) and as (fan_out, fan_in), where they make a chain."""
    shapes = [part.shape for part in sorted(parts, key=lambda part: part.layer) if part.kind == "W"]
    if not shapes or any(len(shape) != 2 for shape in shapes):
        return
    biases = {part.layer: prod(part.shape) for part in parts if part.kind == "b"}
    for fans in (shapes, [shape[::-1] for shape in shapes]):
        fits = all(biases.get(layer, fan[1]) == fan[1] for layer, fan in enumerate(fans, 1))
        if fits and all(before[1] == after[0] for before, after in pairwise(fans)):
            yield (fans[0][0], *(fan[1] for fan in fans))


def _kinds(layout: Layout, by_shape: bool) -> list[str]:
    """W or b of each array: by its name where that says it, or by its shape beside the weight before it."""
    named = [bool(BIASES.search(name)) for name, _ in layout]
    kinds, before = [], None
    for (_, shape), is_bias in zip(layout, named, strict=True):
        flat = len(shape) < 2 or 1 in shape
        fits = by_shape and before is not None and prod(shape) in before
        vector = len(shape) < 2 and before is not None and not any(named)
        bias = flat and (is_bias or fits or vector)
        kinds.append("b" if bias else "W")
        before = None if bias else shape
    return kinds


def _numbered(layout: Layout, kinds: Sequence[str]) -> Iterator[list[int]]:
    """The layer of each array: by the numbers in their names where they are layers, and by their order."""
    for which in (-1, 0):
        found = [re.findall(r"\d+", name) for name, _ in layout]
        if all(found):
            numbers = [int(each[which]) for each in found]
            pairs = list(zip(numbers, kinds, strict=True))
            if all(pairs.count((each, "W")) == 1 and pairs.count((each, "b")) <= 1 for each in numbers):
                order = sorted(set(numbers))
                yield [order.index(each) + 1 for each in numbers]
    yield _in_order(kinds)


def _in_order(kinds: Sequence[str]) -> list[int]:
    """A layer begins at each weight; biases that all come after all weights are one a layer."""
    depth, layers = list(kinds).count("W"), []
    apart = depth > 1 and "W" not in kinds[depth:]
    for position, kind in enumerate(kinds):
        layer = list(kinds[: position + 1]).count("W")
        layers.append(min(position - depth + 1, depth) if apart and kind == "b" else max(layer, 1))
    return layers


def _parts(layout: Layout, layers: Sequence[int], kinds: Sequence[str]) -> list[Part]:
    found, start = [], 0
    for (name, shape), layer, kind in zip(layout, layers, kinds, strict=True):
        stop = start + prod(shape)
        # A weight that is a vector is that of a single output.
        whole = (*shape, 1) if kind == "W" and len(shape) == 1 else shape
        found.append(Part(name, layer, "b" if kind == "b" else "W", start, stop, whole))
        start = stop
    return found
