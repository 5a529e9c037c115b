"""How a sweep is trained: which runs share a stack, and whether other processes help."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from runner.experiment.experiment import Experiment
from runner.sweeps import duration
from runner.sweeps.workers.worker import Crew
from runner.training import shrink, threads
from runner.training.kinds import kind_of

PAYS = 3.0  # seconds of training below which starting workers costs more than it gives


@dataclass(frozen=True)
class Plan:
    """How a sweep is run: the positions of the experiments in each stack, and who trains them."""

    backend: Literal["serial", "loky", "ray"]
    workers: int
    stacks: list[list[int]]
    seconds: float  # of one core

    def __str__(self) -> str:
        many = f"{len(self.stacks)} stack" + "s" * (len(self.stacks) != 1)
        if self.backend == "serial":
            return f"{many}, in this process"
        who = f"{self.workers} {'processes' if self.backend == 'loky' else 'workers of the Ray cluster'}"
        how = f"{many}, by {who} (sweep.backend={self.backend})"
        return f"{how}, about {self.seconds:.2g} s of training on one core"


def plan(experiments: Sequence[Experiment], cores: int, crew: Crew | None = None) -> Plan:
    """How to run these on a machine of so many cores, or with a crew that there is already (a cluster's).

    With sweep.backend=auto other processes are started where training takes long enough for it to pay.
    """
    options = experiments[0].sweep
    workers = crew.size if crew else options.workers or cores
    if options.backend == "serial" or (options.backend == "auto" and workers == 1):
        workers = 1
    found = stacks(experiments, workers)
    seconds = sum(duration.seconds([experiments[number].recipe for number in numbers]) for numbers in found)
    if options.backend == "ray":
        return Plan("ray", workers, found, seconds)
    if options.backend == "loky" or (options.backend == "auto" and options.workers and workers > 1):
        return Plan("loky", workers, found, seconds)
    if workers > 1 and len(found) > 1 and _at_once(experiments, found) >= PAYS:
        return Plan("loky", workers, found, seconds)
    return Plan("serial", 1, stacks(experiments), seconds)


def _at_once(experiments: Sequence[Experiment], stacks: Sequence[Sequence[int]]) -> float:
    """Seconds of the training that leaves a core free for more: large networks and kernels have all of them already."""
    recipes = [[experiments[number].recipe for number in numbers] for numbers in stacks]
    single = [stack for stack in recipes if not kind_of(stack[0]).threaded]
    counts = [threads.count(stack[0]) for stack in single]
    # One thread leaves a core free also where BLAS may have no more (OPENBLAS_NUM_THREADS=1).
    free = [count == 1 or count < threads.available() for count in counts]
    return sum(duration.seconds(stack) for stack, has_room in zip(single, free, strict=True) if has_room)


def cores() -> int:
    """The cores that this process may use: those of its affinity and of its container, where it is in one."""
    from joblib.externals.loky import cpu_count  # late, as it is asked for by sweeps only

    return int(cpu_count())


# Up to about so many bytes of arrays a member-step gets cheaper with the size of the stack, beyond it costlier
# (measured: benchmarks/RESULTS.md, stack size).
STACK_BYTES = 3_500_000
MOST = 1024  # members of a stack: each has a journal open
TIMED_STEPS = 20


def stacks(experiments: Sequence[Experiment], workers: int = 1) -> list[list[int]]:
    """The positions of the experiments that train together, in the order in which the first of each comes.

    Where several workers train them, each gets several stacks.
    """
    alike: dict[str, list[int]] = {}
    for number, experiment in enumerate(experiments):
        alike.setdefault(experiment.stack_key(), []).append(number)
    cut = []
    for numbers in alike.values():
        first = experiments[numbers[0]]
        size = min(stack_size(first), duration.portion(first.recipe, len(numbers), len(alike), workers))
        cut += [numbers[start : start + size] for start in range(0, len(numbers), size)]
    return cut


def stack_size(experiment: Experiment) -> int:
    """How many members of this kind to train at once: one where a single one fills what a stack may."""
    recipe = experiment.recipe
    if not kind_of(recipe).stacks:
        return 1
    widths = shrink.trained_widths(recipe)
    parameters = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))
    activations = recipe.plan.batch_size * sum(widths[1:])
    # θ, g, the step and one moment; Z, A, dZ and f'(Z).
    member = np.dtype(recipe.dtype).itemsize * (4 * parameters + 4 * activations)
    return max(1, min(MOST, STACK_BYTES // member))


def estimate(experiments: Sequence[Experiment]) -> float:
    """The seconds that training these as one stack may take: a few steps of it, timed, and all the others alike."""
    stack = kind_of(experiments[0].recipe).start([experiment.recipe for experiment in experiments])
    steps = min(TIMED_STEPS, stack.plan.iterations)
    with np.errstate(all="ignore"):
        stack.advance(stack.gradient())  # the first is slower
        began = time.perf_counter()
        for _ in range(steps):
            stack.advance(stack.gradient())
    return (time.perf_counter() - began) / steps * stack.plan.iterations
