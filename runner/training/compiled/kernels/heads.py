"""Kernels of the heads, for eight rows at a time: outputs A of Z, the gradient dJ/dZ, and the rows' losses.

The rows' outputs stand unit by unit: unit u of the rows from `row` on is Z[at + u * stride + row]. A loss or an output
without a kernel here is trained by NumPy.
"""

from runner.training.compiled.kernels import elementary
from runner.training.compiled.kernels.jit import kernel
from runner.training.compiled.kernels.lanes import larger, load, splat, store, traced

OUTPUTS = ["sigmoid", "softmax", "tanh", "identity"]
KERNELS = ["cross_entropy", "cross_entropy_from_probabilities", "mean_squared_error", "half_squared_error"]
SIGMOID, SOFTMAX, TANH = 0, 1, 2
exp, expit, log, tanh = (traced(each) for each in (elementary.exp, elementary.expit, elementary.log, elementary.tanh))
softplus = traced(elementary.softplus)


@kernel
def outputs(output, Z, z, A, a, units, stride):
    """A of Z, of eight rows."""
    if output == SOFTMAX:
        top = load(Z, z)
        for u in range(1, units):
            value = load(Z, z + u * stride)
            top = larger(value, top)
        below = splat(0.0)
        for u in range(units):
            e = exp(load(Z, z + u * stride) - top)
            store(A, a + u * stride, e)
            below = below + e
        for u in range(units):
            store(A, a + u * stride, load(A, a + u * stride) / below)
        return
    for u in range(units):
        value = load(Z, z + u * stride)
        if output == SIGMOID:
            value = expit(value)
        elif output == TANH:
            value = tanh(value)
        store(A, a + u * stride, value)


@kernel
def gradients(output, loss, epsilon, A, a, Y, y, y_stride, D, d, units, stride, n):
    """dJ/dZ of eight rows, J the mean over n rows."""
    if loss == 0:
        for u in range(units):
            store(D, d + u * stride, (load(A, a + u * stride) - load(Y, y + u * y_stride)) * (1.0 / n))
        return
    for u in range(units):
        value, target = load(A, a + u * stride), load(Y, y + u * y_stride)
        if loss == 1:
            dA = target / (value + epsilon)
            if output == SIGMOID:
                dA = dA - (1.0 - target) / ((1.0 - value) + epsilon)
            dA = dA * (-1.0 / n)
        elif loss == 2:
            dA = (2.0 / (n * units)) * (value - target)
        else:
            dA = (value - target) * (1.0 / n)
        store(D, d + u * stride, dA)
    if output == SOFTMAX:
        dot = splat(0.0)
        for u in range(units):
            dot = dot + load(A, a + u * stride) * load(D, d + u * stride)
        for u in range(units):
            store(D, d + u * stride, load(A, a + u * stride) * (load(D, d + u * stride) - dot))
        return
    for u in range(units):
        value, dA = load(A, a + u * stride), load(D, d + u * stride)
        if output == SIGMOID:
            dA = dA * (value * (1.0 - value))
        elif output == TANH:
            dA = dA * (1.0 - value * value)
        store(D, d + u * stride, dA)


@kernel
def losses(output, loss, epsilon, Z, z, A, a, Y, y, y_stride, units, stride):
    """The sum over the units of each row's loss, of eight rows; J is its mean (over the units too, for loss 2)."""
    found = splat(0.0)
    if loss == 0 and output == SOFTMAX:
        top = load(Z, z)
        for u in range(1, units):
            value = load(Z, z + u * stride)
            top = larger(value, top)
        below, dot = splat(0.0), splat(0.0)
        for u in range(units):
            below = below + exp(load(Z, z + u * stride) - top)
            dot = dot + load(Y, y + u * y_stride) * load(Z, z + u * stride)
        return top + log(below) - dot
    for u in range(units):
        value, target = load(A, a + u * stride), load(Y, y + u * y_stride)
        if loss == 0:
            logit = load(Z, z + u * stride)
            found = found + (softplus(logit) - target * logit)
        elif loss == 1:
            each = target * log(value + epsilon)
            if output == SIGMOID:
                each = each + (1.0 - target) * log((1.0 - value) + epsilon)
            found = found - each
        else:
            found = found + (value - target) * (value - target)
    return found
