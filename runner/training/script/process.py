"""Work in processes of its own: forked, in a process group, with limits on time and on the memory they hold."""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

LINUX = bool(sys.platform == "linux")
POLL = 0.02  # s between two looks at a process
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER: a grandchild whose parent has ended becomes ours, and can be found


@dataclass(frozen=True)
class Limits:
    """Seconds of time, bytes that all its processes hold and share with no other, processes."""

    seconds: float = 60.0
    memory: int = 2 << 30
    processes: int = 32


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        why: "" where it ended by itself, else `time`, `memory` or `processes`: the limit that ended it.
        code: its exit code; negative: the signal.
    """

    why: str
    code: int
    seconds: float


@dataclass
class Running:
    pid: int
    since: float
    limits: Limits
    looked: float = 0.0


def holds() -> list[str]:
    """Which limits hold on this system, for people."""
    found = ["time", "memory of its own (looked at every 0.1 s)", "processes (ended with the script)"]
    return [*found, "no network and no writing outside the copy (as far as Python can see)"]


def adopt() -> None:
    """On Linux: processes that a script leaves behind become this process's own, so that they can be ended."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


def start(work: Callable[[], None], limits: Limits) -> Running:
    """Fork a process that does `work` and ends; it leads a group of its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setsid()
            for each in (signal.SIGINT, signal.SIGTERM):
                signal.signal(each, signal.SIG_DFL)
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            work()
            code = 0
        except BaseException:
            code = 1
        finally:
            os._exit(code)
    return Running(pid, time.monotonic(), limits)


def look(running: Running) -> Ended | None:
    """How it ended, or None where it still runs; past a limit it is ended here, with all that it started."""
    done, status = os.waitpid(running.pid, os.WNOHANG)
    now = time.monotonic()
    seconds = now - running.since
    if done:
        end(running.pid)
        return Ended("", os.waitstatus_to_exitcode(status), seconds)
    why = "time" if seconds > running.limits.seconds else ""
    if not why and now - running.looked > 0.1:
        running.looked = now
        family = descendants(running.pid)
        if sum(memory(pid) for pid in family) > running.limits.memory:
            why = "memory"
        elif len(family) > running.limits.processes:
            why = "processes"
    if not why:
        return None
    end(running.pid)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(running.pid, 0)
    return Ended(why, -signal.SIGKILL, seconds)


def end(pid: int) -> None:
    """End a process, its group and all that descends from it, however often they forked."""
    for _ in range(20):
        family = descendants(pid)
        for each in family:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(each, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        for each in family:
            if each != pid:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(each, os.WNOHANG)
        if not [each for each in descendants(pid) if each != pid]:
            return


def run_all(jobs: Iterable[tuple[Callable[[], None], Limits]], at_once: int) -> Iterator[tuple[int, Ended]]:
    """Do all jobs, `at_once` at a time; yields (place in the list, how it ended) as they end."""
    waiting = iter(enumerate(jobs))
    running: dict[int, Running] = {}
    more = True
    try:
        while more or running:
            while more and len(running) < at_once:
                following = next(waiting, None)
                if following is None:
                    more = False
                    break
                place, (work, limits) = following
                running[place] = start(work, limits)
            for place in list(running):
                ended = look(running[place])
                if ended is not None:
                    del running[place]
                    yield place, ended
            if running:
                time.sleep(POLL if len(running) > 0 else 0)
    finally:
        for each in running.values():
            end(each.pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(each.pid, 0)


def _table() -> list[tuple[int, int, int, int]]:
    """Every process: (pid, parent, group or session, resident bytes)."""
    if LINUX:
        found = []
        page = os.sysconf("SC_PAGE_SIZE")
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    with open(f"/proc/{name}/stat") as file:
                        fields = file.read().rpartition(")")[2].split()
                    found.append((int(name), int(fields[1]), int(fields[3]), int(fields[21]) * page))
        return found
    text = subprocess.run(["ps", "-axo", "pid=,ppid=,pgid=,rss="], capture_output=True, text=True).stdout
    rows = [line.split() for line in text.splitlines()]
    return [(int(pid), int(parent), int(group), int(rss) * 1024) for pid, parent, group, rss in rows]


def descendants(pid: int) -> list[int]:
    """The process, what descends from it, and what is left of its session."""
    table = _table()
    found = {pid} | {each for each, _, session, _ in table if session == pid}
    grew = True
    while grew:
        new = {each for each, parent, _, _ in table if parent in found} - found
        found |= new
        grew = bool(new)
    return [each for each, *_ in table if each in found]


def memory(pid: int) -> int:
    """Resident bytes of a process; 0 where it is gone. On Linux only what it shares with no other: a fork shares all
    that this process holds, and must not be ended for it."""
    if LINUX:
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/smaps_rollup") as file:
            return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Private_"))
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm") as file:  # old kernels
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return 0
    return next((resident for each, _, _, resident in _table() if each == pid), 0)
