"""Dropout's masks, drawn as NumPy draws them: Philox4x64-10, its key (seed, stream), its counter set to the step.

Source: Salmon, Moraes, Dror & Shaw, Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from runner.training.compiled.kernels.jit import kernel

MULTIPLIER0, MULTIPLIER1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
WEYL0, WEYL1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
UNIT = 2.0**-53


@intrinsic
def _high(typing: Any, a: Any, b: Any) -> Any:
    """The upper 64 bits of a product of two uint64."""

    def code(context: Any, builder: Any, found: Any, values: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(value, wide) for value in values))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), code


@kernel
def _block(counter, step, seed, stream):
    """Four uint64 of the counter (step + counter, 0, 0, 0)."""
    c0, c1, c2, c3 = np.uint64(step + counter), np.uint64(0), np.uint64(0), np.uint64(0)
    key0, key1 = np.uint64(seed), np.uint64(stream)
    for _ in range(10):
        high0, low0 = _high(MULTIPLIER0, c0), MULTIPLIER0 * c0
        high1, low1 = _high(MULTIPLIER1, c2), MULTIPLIER1 * c2
        c0, c1, c2, c3 = high1 ^ c1 ^ key0, low1, high0 ^ c3 ^ key1, low0
        key0, key1 = key0 + WEYL0, key1 + WEYL1
    return c0, c1, c2, c3


@kernel
def draw_masks(masks, at, widths, layers, n, stride, step, seed, stream, rate):
    """Masks of the hidden layers: 0 where a unit is out, else 1 / (1 - rate); row by row, layer by layer."""
    keep = 1.0 - rate
    kept = 1.0 / keep
    c0, c1, c2, c3 = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
    drawn = 0
    for layer in range(1, layers):
        for row in range(n):
            for unit in range(widths[layer]):
                lane = drawn % 4
                if lane == 0:
                    c0, c1, c2, c3 = _block(drawn // 4 + 1, step, seed, stream)
                    word = c0
                elif lane == 1:
                    word = c1
                elif lane == 2:
                    word = c2
                else:
                    word = c3
                masks[at + unit * stride + row] = kept if (word >> np.uint64(11)) * UNIT < keep else 0.0
                drawn += 1
        at += widths[layer] * stride
