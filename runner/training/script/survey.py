"""Which loop trains: the one whose iterations change arrays that live on, where the next step depends on them.

What an array is for is asked of the script itself: at the beginning of an iteration the process forks, the copy moves
one array a little, runs the iteration, and what came out differently is compared. A cache is written before it is read:
moving it changes nothing. A sum that is kept moves along, and its steps stay the same. Weights move along, and their
step changes.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runner.training.script.arrays import Place, is_number, places, sample

BEGINNINGS = 3  # iterations after which a loop can be judged
PROBED = 48  # arrays that are moved, at most


@dataclass
class Seen:
    """What is known of a loop so far."""

    entries: int = 0
    count: int = 0
    most: int = 0
    parents: tuple[str, ...] = ()
    before: dict[str, tuple[tuple[int, ...], np.ndarray]] | None = None
    changed: set[str] | None = None
    probe: dict[str, Any] | None = None
    renewed: bool = False


def forked(work: Callable[[], None], seconds: float, then: Callable[[], None]) -> None:
    """In a fork: `work` and on with the script; here: wait until it has ended, `seconds` at most."""
    pid = os.fork()
    if pid == 0:
        import signal

        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, lambda *_: os._exit(3))
        signal.setitimer(signal.ITIMER_REAL, seconds)
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        work()
        return
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
    then()


def snapshot(frame: Any, root: str) -> dict[str, tuple[tuple[int, ...], np.ndarray]]:
    """Every array within reach: its shape and a sample."""
    found: dict[str, tuple[tuple[int, ...], np.ndarray]] = {}
    for place, value in places(frame, root):
        found.setdefault(place.name, (np.shape(value), sample(value)))
    return found


def differs(a: tuple[tuple[int, ...], np.ndarray], b: tuple[tuple[int, ...], np.ndarray]) -> bool:
    return a[0] == b[0] and not np.array_equal(a[1], b[1], equal_nan=True)


def moved(place: Place, value: Any, size: float, seed: int) -> np.ndarray:
    """Move an array, or a number, by a random direction of relative `size`; returns what was added."""
    rng = np.random.default_rng(seed)
    single = np.asarray(value).dtype == np.float32
    scale = size * (1e3 if single else 1) * max(float(np.sqrt(np.mean(np.square(value)))), 1e-2)
    step = rng.normal(size=np.shape(value)) * scale
    if is_number(value):
        place.set(type(value)(value + float(step)))
    else:
        value += step.astype(value.dtype)
    return step


class Survey:
    """Watches every loop; ends the process as soon as the loop that trains is known.

    Args:
        scratch: a directory for what the forks find.
        seconds: how long a fork may take.
    """

    root: str = ""
    stop: Callable[[], None]

    def __init__(self, scratch: Path, seconds: float) -> None:
        self.scratch, self.seconds = scratch, seconds
        self.loops: dict[str, Seen] = {}
        self.stack: list[str] = []
        self.fork: tuple[str, Path] | None = None  # in a fork: the loop, and where its end is written
        self.passed: list[str] = []
        self.since = time.monotonic()
        self.until = float("inf")

    def see(self, key: str, value: Any) -> Any:
        return value

    def at(self, file: str, line: int) -> None:
        return

    def begin(self, key: str) -> None:
        loop = self.loops.setdefault(key, Seen())
        if self.fork is not None:
            if self.fork[0] == key:
                self._write(sys._getframe(1))
            return
        if key not in self.stack:
            self.stack.append(key)
            loop.entries, loop.count, loop.parents, loop.before = loop.entries + 1, 0, tuple(self.stack[:-1]), None
        while self.stack[-1] != key:
            self.stack.pop()
        if loop.count < BEGINNINGS and loop.entries <= 3 and loop.probe is None:
            self._compare(key, loop, sys._getframe(1))
        loop.count += 1
        loop.most = max(loop.most, loop.count)
        if time.monotonic() > self.until:
            self.stop()

    def leave(self, key: str) -> None:
        if self.fork is not None:
            if self.fork[0] == key:
                self._write(sys._getframe(1))
            return
        if key in self.stack:
            del self.stack[self.stack.index(key) :]
        if key in self.passed and not self._open():
            self.stop()

    def _open(self) -> bool:
        """Is a loop around the one that passed still to be judged?"""
        return any(self.loops[each].probe is None for each in self.stack)

    def _compare(self, key: str, loop: Seen, frame: Any) -> None:
        now = snapshot(frame, self.root)
        if loop.before is not None:
            changed = {name for name, each in now.items() if name in loop.before and differs(loop.before[name], each)}
            loop.changed = changed | (loop.changed or set())
        loop.before = now
        if loop.count == BEGINNINGS - 1 and loop.changed:
            self._probe(key, loop, frame)
            if key in self.passed:
                if not self._open():
                    self.stop()
                self.until = min(self.until, time.monotonic() + max(2.0, 3 * (time.monotonic() - self.since)))

    def _inside(self) -> bool:
        """Whether this is a fork."""
        return self.fork is not None

    def _probe(self, key: str, loop: Seen, frame: Any) -> None:
        """Move each changing array in a fork of its own, and see what one iteration makes of it."""
        began = time.monotonic()
        assert loop.changed is not None
        assert loop.before is not None
        candidates = [(place, value) for place, value in places(frame, self.root) if place.name in loop.changed]
        candidates.sort(key=lambda each: is_number(each[1]))
        start = {name: each[1] for name, each in loop.before.items()}
        still = self._after(key, None, None)
        found: dict[str, Any] = {}
        steps: dict[str, np.ndarray] = {}
        for place, value in candidates[:PROBED]:
            if self._inside() or not still or time.monotonic() - began > self.seconds:
                break
            if place.name in steps or place.name not in still:
                continue
            ended = self._after(key, place, value)
            if self._inside():
                return
            if not ended or place.name not in ended:
                continue
            probe = np.random.default_rng(7).normal(size=np.shape(value))
            steps[place.name] = probe
            direction = sample(probe)
            shift = ended[place.name] - still[place.name]
            length = float(np.linalg.norm(shift) * np.linalg.norm(direction))
            along = abs(float(shift @ direction)) / length if length > 0 else 0.0
            size = self._size(value)
            far = float(np.linalg.norm(shift)) / max(size * float(np.linalg.norm(direction)), 1e-300)
            lasts = along > 0.3 and 0.1 < far < 10
            kept = float(np.linalg.norm(shift - size * direction)) > 1e-9 * float(
                np.linalg.norm(shift)
            ) + 1e-15 * float(np.linalg.norm(start[place.name]))
            others = [name for name in still if name != place.name and name in ended and _far(still[name], ended[name])]
            found[place.name] = {"lasts": lasts, "step": bool(kept), "others": others, "shape": list(np.shape(value))}
        if self._inside():
            return
        loop.probe = found
        persistent = {name for name, each in found.items() if each["lasts"]}
        if any(found[name]["step"] or persistent & set(found[name]["others"]) for name in persistent):
            self.passed.append(key)

    def _size(self, value: Any) -> float:
        single = np.asarray(value).dtype == np.float32
        return 1e-6 * (1e3 if single else 1) * max(float(np.sqrt(np.mean(np.square(value)))), 1e-2)

    def _after(self, key: str, place: Place | None, value: Any) -> dict[str, np.ndarray] | None:
        """What stands where after one iteration in which `place` was moved; {} where the fork did not get there."""
        path = self.scratch / f"fork-{os.getpid()}-{time.monotonic_ns()}.json"
        result: dict[str, np.ndarray] = {}

        def work() -> None:
            self.fork = (key, path)
            if place is not None:
                moved(place, value, 1e-6, 7)

        def then() -> None:
            with contextlib.suppress(OSError, ValueError):
                result.update({name: np.array(each) for name, each in json.loads(path.read_text()).items()})

        forked(work, self.seconds, then)
        return result if self.fork is None else None

    def _write(self, frame: Any) -> None:
        assert self.fork is not None
        found = {name: each[1].tolist() for name, each in snapshot(frame, self.root).items()}
        self.fork[1].write_text(json.dumps(found))
        os._exit(0)

    def result(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "loops": {
                key: {"entries": each.entries, "most": each.most, "parents": list(each.parents), "probe": each.probe,
                      "changed": sorted(each.changed or ())}
                for key, each in self.loops.items()
            },
        }  # fmt: skip


def _far(a: np.ndarray, b: np.ndarray) -> bool:
    if a.shape != b.shape:
        return True
    return bool(np.max(np.abs(a - b), initial=0) > 1e-13 * max(np.max(np.abs(a), initial=0), 1e-300))
