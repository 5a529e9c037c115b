"""The one kernel that Python calls: some members, each alone from its first step to its last."""

from runner.training.compiled.kernels.lanes import pointer
from runner.training.compiled.kernels.member import Problem, advance, gradient, measure

STEPS, MEASURE, GRADIENT, ADVANCE = range(4)


def run(  # numba wants every array by its name
    kinds,
    epsilon,
    widths,
    starts,
    counts,
    schedule_numbers,
    borders,
    X,
    Y,
    y,
    rows,
    targets,
    theta,
    g,
    first,
    second,
    numbers,
    seeds,
    orders,
    out,
    work,
    what,
):
    """Of members what[0] .. what[1], with what[4]: make the updates what[2] .. what[3]; or measure; or only form the
    gradient of step what[2]; or only update with it.

    θ, g and the memory `first` and `second` are (K, P), P padded to whole lanes; g holds the gradient that was formed,
    or after an update the step. `numbers` (K, 10): the optimizer's eight, L2, dropout. `seeds` (K, 2) are dropout's.
    `orders` (K, epochs, rows): those of the epochs from that of the first step on. `out` (K, values): see `measure`.
    """
    activation, output, loss, score, optimizer, schedule, iterations, batch_size, units = kinds
    net = Problem(
        len(starts),
        units,
        theta.shape[1],
        len(counts),
        len(borders) + 1,
        activation,
        output,
        loss,
        score,
        optimizer,
        schedule,
        iterations,
        batch_size,
        epsilon,
        pointer(widths),
        pointer(starts),
        pointer(counts),
        pointer(schedule_numbers),
        pointer(borders),
        pointer(X),
        pointer(Y),
        pointer(y),
        pointer(rows),
        pointer(targets),
    )
    batches = (counts[0] + batch_size - 1) // batch_size
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
