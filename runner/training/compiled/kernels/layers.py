"""The products of a layer, eight rows in a register, several units at once.

Activations stand unit by unit: unit u of the rows from `row` on is A[at + u * R + row], R the rows padded to whole
lanes. θ holds W (fan_in, fan_out) row by row and then b, from `o` on. Every sum's order is written here: over inputs
and over units from the first to the last, over rows as lanes; how many units are computed at once has no part in it.
"""

from runner.training.compiled.kernels.jit import kernel
from runner.training.compiled.kernels.lanes import add_product, load, splat, store, total


@kernel
def affine(A, a, R, theta, o, fan_in, fan_out, Z, z):
    """Z = A W + b."""
    for row in range(0, R, 8):
        _affine(A, a, R, row, theta, o, fan_in, fan_out, Z, z)


@kernel
def _affine(A, a, R, row, theta, o, fan_in, fan_out, Z, z):
    """Z of eight rows."""
    b = o + fan_in * fan_out
    j = 0
    while j + 4 <= fan_out:
        z0, z1, z2, z3 = splat(theta[b + j]), splat(theta[b + j + 1]), splat(theta[b + j + 2]), splat(theta[b + j + 3])
        w = o + j
        for i in range(fan_in):
            x = load(A, a + i * R + row)
            z0, z1 = add_product(theta[w], x, z0), add_product(theta[w + 1], x, z1)
            z2, z3 = add_product(theta[w + 2], x, z2), add_product(theta[w + 3], x, z3)
            w += fan_out
        at = z + j * R + row
        store(Z, at, z0)
        store(Z, at + R, z1)
        store(Z, at + 2 * R, z2)
        store(Z, at + 3 * R, z3)
        j += 4
    while j < fan_out:
        z0 = splat(theta[b + j])
        for i in range(fan_in):
            z0 = add_product(theta[o + i * fan_out + j], load(A, a + i * R + row), z0)
        store(Z, z + j * R + row, z0)
        j += 1


@kernel
def errors(D, d, R, theta, o, fan_in, fan_out, S, s, E, e):
    """dZ of the layer before: (dZ Wᵀ) * f'; S holds f'(Z), with dropout's mask in it."""
    for row in range(0, R, 8):
        _errors(D, d, R, row, theta, o, fan_in, fan_out, S, s, E, e)


@kernel
def _errors(D, d, R, row, theta, o, fan_in, fan_out, S, s, E, e):
    """dZ of eight rows."""
    i = 0
    while i + 4 <= fan_in:
        e0, e1, e2, e3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
        w = o + i * fan_out
        for j in range(fan_out):
            x = load(D, d + j * R + row)
            e0, e1 = add_product(theta[w + j], x, e0), add_product(theta[w + fan_out + j], x, e1)
            e2, e3 = add_product(theta[w + 2 * fan_out + j], x, e2), add_product(theta[w + 3 * fan_out + j], x, e3)
        at, by = e + i * R + row, s + i * R + row
        store(E, at, e0 * load(S, by))
        store(E, at + R, e1 * load(S, by + R))
        store(E, at + 2 * R, e2 * load(S, by + 2 * R))
        store(E, at + 3 * R, e3 * load(S, by + 3 * R))
        i += 4
    while i < fan_in:
        e0 = splat(0.0)
        for j in range(fan_out):
            e0 = add_product(theta[o + i * fan_out + j], load(D, d + j * R + row), e0)
        store(E, e + i * R + row, e0 * load(S, s + i * R + row))
        i += 1


@kernel
def weight_gradients(A, a, D, d, R, fan_in, fan_out, g, o):
    """dW = Aᵀ dZ and db = 1ᵀ dZ: each a sum over rows."""
    j = 0
    while j + 2 <= fan_out:
        _two_units(A, a, D, d + j * R, R, fan_in, fan_out, g, o + j)
        j += 2
    if j < fan_out:
        _one_unit(A, a, D, d + j * R, R, fan_in, fan_out, g, o + j)


@kernel
def _two_units(A, a, D, d, R, fan_in, fan_out, g, o):
    i = 0
    while i + 2 <= fan_in:
        s00, s01, s10, s11 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
        x = a + i * R
        for row in range(0, R, 8):
            x0, x1, y0, y1 = load(A, x + row), load(A, x + R + row), load(D, d + row), load(D, d + R + row)
            s00, s01, s10, s11 = (
                add_product(x0, y0, s00),
                add_product(x0, y1, s01),
                add_product(x1, y0, s10),
                add_product(x1, y1, s11),
            )
        at = o + i * fan_out
        g[at], g[at + 1], g[at + fan_out], g[at + fan_out + 1] = total(s00), total(s01), total(s10), total(s11)
        i += 2
    s00, s01, s10, s11 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    odd, x = i < fan_in, a + min(i, fan_in - 1) * R
    for row in range(0, R, 8):
        x0, y0, y1 = load(A, x + row), load(D, d + row), load(D, d + R + row)
        s00, s01, s10, s11 = add_product(x0, y0, s00), add_product(x0, y1, s01), s10 + y0, s11 + y1
    if odd:
        at = o + i * fan_out
        g[at], g[at + 1] = total(s00), total(s01)
    at = o + fan_in * fan_out
    g[at], g[at + 1] = total(s10), total(s11)


@kernel
def _one_unit(A, a, D, d, R, fan_in, fan_out, g, o):
    i = 0
    while i + 4 <= fan_in:
        s0, s1, s2, s3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
        x = a + i * R
        for row in range(0, R, 8):
            y = load(D, d + row)
            s0, s1 = add_product(load(A, x + row), y, s0), add_product(load(A, x + R + row), y, s1)
            s2, s3 = add_product(load(A, x + 2 * R + row), y, s2), add_product(load(A, x + 3 * R + row), y, s3)
        at = o + i * fan_out
        g[at], g[at + fan_out], g[at + 2 * fan_out], g[at + 3 * fan_out] = total(s0), total(s1), total(s2), total(s3)
        i += 4
    while i < fan_in:
        s0 = splat(0.0)
        for row in range(0, R, 8):
            s0 = add_product(load(A, a + i * R + row), load(D, d + row), s0)
        g[o + i * fan_out] = total(s0)
        i += 1
    s0 = splat(0.0)
    for row in range(0, R, 8):
        s0 = s0 + load(D, d + row)
    g[o + fan_in * fan_out] = total(s0)
