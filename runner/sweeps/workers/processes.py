"""Workers as processes of this machine. They are loky's: fresh interpreters that do not import the main module again.

Only the processes are: loky's and joblib's own pools give everything up when one worker dies.
"""

import contextlib
import os
import pickle
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from time import perf_counter
from typing import Any

from datasets import Dataset
from runner.sweeps.workers.worker import Died, Message, Order, Ready, carry_out

STOP = "stop"
LISTENS_EVERY = 0.05  # seconds between two looks for a word from the driver
LEAVES_WITHIN = 5.0  # seconds that a worker has to end by itself


class Worker:
    """The driver's end of a process."""

    def __init__(self, pickled: Callable[[str, Dataset], bytes]):
        from joblib.externals.loky.backend.context import get_context  # late: most commands start no workers

        context = get_context("loky")
        self.line, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self._pickled, self._known = pickled, set[str]()

    def give(self, order: Order, dataset: Dataset) -> None:
        with contextlib.suppress(OSError):  # it has died, and will be found so
            if order.data_digest not in self._known:
                self.line.send((order.data_digest, self._pickled(order.data_digest, dataset)))
                self._known.add(order.data_digest)
            self.line.send(order)

    def stop(self) -> None:
        with contextlib.suppress(OSError):  # as above
            self.line.send(STOP)

    def heard(self) -> Message:
        """The next message; to be asked for where there is one, or the end of the process."""
        try:
            message: Message = self.line.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            self.process.join(LEAVES_WITHIN)
            return Died(f"its process died: {how(self.process.exitcode)}")
        return message


class Processes:
    """Up to `size` workers on this machine; the data is pickled once for all of them."""

    def __init__(self, size: int):
        self.size = size
        self._all: list[Worker] = []
        self._data: dict[str, bytes] = {}

    def hire(self) -> Worker:
        worker = Worker(self._pickled)
        self._all.append(worker)
        return worker

    def hear(self, workers: Sequence[Worker], seconds: float) -> list[tuple[Worker, Message]]:
        """A message from each worker that has one, after so many seconds at most."""
        of = {worker.line: worker for worker in workers}
        return [(of[line], of[line].heard()) for line in wait(list(of), seconds)]

    def close(self) -> None:
        """Leave no process behind: those that wait for an order go when the line closes, others are killed."""
        for worker in self._all:
            worker.line.close()
        for worker in self._all:
            worker.process.join(LEAVES_WITHIN / 10)
        for worker in self._all:
            if worker.process.exitcode is None:  # by its number: loky's processes have no kill() of their own
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.process.pid, signal.SIGKILL)
            worker.process.join()

    def _pickled(self, digest: str, dataset: Dataset) -> bytes:
        if digest not in self._data:
            self._data[digest] = pickle.dumps(dataset, pickle.HIGHEST_PROTOCOL)
        return self._data[digest]


def how(code: int | None) -> str:
    """How a process ended, in words.

    >>> how(-9), how(3)
    ('signal 9 (SIGKILL)', 'exit code 3')
    """
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"


def work(line: Connection) -> None:
    """The life of a worker: orders, until the line is closed. Ctrl-C is for the driver, which says when to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    data: dict[str, Dataset] = {}
    try:
        line.send(Ready())
        while True:
            said: Any = line.recv()
            if isinstance(said, Order):
                for message in carry_out(said, data[said.data_digest], _Listening(line)):
                    line.send(message)
            elif said != STOP:  # a stop that comes after the last event has nothing to stop
                digest, pickled = said
                data[digest] = pickle.loads(pickled)
    except (EOFError, OSError):
        pass  # the driver is gone, or has closed the line: there is nobody to train for


class _Listening:
    """Whether the driver has said stop: asked at every step, looked up now and then."""

    def __init__(self, line: Connection):
        self.line, self.stopped, self.looked = line, False, perf_counter()

    def __call__(self) -> bool:
        now = perf_counter()
        if not self.stopped and now - self.looked > LISTENS_EVERY:
            self.looked = now
            if self.line.poll():
                try:
                    self.stopped = self.line.recv() == STOP
                except (EOFError, OSError):
                    raise SystemExit from None  # the driver is gone
        return self.stopped
