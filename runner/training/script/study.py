"""One iteration of the loop that trains, looked at closely: every value that gets a name, and what it depends on."""

import contextlib
import hashlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from runner.training.script.arrays import is_number, places, reachable, sample
from runner.training.script.losses import ROWS, recognise
from runner.training.script.survey import forked, moved

SEQUENCE = 4000  # values of one iteration that are told apart one by one
KEPT = 4000  # values of one site in one iteration
TEXT = (str, bytes, bool)


class Study:
    """Watches iteration `iteration` of a loop (its count over all entries), then ends the process.

    Args:
        loop: the key of the loop.
        iteration: which, from 0.
        names: of the arrays that may be parameters.
        scratch: for what forks find.
        seconds: how long a fork may take.
    """

    root: str = ""
    stop: Callable[[], None]

    def __init__(self, loop: str, iteration: int, names: list[str], scratch: Path, seconds: float) -> None:
        self.loop, self.iteration, self.names = loop, iteration, names
        self.scratch, self.seconds = scratch, seconds
        self.count = 0
        self.fork: Path | None = None
        self.on = False
        self.last: dict[str, Any] = {}
        self.sequence: list[tuple[str, str]] = []  # the first values in the order of computation: (site, digest)
        self.large: dict[str, dict[str, list[int]]] = {}
        self.events: dict[str, list[Any]] = {}
        self.start: dict[str, np.ndarray] = {}
        self.found: dict[str, Any] = {}
        self.dependent: set[str] = set()
        self.stretched: list[str] = []

    def at(self, file: str, line: int) -> None:
        return

    def see(self, key: str, value: Any) -> Any:
        if self.on:
            if len(self.sequence) < SEQUENCE:
                self.sequence.append((key, _digest(value)))
            kept = self.events.setdefault(key, [])
            if len(kept) < KEPT:
                kept.append(value)
            else:
                kept[-1] = value
        else:
            self.last[key] = value
        return value

    def begin(self, key: str) -> None:
        if key != self.loop:
            return
        if self.fork is not None:
            self._write(sys._getframe(1))
        if self.count == self.iteration:
            self._study(sys._getframe(1))
        self.count += 1

    def leave(self, key: str) -> None:
        if key == self.loop and self.fork is not None:
            self._write(sys._getframe(1))

    def _inside(self) -> bool:
        """Whether this is a fork."""
        return self.fork is not None

    def _study(self, frame: Any) -> None:
        within = {place.name: (place, value) for place, value in reversed(list(places(frame, self.root)))}
        candidates = {name: within[name] for name in self.names if name in within}
        plain = self._after(lambda: self._begin({}))
        depends: dict[str, Any] = {}
        began = time.monotonic()
        for name, (place, value) in candidates.items():
            if self._inside() or time.monotonic() - began > self.seconds:
                break

            def shift(place: Any = place, value: Any = value) -> None:
                self._begin({})
                moved(place, value, 1e-5, 11)

            after = self._after(shift)
            if after:
                both = list(zip(plain["sequence"], after["sequence"], strict=False))
                depends[name] = {
                    "last": [key for key in plain["last"] if plain["last"][key] != after["last"].get(key)],
                    "early": next((number for number, (a, b) in enumerate(both) if a != b and _new(a[0])), SEQUENCE),
                }
        if self._inside():
            return
        self.dependent = {key for each in depends.values() for key in each["last"]}
        self.found = {**self._after(lambda: self._begin(candidates)), "depends": depends}
        if self._inside():
            return
        outputs = list(self.found.get("outputs", {}))
        far = self._after(lambda: self._stretch(candidates, outputs))
        if not self._inside():
            self.found["ranges"] = far.get("ranges", {})
            self.stop()

    def _stretch(self, candidates: dict[str, tuple[Any, Any]], outputs: list[str]) -> None:
        """Parameters so large, both ways, that an output which is bounded shows its bounds."""
        self._begin({})
        self.stretched = outputs
        for name, (_, value) in candidates.items():
            if isinstance(value, np.ndarray):
                step = 1e3 * np.random.default_rng(len(name)).normal(size=value.shape)
                value += np.asarray(step).astype(value.dtype)

    def _begin(self, candidates: dict[str, tuple[Any, Any]]) -> None:
        self.start = {name: np.array(value, dtype=float) for name, (_, value) in candidates.items()}
        self.on = True

    def _after(self, work: Callable[[], None]) -> dict[str, Any]:
        path = self.scratch / f"fork-{os.getpid()}-{time.monotonic_ns()}.json"
        result: dict[str, Any] = {}

        def inside() -> None:
            self.fork = path
            work()

        def then() -> None:
            with contextlib.suppress(OSError, ValueError):
                result.update(json.loads(path.read_text()))

        forked(inside, self.seconds, then)
        return result

    def _write(self, frame: Any) -> None:
        """In a fork, at the end of the iteration: what was seen, and out."""
        assert self.fork is not None
        self.on = False
        try:
            found = self._seen(frame)
        except Exception:
            found = {"problem": traceback.format_exc()}
        self.fork.write_text(json.dumps(found))
        os._exit(0)

    def _seen(self, frame: Any) -> dict[str, Any]:
        if self.stretched:
            found = dict(each for key, kept in self.events.items() for each in _arrays(key, kept))
            known = {key: found[key] for key in self.stretched if key in found}
            with np.errstate(all="ignore"):
                return {
                    "ranges": {key: [float(np.nanmin(each)), float(np.nanmax(each))] for key, each in known.items()}
                }
        if not self.start:
            return {"last": {key: _digest(kept[-1]) for key, kept in self.events.items()}, "sequence": self.sequence}
        scalars = {key: number for key, kept in self.events.items() if (number := _number(kept[-1])) is not None}
        outputs, labels = self._pools(frame)
        matches = recognise(self._costs(scalars), outputs, labels)
        return {
            "scalars": scalars,
            "order": list(self.events),
            "sequence": [key for key, _ in self.sequence],
            "counts": {key: len(kept) for key, kept in self.events.items()},
            "updates": self._updates(frame),
            "losses": {key: vars(each) for key, each in matches.items()},
            "labels": {key: _about(array) for key, array in labels.items()} | self.large,
            "same": self._same(labels),
            "outputs": {each.output: _about(outputs[each.output]) for each in matches.values()},
        }

    def _updates(self, frame: Any) -> dict[str, Any]:
        """For each candidate: the first site that gave what stands there at the end, and how far it went."""
        end = {
            place.name: value for place, value in reversed(list(places(frame, self.root))) if place.name in self.start
        }
        found: dict[str, Any] = {}
        for name, before in self.start.items():
            if name not in end or np.shape(end[name]) != before.shape:
                continue
            value = np.asarray(end[name], dtype=float)
            sites = [
                key
                for key, kept in self.events.items()
                if key.split("|")[2] in ("assigned", "augmented", "returned")
                and any(_same(each, value) for each in kept)
            ]
            found[name] = {
                "sites": sites,
                "step": float(np.linalg.norm(value - before)),
                "norm": float(np.linalg.norm(before)),
                "shape": list(before.shape),
            }
        return found

    def _costs(self, scalars: dict[str, float]) -> dict[str, float]:
        depending = {key: value for key, value in scalars.items() if key in self.dependent}
        return dict(sorted(depending.items(), key=lambda each: _rank(each[0]))[:60])

    def _pools(self, frame: Any) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """What may be outputs: what depends on the parameters; and what may be labels: what does not."""
        outputs: dict[str, np.ndarray] = {}
        labels: dict[str, np.ndarray] = {}
        known: set[bytes] = set()

        def take(pool: dict[str, np.ndarray], key: str, kept: list[Any]) -> None:
            for label, array in _arrays(key, kept):
                digest = repr(array.shape).encode() + array.tobytes()
                if digest not in known and label not in pool:
                    known.add(digest)
                    pool[label] = array

        for key, kept in self.events.items():
            if key not in self.dependent:
                take(labels, key, kept)
                self.large |= {label: {"shape": shape} for label, shape in _too_large(key, kept[-1])}
        for key, value in self.last.items():
            take(labels, key, [value])
            self.large |= {
                label: {"shape": shape} for label, shape in _too_large(key, value) if label not in self.large
            }
        for key, kept in self.events.items():
            if key in self.dependent:
                take(outputs, key, kept)
        for place, value in reachable(frame, self.root):
            take(labels, f"place|{place.name}", [value])
        return outputs, dict(sorted(labels.items(), key=lambda each: len(np.unique(each[1].reshape(-1)[:2000])) > 20))

    def _same(self, labels: dict[str, np.ndarray]) -> dict[str, list[str]]:
        """For data the sites outside all functions that hold the same numbers, in whatever shape they stand."""
        known = {np.sort(array, axis=None).tobytes(): key for key, array in labels.items() if array.size < 50_000}
        found: dict[str, list[str]] = {}
        for key, value in self.last.items():
            if key.split("|")[1] == "<module>" and isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
                label = known.get(np.sort(np.asarray(value, dtype=float), axis=None).tobytes())
                if label is not None:
                    found.setdefault(label, []).append(key)
        return found

    def result(self) -> dict[str, Any]:
        return {**self.found, "iterations": self.count}


