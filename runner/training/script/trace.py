"""A script watched to its end: its costs, the norms of what it trains, its score on its labels, the first bad value."""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.training.script.arrays import is_number, places
from runner.training.script.score import goal, score

MOST = 200_000  # costs that are kept
ROWS = 200  # rows of norms
COLLECTED = 100_000  # outputs of one iteration, where they come one by one


@dataclass(frozen=True)
class Watched:
    """What a trace looks at: keys of loops and sites, names of parameters.

    Attributes:
        loop, step: whose iterations are counted, and whose are steps.
        costs: the sites of the cost; output, labels: of what the score is taken; axis: of the classes.
        every: norms are taken every so many steps; 0: so that there are about ROWS of them.
        until_nonfinite: the process ends where a parameter is no number any more; until_reached: where
            the score is good.
    """

    loop: str
    step: str
    parameters: tuple[str, ...]
    costs: tuple[str, ...]
    output: str = ""
    labels: str = ""
    loss: str = ""
    axis: int = -1
    every: int = 0
    until_nonfinite: bool = True
    until_reached: bool = False


class Trace:
    """Watches a run; `result` has the costs as (step, value), step: the updates done before it was taken."""

    root: str = ""
    stop: Callable[[], None]

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.first_cost = watched.costs[0] if watched.costs else ""
        self.step = -1
        self.iterations = 0
        self.costs: list[tuple[int, float]] = []
        self.norms: dict[str, list[tuple[int, float]]] = {name: [] for name in watched.parameters}
        self.nonfinite: dict[str, Any] | None = None
        self.collected: dict[str, list[Any]] = {}
        self.before: dict[str, Any] = {}
        self.scores: list[tuple[int, str, float]] = []
        self.stride = watched.every or 1
        self.getters: list[tuple[str, Any, Any]] | None = None
        self.frame: Any = None
        self.parts = {"|".join(key.split("|")[:5]): key for key in (watched.output, watched.labels) if key}

    def at(self, file: str, line: int) -> None:
        return

    def see(self, key: str, value: Any) -> Any:
        if key == self.first_cost:
            try:
                number = float(value)
            except (TypeError, ValueError):
                number = float(np.asarray(value).reshape(-1)[0]) if np.size(value) == 1 else math.nan
            if len(self.costs) < MOST and self.step >= 0:
                self.costs.append((self.step, number))
            if self.nonfinite is None and not math.isfinite(number) and self.step >= 0:
                self.nonfinite = {"step": self.step, "iteration": self.step, "name": "cost"}
        if key in self.parts:
            if self.step < 0:
                self.before[key] = value
            else:
                kept = self.collected.setdefault(key, [])
                if len(kept) < COLLECTED:
                    kept.append(value)
        return value

    def begin(self, key: str) -> None:
        if key == self.watched.loop:
            self.iterations += 1
            if self.watched.until_reached and self.iterations % 25 == 0 and self._good():
                self.stop()
            self.collected = {}
        if key == self.watched.step:
            self.step += 1
            frame = sys._getframe(1)
            if frame is not self.frame or self.getters is None:
                self.frame, self.getters = frame, self._find(frame)
            self._look(frame)

    def leave(self, key: str) -> None:
        if key == self.watched.step and self.step >= 0:
            self.step += 1
            self._look(sys._getframe(1), last=True)
            self.step -= 0 if key == self.watched.loop else 1
            self.getters = None

    def _find(self, frame: Any) -> list[tuple[str, Any, Any]]:
        """For each parameter its name as code, which finds it in whatever dictionary is made again, and its place."""
        found: dict[str, Any] = {}
        for place, _ in places(frame, self.root):
            if place.name in self.norms and place.name not in found:
                found[place.name] = place
        return [(name, _compiled(name), place) for name, place in found.items()]

    def _look(self, frame: Any, last: bool = False) -> None:
        """The parameters at the beginning of a step: are they numbers, and now and then how large."""
        logged = last or self.step % self.stride == 0
        here, everywhere = frame.f_locals, frame.f_globals
        for name, code, place in self.getters or ():
            try:
                value = eval(code, everywhere, here) if code is not None else place.get()
            except Exception:
                try:
                    value = place.get()
                except (KeyError, IndexError, ValueError):
                    continue
            total = value if is_number(value) else float(np.asarray(value).sum())
            if not math.isfinite(total) and self.nonfinite is None:
                self.nonfinite = {"step": self.step, "iteration": self.step - 1, "name": name}
            if logged:
                norm = float(np.linalg.norm(value))
                if not self.norms[name] or self.norms[name][-1][0] != self.step:
                    self.norms[name].append((self.step, norm))
        if logged and not self.watched.every and self.norms and len(next(iter(self.norms.values()))) > ROWS:
            self.stride *= 2
            self.norms = {name: rows[::2] for name, rows in self.norms.items()}
        if self.nonfinite is not None and self.watched.until_nonfinite and self.nonfinite["name"] != "cost":
            self.stop()

    def result(self) -> dict[str, Any]:
        return {
            "costs": self.costs,
            "norms": self.norms,
            "steps": self.step,
            "iterations": self.iterations,
            "nonfinite": self.nonfinite,
            "score": self._score(),
        }

    def _good(self) -> bool:
        found = self._score()
        return found is not None and found["value"] >= goal(found) - 1e-12

    def _score(self) -> dict[str, Any] | None:
        """The score of the last iteration's outputs."""
        if not self.watched.output or not self.watched.labels:
            return None
        output, labels = self._value(self.watched.output), self._value(self.watched.labels)
        if output is None or labels is None:
            return None
        return score(output, labels, self.watched.loss, self.watched.axis)

    def _value(self, key: str) -> np.ndarray | None:
        if key.startswith("place|"):
            found = [
                value for place, value in places(self.frame, self.root) if place.name == key.removeprefix("place|")
            ]
            return np.asarray(found[0], dtype=float) if found else None
        parts = key.split("|")
        site, rest = "|".join(parts[:5]), parts[5:]
        kept = self.collected.get(site) or ([self.before[site]] if site in self.before else [])
        if not kept:
            return None
        if rest == ["all"]:
            value: Any = kept
        elif rest:
            value = [each[int(rest[0])] for each in kept if int(rest[0]) < len(each)][-1:]
            value = value[0] if value else None
        else:
            value = kept[-1]
        try:
            return np.asarray(value, dtype=float)
        except (ValueError, TypeError):
            return None


