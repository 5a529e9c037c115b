"""Layers, weights and biases are told from names and shapes, however a network keeps them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.training.own.network import walk
from runner.training.own.parts import parts_of, widths_of

WIDTHS = st.lists(st.integers(2, 6), min_size=2, max_size=5, unique=True)


def arrays(widths: list[int], turned: bool, bias: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """A weight and a bias for each layer; `turned`: W is (fan_out, fan_in)."""
    found = []
    for fan_in, fan_out in pairwise(widths):
        shape = {"vector": (fan_out,), "matrix": (fan_out, 1) if turned else (1, fan_out)}[bias]
        found.append((np.ones((fan_out, fan_in) if turned else (fan_in, fan_out)), np.ones(shape)))
    return found


STRUCTURES = {
    "numbered names": lambda layers: {
        f"{kind}{n}": array for n, pair in enumerate(layers, 1) for kind, array in zip("Wb", pair, strict=True)
    },
    "numbered from 0, biases last": lambda layers: {
        **{f"w{n}": W for n, (W, _) in enumerate(layers)},
        **{f"b{n}": b for n, (_, b) in enumerate(layers)},
    },
    "words": lambda layers: {
        f"{'abcde'[n]}_{kind}": array
        for n, pair in enumerate(layers)
        for kind, array in zip(("weights", "bias"), pair, strict=True)
    },
    "flat list": lambda layers: [array for pair in layers for array in pair],
    "pairs": list,
    "weights and biases": lambda layers: {"weights": [W for W, _ in layers], "biases": [b for _, b in layers]},
    "weights, then biases": lambda layers: [W for W, _ in layers] + [b for _, b in layers],
    "layers of dictionaries": lambda layers: {"layers": [{"W": W, "b": b} for W, b in layers]},
    "no biases": lambda layers: [W for W, _ in layers],
    "no biases, named": lambda layers: {f"Theta{n}": W for n, (W, _) in enumerate(layers, 1)},
}


@pytest.mark.parametrize("bias", ["vector", "matrix"])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("structure", STRUCTURES)
@given(widths=WIDTHS)
def test_the_layers_are_those_that_were_made(structure: str, turned: bool, bias: str, widths: list[int]) -> None:
    layers = arrays(widths, turned, bias)
    places = {id(array): (n, kind) for n, pair in enumerate(layers, 1) for kind, array in zip("Wb", pair, strict=True)}
    leaves = list(walk(STRUCTURES[structure](layers), "parameters"))
    layout = tuple((leaf.name, leaf.array.shape) for leaf in leaves)
    parts = parts_of(layout, widths[0], widths[-1])
    assert widths_of(parts, widths[0], widths[-1]) == tuple(widths)
    assert [(part.layer, part.kind) for part in parts] == [places[id(leaf.array)] for leaf in leaves]
    assert [part.stop - part.start for part in parts] == [leaf.array.size for leaf in leaves]


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_single_layer_and_a_single_output(outputs: int) -> None:
    parts = parts_of((("w", (5, outputs)), ("b", (outputs,))), 5, outputs)
    assert [(part.layer, part.kind) for part in parts] == [(1, "W"), (1, "b")]
    assert widths_of(parts_of((("w", (5,)), ("b", ())), 5, 1)) == (5, 1)


def test_what_is_no_chain_of_matrices_is_said_to_be_none() -> None:
    layout = (("0", (5, 3)), ("1", (1, 6)))  # biases within the matrices
    assert widths_of(parts_of(layout, 2, 1)) is None
    assert [part.layer for part in parts_of(layout, 2, 1)] == [1, 2]