def _rank(key: str) -> bool:
    words = key.lower()
    return not any(word in words for word in ("cost", "loss", "err", "mse", "entropy", "objective"))


def _same(value: Any, end: np.ndarray) -> bool:
    if not isinstance(value, (np.ndarray, float, np.floating)) or np.shape(value) != end.shape:
        return False
    return np.array_equal(np.asarray(value), end)


def _number(value: Any) -> float | None:
    """A value as one number, where it is one."""
    if isinstance(value, TEXT) or value is None:
        return None
    if isinstance(value, (int, np.integer)):
        return None
    if is_number(value):
        return float(value)
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind == "f":
        return float(np.asarray(value).reshape(-1)[0])
    return None


def _arrays(key: str, kept: list[Any]) -> list[tuple[str, np.ndarray]]:
    """What a site's values are as arrays: the last, its parts, and of numbers or small arrays all of them as one."""
    last = kept[-1]
    found: list[tuple[str, Any]] = []
    if isinstance(last, np.ndarray) and last.dtype.kind in "fiub":
        found.append((key, last))
    elif isinstance(last, (list, tuple)) and 1 < len(last) <= ROWS:
        if len(last) < 12:
            found += [(f"{key}|{place}", each) for place, each in enumerate(last) if isinstance(each, np.ndarray)]
        if isinstance(last, list) and isinstance(last[0], (float, int, np.number, np.ndarray, list)):
            found.append((key, last))
    if len(kept) > 1 and isinstance(last, (float, int, np.number, np.ndarray)) and np.size(last) < 50:
        found.append((f"{key}|all", kept))
    made = []
    for label, value in found:
        with contextlib.suppress(ValueError, TypeError):
            array = np.asarray(value, dtype=float)
            if 1 < array.size <= ROWS:
                made.append((label, array))
    return made


def _too_large(key: str, value: Any) -> list[tuple[str, list[int]]]:
    parts = (
        [(f"{key}|{place}", each) for place, each in enumerate(value[:12])]
        if isinstance(value, tuple)
        else [(key, value)]
    )
    return [(label, list(each.shape)) for label, each in parts if isinstance(each, np.ndarray) and each.size > ROWS]


def _new(key: str) -> bool:
    """Whether what a site sees was made there: an argument was made before."""
    return key.split("|")[2] != "argument"


def _digest(value: Any) -> str:
    """A value, told from another: of arrays, lists and numbers, not of other things."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "fiub":
            return ""
        return hashlib.md5(sample(value).tobytes(), usedforsecurity=False).hexdigest()
    if isinstance(value, (list, tuple)):
        return "".join(_digest(each) for each in value[:2000])[:200_000]
    return repr(value) if isinstance(value, (int, float, np.number)) else ""


def _about(array: np.ndarray) -> dict[str, Any]:
    values = np.unique(array)
    return {
        "shape": list(array.shape),
        "least": float(array.min()),
        "most": float(array.max()),
        "values": values[:30].tolist(),
        "distinct": len(values),
        "whole": bool(np.all(array == np.round(array))),
    }
