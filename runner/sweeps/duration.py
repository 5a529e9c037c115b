"""How long training takes, roughly and without trying: whether a second process pays, how small its portions may be."""

from collections.abc import Sequence
from itertools import pairwise

from runner.training import shrink
from runner.training.recipe import Recipe

# Seconds of one step on one core of about 2020, as they were measured: each layer's calls into NumPy; then for each
# member its own share, an activation's, a multiplication's, a parameter's.
LAYER, MEMBER, ACTIVATION, MULTIPLICATION, PARAMETER = 7e-6, 3e-7, 4.5e-9, 1e-10, 4e-9
# Of a step, what NumPy's calls may take before a stack is not cut any smaller.
OVERHEAD = 0.15
# Stacks that each worker should get, so that none waits long for the last.
PORTIONS = 4


def member_step(recipe: Recipe) -> float:
    """Seconds that a step takes for each member of a stack."""
    widths = shrink.trained_widths(recipe)
    rows = recipe.plan.batch_size
    parameters = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))
    activations = rows * sum(widths[1:])
    return MEMBER + ACTIVATION * activations + MULTIPLICATION * rows * parameters + PARAMETER * parameters


def stack_step(recipe: Recipe) -> float:
    """Seconds that a step takes for a stack, however few its members are."""
    return LAYER * (len(recipe.widths) - 1)


def seconds(recipes: Sequence[Recipe]) -> float:
    """What training these as one stack takes on one core, to a factor of about two."""
    first = recipes[0]
    # A row is about two more steps.
    steps = first.plan.iterations * (1 + 2 / first.plan.log_every)
    return steps * (stack_step(first) + len(recipes) * member_step(first))


def portion(recipe: Recipe, members: int, groups: int, workers: int) -> int:
    """How many of `members` that are alike to train at once, so that each of the workers gets several stacks.

    `groups` is how many such kinds of members there are. Never so few that a step is mostly overhead, as long as every
    worker has one.

    >>> from runner.experiment.build import compose
    >>> recipe = compose(["dataset=flower"]).recipe
    >>> portion(recipe, 1000, 1, 2), portion(recipe, 10, 1, 2), portion(recipe, 10, 8, 2), portion(recipe, 10, 1, 1)
    (125, 5, 10, 10)
    """
    if workers == 1:
        return members
    worthwhile = int(stack_step(recipe) / (OVERHEAD * member_step(recipe))) + 1
    several = -(-members // -(-workers * PORTIONS // groups))
    one_each = -(-members // -(-workers // groups))
    return min(one_each, max(several, worthwhile))