class Fault:
    """Watches for the first value that is no number, from a step on: where it is made, before it is handed on.

    Args:
        step: the loop; first: the step from which on every value is looked at; values that are no numbers one step
            before (a best cost so far that begins at inf) are left alone.
    """

    root: str = ""
    stop: Callable[[], None]

    def __init__(self, step: str, first: int) -> None:
        self.loop, self.first = step, first
        self.step = -1
        self.usual: set[str] = set()
        self.found: dict[str, Any] = {}

    def at(self, file: str, line: int) -> None:
        return

    def begin(self, key: str) -> None:
        if key == self.loop:
            self.step += 1
            if self.step > self.first + 3:
                self.stop()

    def leave(self, key: str) -> None:
        return

    def see(self, key: str, value: Any) -> Any:
        if self.step < self.first - 1 or _finite(value):
            return value
        if self.step < self.first:
            self.usual.add(key)
        elif key not in self.usual and not self.found:
            bad = np.isnan(np.asarray(value, dtype=float)).any()
            self.found = {"site": key, "step": self.step, "value": "nan" if bad else "inf"}
            self.stop()
        return value

    def result(self) -> dict[str, Any]:
        return self.found


def _compiled(name: str) -> Any:
    try:
        return compile(name, "<explain>", "eval")
    except SyntaxError:
        return None


def _finite(value: Any) -> bool:
    if is_number(value):
        return math.isfinite(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size:
        return bool(np.isfinite(value).all())
    if isinstance(value, (list, tuple)) and len(value) < 8:
        return all(_finite(each) for each in value)
    return True
