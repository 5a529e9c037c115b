"""From experiments to recorded runs: jobs are grouped into stacks, stacks are trained, rows go to the jobs' journals.

A single run is a sweep of one job. This module knows no mathematics, no configuration language and no MLflow.
"""

import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from runner.experiment import Experiment
from runner.record import Record
from runner.train import Checkpoint, End, Event, Rows, train

# A stack's arrays should stay in the cache of one core; what is larger trains faster in parts.
CACHE_BYTES = 1 << 20


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
) -> list[Record]:
    """Train and record every job; returns the records, in the order of the jobs, of those that were begun.

    `began` is told of each run as its journal exists, `progress` of each row and each end. One job that fails does not
    stop the others: its traceback stands in its own record. After an interrupt the jobs not yet begun are left alone.
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
            _train([records[number] for number in numbers], progress, stop)
    return [records[number] for number in sorted(records)]


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


def stacks(experiments: Sequence[Experiment]) -> list[list[int]]:
    """The positions of the experiments that train together, in the order in which the first of each comes."""
    alike: dict[str, list[int]] = {}
    for number, experiment in enumerate(experiments):
        alike.setdefault(experiment.stack_key(), []).append(number)
    cut = []
    for numbers in alike.values():
        size = stack_size(experiments[numbers[0]])
        cut += [numbers[start : start + size] for start in range(0, len(numbers), size)]
    return cut


def stack_size(experiment: Experiment) -> int:
    """How many members of this kind to train at once: what fits the cache, and one where a single one fills it."""
    recipe = experiment.recipe
    item = np.dtype(recipe.dtype).itemsize
    parameters = sum((a + 1) * b for a, b in zip(recipe.widths, recipe.widths[1:], strict=False))
    activations = recipe.plan.batch_size * sum(recipe.widths[1:])
    member = item * (5 * parameters + 4 * activations)
    return max(1, CACHE_BYTES // member)


def _train(
    records: Sequence[Record], progress: Callable[[Record], None], stop: Stop, checkpoint: Checkpoint | None = None
) -> None:
    """Train one stack. What goes wrong in a stack of several is found by training each member alone."""
    try:
        for event in train([record.experiment.recipe for record in records], stop, checkpoint):
            _write(event, records, progress)
    except Exception:
        error = traceback.format_exc()
        waiting = [record for record in records if record.status is None]
        if len(records) > 1 and all(record.step < 0 for record in waiting):
            for record in waiting:
                _train([record], progress, stop)
            return
        for record in waiting:
            record.end("error", max(record.step, 0), error=error)
            progress(record)
    except KeyboardInterrupt:
        for record in records:
            if record.status is None:
                record.end("interrupted", max(record.step, 0))
        raise


def _write(event: Event, records: Sequence[Record], progress: Callable[[Record], None]) -> None:
    match event:
        case Rows(step, members, values):
            columns = {key: column.tolist() for key, column in values.items()}
            for position, member in enumerate(members.tolist()):
                records[member].row(step, {key: column[position] for key, column in columns.items()})
                progress(records[member])
        case Checkpoint():
            for position, member in enumerate(event.state.members.tolist()):
                records[member].checkpoint(event, position)
        case End(member, status, step, theta, nonfinite):
            records[member].end(status, step, theta, nonfinite)
            progress(records[member])
