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

from runner.experiment.experiment import Experiment
from runner.runs.record import Record
from runner.runs.result import Result
from runner.sweeps.planning import stacks
from runner.training.own.network import NetworkError, NetworkProblem
from runner.training.train import Checkpoint, End, Event, Prune, Rows, train


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
    """Resume one recorded run from its checkpoint, or from its start where it left none."""
    stop = stop or Stop()
    with stop.listening():
        _train([record], progress, stop, checkpoint)


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
