"""The one kernel that Python calls: some members, each alone from its first step to its last."""

from runner.training.compiled.kernels.jit import kernel
from runner.training.compiled.kernels.lanes import pointer
from runner.training.compiled.kernels.member import Problem, advance, gradient, measure

STEPS, MEASURE, GRADIENT, ADVANCE = range(4)


@kernel
def problem(shared, P):
    """What all members share as the kernels take it: numbers, and where arrays begin."""
    activation, output, loss, score, optimizer, schedule, iterations, batch_size, units = shared.kinds
    return Problem(
        len(shared.starts),
        units,
        P,
        len(shared.counts),
        len(shared.borders) + 1,
        activation,
        output,
        loss,
        score,
        optimizer,
        schedule,
        iterations,
        batch_size,
        shared.epsilon,
        pointer(shared.widths),
        pointer(shared.starts),
        pointer(shared.counts),
        pointer(shared.schedule_numbers),
        pointer(shared.borders),
        pointer(shared.X),
        pointer(shared.Y),
        pointer(shared.y),
        pointer(shared.rows),
        pointer(shared.targets),
    )


def run(shared, state, numbers, seeds, orders, out, work, what):
    """Of members what[0] .. what[1], with what[4]: make the updates what[2] .. what[3]; or measure; or only form the
    gradient of step what[2]; or only update with it.

    `shared` is a `runner.training.compiled.arrays.Shared`. `state` (4, K, P), P padded to whole lanes: θ; g, the
    gradient that was formed, or after an update the step; and the two parts that optimizers remember. `numbers`
    (K, 10): the optimizer's eight, L2, dropout. `seeds` (K, 2) are dropout's. `orders` (K, epochs, rows): those of the
    epochs from that of the first step on. `out` (K, values): see `measure`.
    """
    net = problem(shared, state.shape[2])
    theta, g, first, second = state[0], state[1], state[2], state[3]
    batches = (shared.counts[0] + net.batch_size - 1) // net.batch_size
    scratch, mode = pointer(work), what[4]
    for k in range(what[0], what[1]):
        l2, rate, h = numbers[k, 8], numbers[k, 9], pointer(numbers[k])
        W, G, one, two = pointer(theta[k]), pointer(g[k]), pointer(first[k]), pointer(second[k])
        if mode == MEASURE:
            measure(net, W, G, scratch, l2, pointer(out[k]))
            continue
        for step in range(what[2], what[3]):
            order = pointer(orders[k, min(step // batches - what[2] // batches, orders.shape[1] - 1)])
            if mode != ADVANCE:
                gradient(net, W, G, scratch, step, order, seeds[k, 0], seeds[k, 1], l2, rate)
            if mode != GRADIENT:
                advance(net, W, G, one, two, h, step)
