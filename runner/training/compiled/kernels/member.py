"""Training one member from a step to another, and what is measured of it on the way."""

import math
from typing import Any, NamedTuple

from runner.training.compiled.kernels import activations, draws, heads, layers, optimizers, schedules
from runner.training.compiled.kernels.jit import kernel
from runner.training.compiled.kernels.lanes import further, load, one_of, splat, store, total


class Problem(NamedTuple):
    """What all members share: numbers, and where arrays begin (see `runner.training.compiled.stack`)."""

    depth: int  # the number of layers
    units: int  # of all layers
    P: int  # numbers of θ, padded to whole lanes
    sets: int
    labels: int
    activation: int
    output: int
    loss: int
    score: int
    optimizer: int
    schedule: int
    iterations: int
    batch_size: int
    epsilon: float
    widths: Any  # (depth + 1,): inputs, hidden ..., outputs
    starts: Any  # (depth,): where each layer stands in θ
    counts: Any  # (sets,): the rows of each; the first is the training set
    schedule_numbers: Any
    borders: Any  # (labels - 1,): between the labels of a single output, ascending
    X: Any  # the sets one after the other, each unit by unit, in rows padded to whole lanes
    Y: Any
    y: Any  # the class of each row, where there are classes
    rows: Any  # the training set once more, row by row, where mini-batches pick some
    targets: Any


activate = one_of(activations.KERNELS, 1, 2)
update = one_of(optimizers.KERNELS, 13, 3)
MOST_PROBABLE, NEAREST_LABEL, SQUARES = 0, 1, 2


@kernel
def padded(n):
    """n rows in whole lanes."""
    return (n + 7) // 8 * 8


@kernel
def forward(net, X, x, R, theta, work, unit_rows, masked):
    """A of every layer and f' of the hidden ones into `work`: A from 0 on, then f'; the last layer's Z after dZ."""
    last = net.depth - 1
    A, a, z = X, x, 0
    for layer in range(last):
        fan_out = net.widths[layer + 1]
        layers.affine(A, a, R, theta, net.starts[layer], net.widths[layer], fan_out, work, z)
        for at in range(z, z + fan_out * R, 8):
            value, slope = activate(net.activation, load(work, at))
            if masked:
                mask = load(work, 3 * unit_rows + at)
                value, slope = value * mask, slope * mask
            store(work, at, value)
            store(work, unit_rows + at, slope)
        A, a = work, z
        z += fan_out * R
    fan_out = net.widths[last + 1]
    layers.affine(A, a, R, theta, net.starts[last], net.widths[last], fan_out, work, 4 * unit_rows)
    for row in range(0, R, 8):
        heads.outputs(net.output, work, 4 * unit_rows + row, work, z + row, fan_out, R)


@kernel
def backward(net, X, x, Y, y, y_stride, n, R, theta, g, work, unit_rows, l2):
    """The gradient of n rows that have been passed forward, with L2's, into g."""
    last = net.depth - 1
    outputs = net.widths[last + 1]
    z = unit_rows - outputs * R
    d = 2 * unit_rows + z
    for row in range(0, R, 8):
        heads.gradients(
            net.output, net.loss, net.epsilon, work, z + row, Y, y + row, y_stride, work, d + row, outputs, R, n
        )
    for row in range(n, R):
        for unit in range(outputs):
            work[d + unit * R + row] = 0.0
    for layer in range(last, -1, -1):
        fan_in, fan_out, o = net.widths[layer], net.widths[layer + 1], net.starts[layer]
        if layer == 0:
            layers.weight_gradients(X, x, work, d, R, fan_in, fan_out, g, o)
        else:
            before = z - fan_in * R
            layers.weight_gradients(work, before, work, d, R, fan_in, fan_out, g, o)
            to = 2 * unit_rows + before
            layers.errors(work, d, R, theta, o, fan_in, fan_out, work, unit_rows + before, work, to)
            z, d = before, to
        if l2 > 0.0:
            for p in range(o, o + fan_in * fan_out):
                g[p] += l2 * theta[p]


@kernel
def sum_of_squares(array, start, stop):
    """Of array[start:stop], as lanes and the rest one by one."""
    found = splat(0.0)
    p = start
    while p + 8 <= stop:
        found = found + load(array, p) * load(array, p)
        p += 8
    result = total(found)
    while p < stop:
        result += array[p] * array[p]
        p += 1
    return result


@kernel
def clip(g, most, P):
    """g min(1, most / |g|), for a |g| whose square overflows too."""
    norm = math.sqrt(sum_of_squares(g, 0, P))
    factor = min(1.0, most / max(norm, 2.2250738585072014e-308))
    if math.isfinite(norm):
        for p in range(P):
            g[p] *= factor
        return
    top = 0.0
    for p in range(P):
        top = max(top, abs(g[p]))
    for p in range(P):
        g[p] /= top
    factor = min(top, most / math.sqrt(sum_of_squares(g, 0, P)))
    for p in range(P):
        g[p] *= factor


