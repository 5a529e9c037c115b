"""Workers on a Ray cluster: one that there is (sweep.address), or one that is started here for the sweep.

A worker is an actor of one CPU; it needs nothing but the installed package. The data is put into the object store once,
and what workers say comes back as a stream. The only module that imports Ray, and only where sweep.backend=ray.
"""

import logging
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset
from runner.experiment.schema import ConfigError
from runner.sweeps.workers.worker import Died, Message, Order, Ready, carry_out

INSTALL = "pip install '.[ray]' in the runner's checkout, or pip install ray"
ANSWERS_WITHIN = 8.0  # seconds that a cluster has
TOKEN = Path("~/.ray/auth_token")  # of the clusters that this user has started
STORE_BYTES = 100_000_000  # of shared memory, for a cluster that is started here: it holds one copy of the data
AHEAD = 16  # portions that a worker may be ahead of the driver


class _Trainer:
    """What a worker is on its own machine. `stop` is called from another thread than `train`."""

    def __init__(self) -> None:
        self.stopped = False
        self.data: dict[str, Dataset] = {}

    def ready(self) -> None:
        """Answered once the worker runs."""

    def stop(self) -> None:
        self.stopped = True

    def train(self, order: Order, data: list[Any]) -> Iterator[Message]:
        """`data` holds the reference to the data set: in a list, or Ray would fetch it again for each order."""
        import ray

        if order.data_digest not in self.data:
            self.data[order.data_digest] = ray.get(data[0])
        yield from carry_out(order, self.data[order.data_digest], lambda: self.stopped)


class Worker:
    """The driver's end of an actor: `stream` is what it is to say next from."""

    def __init__(self, actor: Any, put: Callable[[str, Dataset], Any]):
        self.actor, self._put = actor, put
        self.stream: Any = actor.ready.remote()
        self.started = False

    def give(self, order: Order, dataset: Dataset) -> None:
        data = [self._put(order.data_digest, dataset)]
        train = self.actor.train.options(num_returns="streaming", _generator_backpressure_num_objects=AHEAD)
        self.stream = train.remote(order, data)

    def stop(self) -> None:
        self.actor.stop.remote()

    def heard(self) -> Message | None:
        """The next message, where there is one; None at the end of a stream."""
        import ray

        try:
            if not self.started:
                ray.get(self.stream)
                self.started, self.stream = True, None
                return Ready()
            message: Message = ray.get(next(self.stream))
            return message
        except StopIteration:
            self.stream = None
            return None
        except ray.exceptions.RayError as error:
            self.stream = None
            return Died(f"its process died: {_cause(error)}")


class Cluster:
    """Up to `size` workers on the cluster that this process is connected to."""

    def __init__(self, size: int):
        self.size = size
        self._data: dict[str, Any] = {}
        self._actors: list[Any] = []

    def hire(self) -> Worker:
        import ray

        # Tried again is what the driver does, in its own way; Ray is not to.
        options = {"num_cpus": 1, "max_restarts": 0, "max_task_retries": 0, "max_concurrency": 2}
        actor: Any = ray.remote(_Trainer).options(**options).remote()
        self._actors.append(actor)
        return Worker(actor, self._put)

    def hear(self, workers: Sequence[Worker], seconds: float) -> list[tuple[Worker, Message]]:
        """A message from each worker that has one, after so many seconds at most."""
        import ray

        of = {worker.stream: worker for worker in workers if worker.stream is not None}
        if not of:
            threading.Event().wait(seconds)
            return []
        ready, _ = ray.wait(list(of), num_returns=1, timeout=seconds)
        if ready:
            ready, _ = ray.wait(list(of), num_returns=len(of), timeout=0)
        heard = [(of[stream], of[stream].heard()) for stream in ready]
        return [(worker, message) for worker, message in heard if message is not None]

    def close(self) -> None:
        """Let the workers go; a cluster that was started here ends."""
        import ray

        for actor in self._actors:
            ray.kill(actor)
        ray.shutdown()

    def _put(self, digest: str, dataset: Dataset) -> Any:
        import ray

        if digest not in self._data:
            self._data[digest] = ray.put(dataset)
        return self._data[digest]


def check(address: str | None) -> None:
    """Raises ConfigError where Ray is not installed. Without an address Ray is kept to the loopback of this machine."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no reports to its makers
    if address is None:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # its word for: no address but the loopback's
    elif "RAY_AUTH_TOKEN" in os.environ or TOKEN.expanduser().exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # as `ray start` does, which has made the token
    try:
        import ray
    except ImportError as error:
        problem = f"sweep.backend=ray needs Ray, which is not installed ({error}). Install it: {INSTALL}"
        raise ConfigError([problem]) from error
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    internals: Any = ray._private.worker
    internals._worker_logs_enabled = False  # or each death is told on standard output, log_to_driver or not


def connect(address: str, workers: int | None) -> Cluster:
    """The cluster at an address. Raises ConfigError where it does not answer."""
    import ray

    _answered(address, lambda: ray.init(address=address, log_to_driver=False, configure_logging=False))
    cpus = int(ray.cluster_resources().get("CPU", 0))
    return Cluster(max(1, min(workers or cpus, cpus)))


def start(workers: int) -> Cluster:
    """A cluster on this machine, for the sweep alone; it ends with it."""
    import ray

    ray.init(
        address="local",
        num_cpus=workers,
        object_store_memory=STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        _node_ip_address="127.0.0.1",
    )
    return Cluster(workers)


def _answered(address: str, connection: Callable[[], Any]) -> None:
    """Connect, or raise ConfigError after some seconds: Ray itself would go on trying for minutes."""
    problem = f"sweep.address={address}: no Ray cluster answers there"
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=ANSWERS_WITHIN / 2).close()
        except OSError as error:
            raise ConfigError([f"{problem} ({error.strerror or error})."]) from error
    failure: list[BaseException] = []

    def attempt() -> None:
        try:
            connection()
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(ANSWERS_WITHIN)
    if failure or thread.is_alive():
        why = " ".join(str(failure[0]).split())[:200] if failure else f"within {ANSWERS_WITHIN:.0f} s"
        raise ConfigError([f"{problem} ({why})."])


def _cause(error: Exception) -> str:
    """What Ray knows of a death, without its advice: an exit code or a signal it does not.

    >>> _cause(RuntimeError("It died. pid: 12 ip: 10.0.0.2 The actor is dead because its node has died. Node Id: 3"))
    'Ray says that its node has died (pid 12, ip 10.0.0.2)'
    """
    text = " ".join(str(error).split())
    because = re.search(r"because (its [^.]*)", text)
    where = ", ".join(f"{key} {value}" for key, value in re.findall(r"\b(pid|ip): (\S+)", text))
    said = f"that {because.group(1)}" if because else text[:200]
    return f"Ray says {said}" + (f" ({where})" if where else "")
