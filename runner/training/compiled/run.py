"""The one kernel that Python calls: some members, each alone from its first step to its last."""

from runner.training.compiled.lanes import pointer
from runner.training.compiled.member import Problem, advance, gradient, measure


def run(
    kinds, epsilon, widths, starts, counts, schedule_numbers, borders, X, Y, y, rows, targets,
    members, theta, g, first, second, numbers, seeds, orders, out, work,
):
    """Make the updates `members[2]` .. `members[3]` of members [members[0], members[1]), or (where members[4]) measure.

    θ, g and the memory `first` and `second` are (K, P), P padded to whole lanes; afterwards g is the last step, or the
    gradient that was measured. `numbers` (K, 10): the optimizer's eight, L2, dropout. `seeds` (K, 2) are dropout's.
    `orders` (K, epochs, rows): those of the epochs from that of the first step on. `out` (K, values): see `measure`.
    """
    K, P = theta.shape
    activation, output, loss, score, optimizer, schedule, iterations, batch_size, units = kinds
    net = Problem(
        len(starts), units, P, len(counts), len(borders) + 1,
        activation, output, loss, score, optimizer, schedule, iterations, batch_size, epsilon,
        pointer(widths), pointer(starts), pointer(counts), pointer(schedule_numbers), pointer(borders),
        pointer(X), pointer(Y), pointer(y), pointer(rows), pointer(targets),
    )
    batches = (counts[0] + batch_size - 1) // batch_size
    start, stop, scratch = members[2], members[3], pointer(work)
    for k in range(members[0], members[1]):
        l2, rate, h = numbers[k, 8], numbers[k, 9], pointer(numbers[k])
        W, G, one, two, values = pointer(theta[k]), pointer(g[k]), pointer(first[k]), pointer(second[k]), pointer(out[k])
        if members[4]:
            measure(net, W, G, scratch, l2, values)
        for step in range(start, stop):
            order = pointer(orders[k, min(step // batches - start // batches, orders.shape[1] - 1)])
            gradient(net, W, G, scratch, step, order, seeds[k, 0], seeds[k, 1], l2, rate)
            advance(net, W, G, one, two, h, step)
