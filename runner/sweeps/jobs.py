"""From experiments to recorded runs: jobs are grouped into stacks, stacks are trained, rows go to the jobs' journals.

A single run is a sweep of one job. This module knows no mathematics, no configuration language and no MLflow.
"""

import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from runner.experiment.experiment import Experiment
from runner.runs.record import Record
from runner.runs.result import Result
from runner.sweeps import cost
from runner.training import shrink
from runner.training.kinds import kind_of
from runner.training.own.network import NetworkError, NetworkProblem
from runner.training.train import Checkpoint, End, Event, Prune, Rows, train

# Up to about so many bytes of arrays a member-step gets cheaper with the size of the stack, beyond it dearer again
# (measured: benchmarks/RESULTS.md, stack size).
STACK_BYTES = 3_500_000
MOST = 1024  # members of a stack: each has a journal open
TIMED_STEPS = 20


@dataclass(frozen=True)
class Job:
    """One run to be made: what, where, and what it is called."""

    experiment: Experiment
    directory: Path
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)


class Stop:
    """Ctrl-C: the first asks training to stop at the next step, the second stops at once."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> bool:
        return self.asked

    @contextmanager
    def listening(self) -> Iterator["Stop"]:
        """Take SIGINT over while training runs (where the thread may)."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield self
        finally:
            signal.signal(signal.SIGINT, before)

    def _interrupt(self, number: int, frame: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def run(
    jobs: Sequence[Job],
    began: Callable[[Record], None] = lambda record: None,
    progress: Callable[[Record], None] = lambda record: None,
    stop: Stop | None = None,
    fail_fast: bool = False,
    prune: Callable[[Experiment], Prune] | None = None,
) -> list[Result]:
    """Train and record every job; returns the results, in the order of the jobs, of those that were begun.

    `began` is told of each run as its journal exists, `progress` of each row and each end. One job that fails does not
    stop the others: its traceback stands in its own record; with `fail_fast` it does, and those running end as
    interrupted. After an interrupt the jobs not yet begun are left alone. `prune` gives, for each stack by one of its
    experiments, what says which of its members end early.
    """
    stop = stop or Stop()
    records: dict[int, Record] = {}
    with stop.listening():
        for numbers in stacks([job.experiment for job in jobs]):
            if stop.asked:
                break
            for number in numbers:
                job = jobs[number]
                records[number] = Record.create(job.experiment, job.directory, job.name, job.tags)
                began(records[number])
            hook = prune(jobs[numbers[0]].experiment) if prune else None
            _train([records[number] for number in numbers], progress, stop, fail_fast=fail_fast, prune=hook)
            if fail_fast and any(records[number].result.failed for number in numbers):
                break
    return [records[number].result for number in sorted(records)]


def resume(
    record: Record,
    checkpoint: Checkpoint | None,
    progress: Callable[[Record], None] = lambda record: None,
    stop: Stop | None = None,
) -> None:
    """Go on with one recorded run from its checkpoint, or from its start where it left none."""
    stop = stop or Stop()
    with stop.listening():
        _train([record], progress, stop, checkpoint)


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
        size = min(stack_size(first), cost.portion(first.recipe, len(numbers), len(alike), workers))
        cut += [numbers[start : start + size] for start in range(0, len(numbers), size)]
    return cut


def stack_size(experiment: Experiment) -> int:
    """How many members of this kind to train at once: one where a single one fills what a stack may."""
    recipe = experiment.recipe
    if recipe.own is not None:
        return 1  # its code knows of one network
    features = shrink.coordinates(recipe) if shrink.applies(recipe) else recipe.widths[0]
    widths = (features, *recipe.widths[1:])
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


def _train(
    records: Sequence[Record],
    progress: Callable[[Record], None],
    stop: Stop,
    checkpoint: Checkpoint | None = None,
    fail_fast: bool = False,
    prune: Prune | None = None,
) -> None:
    """Train one stack. What goes wrong in a stack of several is found by training each member alone."""

    def should_stop() -> bool:
        return stop.asked or (fail_fast and any(record.result.failed for record in records))

    try:
        for event in train([record.experiment.recipe for record in records], should_stop, checkpoint, prune):
            write(event, records, progress)
    except Exception as raised:
        theirs = isinstance(raised, NetworkError | NetworkProblem)  # then the message holds their own traceback
        error = str(raised) if theirs else traceback.format_exc()
        running = [record for record in records if record.result.status is None]
        if len(records) > 1:
            for record in running:
                record.again()
                _train([record], progress, stop)
            return
        for record in running:
            record.end("error", max(record.result.step, 0), error=error)
            progress(record)
    except KeyboardInterrupt:
        for record in records:
            if record.result.status is None:
                record.end("interrupted", max(record.result.step, 0))
        raise


def write(event: Event, records: Sequence[Record], progress: Callable[[Record], None]) -> None:
    """What training says goes to the records of its members."""
    match event:
        case Rows(step, members, values):
            rows = zip(*(column.tolist() for column in values.values()), strict=True)
            for member, row in zip(members.tolist(), rows, strict=True):
                records[member].row(step, dict(zip(values, row, strict=True)))
                progress(records[member])
        case Checkpoint():
            for position, member in enumerate(event.state.members.tolist()):
                records[member].checkpoint(event, position)
        case End(member, status, step, theta, nonfinite):
            records[member].end(status, step, theta, nonfinite)
            progress(records[member])
