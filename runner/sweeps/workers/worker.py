"""What a worker of a sweep does, wherever it runs: configurations in, the events of their training out.

A worker writes nothing and knows no journal: who gave the order does that, with what is said here.
"""

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from datasets import Dataset
from runner import Refusal
from runner.experiment.build import build_plain
from runner.training import threads
from runner.training.machine import Machine, machine
from runner.training.train import Event, Rows, train

# Events are sent in portions: at most so many seconds of them wait for the next.
EVERY = 0.2


@dataclass(frozen=True)
class Order:
    """A stack to train: the resolved configuration of each member, the digest of their data.

    `blas_threads` is the most that BLAS has where the sweep was started: sums are split as they would be there.
    """

    configs: tuple[dict[str, Any], ...]
    data_digest: str
    blas_threads: int


@dataclass(frozen=True)
class Ready:
    """The worker can be given an order."""


@dataclass(frozen=True)
class Taken:
    """The order is begun, on this machine."""

    machine: Machine


@dataclass(frozen=True)
class Said:
    """The next events of the order, in their order."""

    events: list[Event]


@dataclass(frozen=True)
class Done:
    """The order is done: every member has ended."""


@dataclass(frozen=True)
class Failed:
    """Training has raised; those members that have not ended will not."""

    traceback: str


@dataclass(frozen=True)
class Died:
    """The worker is gone, and the rest of what it was to say with it."""

    cause: str


Message = Ready | Taken | Said | Done | Failed | Died


def carry_out(order: Order, dataset: Dataset, should_stop: Callable[[], bool]) -> Iterator[Message]:
    """Train the stack; what it says, in portions, and at last `Done` or `Failed`."""
    events: list[Event] = []
    yield Taken(machine())
    try:
        threads.agree(order.blas_threads)
        recipes = [build_plain(config, dataset=dataset).recipe for config in order.configs]
        sent = perf_counter()
        for event in train(recipes, should_stop):
            events.append(_kept(event))
            if perf_counter() - sent > EVERY:
                yield Said(events)
                events, sent = [], perf_counter()
    except Exception:
        yield Said(events)
        yield Failed(traceback.format_exc())
    else:
        yield Said(events)
        yield Done()


def _kept(event: Event) -> Event:
    """The event in arrays of its own: training goes on in the ones it has."""
    if not isinstance(event, Rows):
        return event
    return Rows(event.step, event.members.copy(), {key: np.array(column) for key, column in event.values.items()})


class Worker(Protocol):
    """Takes one order at a time."""

    def give(self, order: Order, dataset: Dataset) -> None: ...
    def stop(self) -> None: ...


class Crew(Protocol):
    """Workers of one kind: up to `size` are hired at a time; `hear` waits for what they say."""

    size: int

    def hire(self) -> Any: ...
    def hear(self, workers: Sequence[Any], seconds: float) -> Sequence[tuple[Any, Message]]: ...
    def close(self) -> None: ...


class CrewError(Refusal):
    """No worker can be started."""

    code = 1
