"""Sweeps on many workers: which stacks there are, who trains them, and what is done where a worker dies.

Workers (runner.sweeps.workers.processes, runner.sweeps.workers.cluster) train and tell; the driver, here, alone writes
journals. A worker that dies costs the stack that it had another try. A stack whose workers die again is halved, and so
on, until what kills them stands alone and ends as an error.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from runner.runs.record import Record
from runner.runs.result import Result
from runner.sweeps import jobs as sweep
from runner.sweeps.jobs import Job, Stop
from runner.sweeps.workers.worker import Crew, CrewError, Died, Done, Failed, Message, Order, Ready, Said, Taken
from runner.training import threads
from runner.training.train import End

ATTEMPTS = 3  # a job alone that has taken so many workers with it is not tried again
STILLBORN = 3  # workers in a row that may die before they can be given anything
TICK = 0.1  # seconds between two looks at Ctrl-C


def run(
    jobs: Sequence[Job],
    stacks: Sequence[Sequence[int]],
    crew: Crew,
    began: Callable[[Record], None] = lambda record: None,
    progress: Callable[[Record], None] = lambda record: None,
    stop: Stop | None = None,
    fail_fast: bool = False,
) -> list[Result]:
    """`sweep.run` with a crew: the same records, whoever trains. Raises CrewError where no worker can be started."""
    stop = stop or Stop()
    driver = _Driver(jobs, stacks, crew, began, progress, fail_fast)
    with stop.listening():
        try:
            driver.run(stop)
        finally:
            crew.close()
            driver.end_the_rest()
    return [driver.records[number].result for number in sorted(driver.records)]


@dataclass
class _Task:
    """A stack that is to be trained, and how many workers have died of it, or with it."""

    numbers: list[int]
    threads: int
    deaths: int = 0


class _Driver:
    """`queue` is what nobody trains yet; `tasks` what each worker does, None where it waits; `starting` are others."""

    def __init__(
        self,
        jobs: Sequence[Job],
        stacks: Sequence[Sequence[int]],
        crew: Crew,
        began: Callable[[Record], None],
        progress: Callable[[Record], None],
        fail_fast: bool,
    ):
        self.jobs, self.crew, self.began, self.progress, self.fail_fast = jobs, crew, began, progress, fail_fast
        self.records: dict[int, Record] = {}
        self.queue = deque(_Task(list(numbers), self._threads(numbers[0])) for numbers in stacks)
        self.tasks: dict[Any, _Task | None] = {}
        self.starting: list[Any] = []
        self.failed, self.stillborn = False, 0

    def run(self, stop: Stop) -> None:
        stopping = False
        while self.queue or self._busy():
            if not stopping and (stop.asked or (self.fail_fast and self.failed)):
                stopping = True
                self.queue.clear()
                for worker in self._busy():
                    worker.stop()
                continue
            self._hire()
            self._give()
            for worker, message in self.crew.hear([*self.starting, *self.tasks], TICK):
                self._take(worker, message, stopping)

    def end_the_rest(self) -> None:
        """Those that were begun and that nobody trains any more have been interrupted."""
        for record in self.records.values():
            if record.result.status is None:
                record.end("interrupted", max(record.result.step, 0))

    def _busy(self) -> dict[Any, _Task]:
        return {worker: task for worker, task in self.tasks.items() if task is not None}

    def _hire(self) -> None:
        if self.stillborn >= STILLBORN and self.tasks:
            return  # those that work need no help; once none is left one more is tried
        wanted = min(self.crew.size, len(self.queue) + len(self._busy()))
        for _ in range(wanted - len(self.starting) - len(self.tasks)):
            self.starting.append(self.crew.hire())

    def _give(self) -> None:
        """The next stacks to those that wait. One in which BLAS has several threads counts as so many workers."""
        for worker in [worker for worker, task in self.tasks.items() if task is None]:
            taken = sum(task.threads for task in self._busy().values())
            if not self.queue or (taken and taken + self.queue[0].threads > self.crew.size):
                return
            task = self.tasks[worker] = self.queue.popleft()
            experiments = [self._begun(number).experiment for number in task.numbers]
            dataset, digest = experiments[0].dataset, experiments[0].data_digest
            configs = tuple(experiment.config for experiment in experiments)
            worker.give(Order(configs, digest, threads.available()), dataset)

    def _begun(self, number: int) -> Record:
        """The record of a job; one that has been begun is made again from its start."""
        if number in self.records:
            self.records[number].again()
            return self.records[number]
        job = self.jobs[number]
        record = self.records[number] = Record.create(job.experiment, job.directory, job.name, job.tags)
        self.began(record)
        return record

    def _take(self, worker: Any, message: Message, stopping: bool) -> None:
        task = self.tasks.get(worker)
        match message:
            case Ready():
                self.starting.remove(worker)
                self.tasks[worker], self.stillborn = None, 0
            case Taken(machine) if task:
                for number in task.numbers:
                    self.records[number].trained_on(machine)
            case Said(events) if task:
                records = [self.records[number] for number in task.numbers]
                for event in events:
                    sweep.write(event, records, self.progress)
                    self.failed |= isinstance(event, End) and records[event.member].result.failed
            case Done() if task:
                self.tasks[worker], self.stillborn = None, 0
            case Failed(traceback) if task:
                self.tasks[worker] = None
                self._retry_alone(task, traceback, stopping)
            case Died(cause):
                self._bury(worker, cause)
                if task:
                    self._retry(task, cause, stopping)

    def _bury(self, worker: Any, cause: str) -> None:
        if worker in self.starting:
            self.starting.remove(worker)
            self.stillborn += 1
            if self.stillborn >= STILLBORN and not self.tasks:
                raise CrewError(f"No worker can be started: {cause}.")
        else:
            del self.tasks[worker]

    def _retry_alone(self, task: _Task, traceback: str, stopping: bool) -> None:
        """Training has raised: each member that was still running is trained alone; the one that raises is an error."""
        running = self._running(task)
        if len(task.numbers) == 1:
            self._error(running, traceback)
        elif not stopping:
            self.queue.extendleft(_Task([number], task.threads) for number in reversed(running))

    def _retry(self, task: _Task, cause: str, stopping: bool) -> None:
        """A worker has died: its stack is tried again, then in halves."""
        running, deaths = self._running(task), task.deaths + 1
        if stopping or not running:
            return
        if len(running) == 1 and deaths >= ATTEMPTS:
            self._error(running, f"{cause} (attempt {deaths} of {ATTEMPTS})")
        elif len(running) == 1 or deaths == 1:
            self.queue.appendleft(_Task(running, task.threads, deaths))
        else:
            half = len(running) // 2
            self.queue.extendleft(_Task(part, task.threads, 1) for part in (running[half:], running[:half]))

    def _running(self, task: _Task) -> list[int]:
        return [number for number in task.numbers if self.records[number].result.status is None]

    def _error(self, numbers: Sequence[int], error: str) -> None:
        for number in numbers:
            record = self.records[number]
            record.end("error", max(record.result.step, 0), error=error)
            self.progress(record)
            self.failed = True

    def _threads(self, number: int) -> int:
        return min(threads.count(self.jobs[number].experiment.recipe), self.crew.size)