@kernel
def costs(net, work, z, unit_rows, Y, y, n, R):
    """The sum of the losses of n rows that have been passed forward."""
    outputs = net.widths[net.depth]
    found = splat(0.0)
    rest = 0.0
    for row in range(0, R, 8):
        each = heads.losses(
            net.output, net.loss, net.epsilon, work, 4 * unit_rows + row, work, z + row, Y, y + row, R, outputs, R
        )
        if row + 8 <= n:
            found = found + each
        else:
            store(work, 4 * unit_rows + outputs * R, each)
            for lane in range(n - row):
                rest += work[4 * unit_rows + outputs * R + lane]
    return total(found) + rest


@kernel
def scores(net, work, z, Y, y, labels, label, n, R):
    """How many of n rows are right, or the sum of the squared errors."""
    outputs = net.widths[net.depth]
    found = 0.0
    for row in range(n):
        if net.score == MOST_PROBABLE:
            best = 0
            for unit in range(1, outputs):
                if work[z + unit * R + row] > work[z + best * R + row]:
                    best = unit
            found += 1.0 if best == labels[label + row] else 0.0
        elif net.score == NEAREST_LABEL:
            below = 0
            value = work[z + row]
            while below < net.labels - 1 and not value <= net.borders[below]:
                below += 1
            found += 1.0 if below == labels[label + row] else 0.0
        else:
            for unit in range(outputs):
                error = work[z + unit * R + row] - Y[y + unit * R + row]
                found += error * error
    return found


@kernel
def measure(net, theta, g, work, l2, out):
    """Into `out`: of each set the sum of the losses and the score; of each layer |W|² and |g|²; |θ|².

    g is the whole training set's gradient then.
    """
    units = net.units
    x, y, label = 0, 0, 0
    for number in range(net.sets):
        n = net.counts[number]
        R = padded(n)
        unit_rows = units * R
        z = unit_rows - net.widths[net.depth] * R
        forward(net, net.X, x, R, theta, work, unit_rows, False)
        out[2 * number] = costs(net, work, z, unit_rows, net.Y, y, n, R)
        out[2 * number + 1] = scores(net, work, z, net.Y, y, net.y, label, n, R)
        if number == 0:
            backward(net, net.X, x, net.Y, y, R, n, R, theta, g, work, unit_rows, l2)
        x += net.widths[0] * R
        y += net.widths[net.depth] * R
        label += n
    at = 2 * net.sets
    for layer in range(net.depth):
        o, weights = net.starts[layer], net.widths[layer] * net.widths[layer + 1]
        out[at] = sum_of_squares(theta, o, o + weights)
        out[at + 1] = sum_of_squares(g, o, o + weights + net.widths[layer + 1])
        at += 2
    out[at] = sum_of_squares(theta, 0, net.P)


@kernel
def gather(net, picked, B, work, at):
    """The rows of a mini-batch, unit by unit: inputs from `at` on, then targets; the last lanes repeat a row."""
    inputs, outputs = net.widths[0], net.widths[net.depth]
    R = padded(B)
    for place in range(R):
        row = picked[min(place, B - 1)]
        for unit in range(inputs):
            work[at + unit * R + place] = net.rows[row * inputs + unit]
        for unit in range(outputs):
            work[at + (inputs + unit) * R + place] = net.targets[row * outputs + unit]


@kernel
def gradient(net, theta, g, work, step, order, seed, stream, l2, rate):
    """g of this step's batch; `order` (rows,) is this epoch's, where mini-batches pick some."""
    units = net.units
    n = net.counts[0]
    X, x, Y, y = net.X, 0, net.Y, 0
    if net.batch_size < n:
        start = step % ((n + net.batch_size - 1) // net.batch_size) * net.batch_size
        n = min(net.batch_size, n - start)
        R = padded(n)
        X, x = work, (4 * units + net.widths[net.depth]) * R + 8
        gather(net, further(order, start), n, work, x)
        Y, y = work, x + net.widths[0] * R
    R = padded(n)
    if rate > 0.0:
        draws.draw_masks(work, 3 * units * R, net.widths, net.depth, n, R, step, seed, stream, rate)
    forward(net, X, x, R, theta, work, units * R, rate > 0.0)
    backward(net, X, x, Y, y, R, n, R, theta, g, work, units * R, l2)


@kernel
def advance(net, theta, g, first, second, h, step):
    """θ := θ - step; the step in g's place."""
    if h[7] > 0.0:
        clip(g, h[7], net.P)
    lr = h[0]
    if net.schedule > 0 or net.schedule_numbers[0] > 0.0:
        lr = lr * schedules.factor(net.schedule, step, net.iterations, net.schedule_numbers)
    t = float(step + 1)
    rest1, rest2 = 1.0, 1.0
    if h[3] > 0.0 or h[4] > 0.0:
        rest1, rest2 = 1.0 - h[3] ** t, 1.0 - h[4] ** t
    for p in range(0, net.P, 8):
        change, a, b = update(
            net.optimizer, load(theta, p), load(g, p), load(first, p), load(second, p),
            lr, h[1], h[2], h[3], h[4], h[5], h[6], rest1, rest2,
        )  # fmt: skip
        store(first, p, a)
        store(second, p, b)
        store(g, p, change)
        store(theta, p, load(theta, p) - change)
