"""A script that is run as an experiment: its options put in, understood once, its arrays known before it runs."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from runner.training.script.copies import scratch
from runner.training.script.execute import Outcome, Run, run_scripts
from runner.training.script.instrument import Wanted
from runner.training.script.options import seeded, with_options
from runner.training.script.process import Limits
from runner.training.script.source import ScriptProblem, Source, read
from runner.training.script.trace import Trace
from runner.training.script.tracing import watched
from runner.training.script.understand import Told, Understood, understand

Layout = tuple[tuple[str, tuple[int, ...]], ...]
SECONDS = 60.0  # to understand a script in
LONG = 30 * 86400.0  # s: a script as an experiment ends by itself
WIDE = 1 << 50  # bytes: so does what it holds


@dataclass(frozen=True)
class Program:
    """A script to run: its source with its options in it, what it does, and its arrays' shapes.

    Attributes:
        layout: name and shape of each array that it trains; digest: of its source and of the modules beside it.
        seeds: the lines on which it seeds generators itself; score: {kind, value, base, n} of its first outputs.
    """

    source: Source
    understood: Understood
    argv: tuple[str, ...]
    layout: Layout
    digest: str
    seeds: tuple[int, ...]
    score: dict[str, Any] | None

    @property
    def name(self) -> str:
        return self.source.path.name

    def run(self, seed: int, every: int) -> dict[str, Any]:
        """Run it to its end; what its trace saw. Raises ScriptProblem where it does not come to its end."""
        what = watched(self.understood, until_nonfinite=False, every=every)
        return _ran(self.source, self.understood, lambda: Whole(what), self.argv, seed).seen


class Whole(Trace):
    """A trace that keeps the arrays as they are at the end."""

    final: dict[str, Any]

    def _look(self, frame: Any, last: bool = False) -> None:
        super()._look(frame, last)
        if last:
            self.final = {}
            for name, code, place in self.getters or ():
                value = eval(code, frame.f_globals, frame.f_locals) if code is not None else place.get()
                self.final[name] = np.asarray(value, dtype=float).tolist()

    def result(self) -> dict[str, Any]:
        return {**super().result(), "final": getattr(self, "final", {})}


class First(Trace):
    """Ends after the first step, with the shapes of what is trained and the score of the outputs."""

    shapes: dict[str, list[int]] | None = None

    def begin(self, key: str) -> None:
        if key == self.watched.step and self.step >= 0:
            self.stop()
        super().begin(key)

    def _look(self, frame: Any, last: bool = False) -> None:
        self.shapes = {name: list(np.shape(place.get())) for name, _, place in self.getters or ()}

    def result(self) -> dict[str, Any]:
        return {"shapes": self.shapes, "score": self._score()}


def _ran(
    source: Source, understood: Understood, make: Callable[[], Trace], argv: tuple[str, ...], seed: int
) -> Outcome:
    what = watched(understood)
    parts = {"|".join(key.split("|")[:5]) for key in (what.output, what.labels) if key}
    wanted = Wanted(frozenset([what.loop, what.step]), frozenset(what.costs) | parts, False)
    limits = Limits(LONG, WIDE, 1 << 20)
    place = scratch()
    try:
        outcome = run_scripts([Run(source, lambda _: make(), wanted, argv, seed, limits)], place)[0]
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if outcome.status != "finished":
        line = f", line {outcome.traceback[-1][1]}" if outcome.traceback else ""
        raise ScriptProblem(f"{source.path.name}{line}: {outcome.problem or outcome.status}")
    return outcome


def program(path: str, options: dict[str, Any], argv: Sequence[str]) -> Program:
    """The script at `path` with these options. Raises ScriptProblem: there is none, it does not run, nothing trains."""
    source = read(Path(path).expanduser())
    changed = with_options(source, options)
    understood = _understood(source, tuple(argv))
    if understood.cost is None:
        raise ScriptProblem(f"script.path={path}: it computes no cost in its loop, and a run is its costs.")
    digest = hashlib.sha256(changed.text.encode())
    for beside in sorted(source.path.resolve().parent.glob("*.py")):
        if beside.stem in source.text and beside.name != source.path.name:
            digest.update(beside.read_bytes())
    layout, score = _first(source, changed, tuple(argv))
    return Program(changed, understood, tuple(argv), layout, digest.hexdigest(), tuple(seeded(source)), score)


@lru_cache(maxsize=32)
def _understood(source: Source, argv: tuple[str, ...]) -> Understood:
    place = scratch()
    try:
        return understand(source, Told(argv=argv), place, SECONDS)
    finally:
        shutil.rmtree(place, ignore_errors=True)


@lru_cache(maxsize=256)
def _first(source: Source, changed: Source, argv: tuple[str, ...]) -> tuple[Layout, dict[str, Any] | None]:
    """The shapes of what the changed source trains, and what its outputs are scored by."""
    understood = _understood(source, argv)
    seen = _ran(changed, understood, lambda: First(watched(understood)), argv, 0).seen
    if not seen.get("shapes"):
        raise ScriptProblem(f"{source.path.name}: it ends before its first step.")
    return tuple((name, tuple(shape)) for name, shape in seen["shapes"].items()), seen["score"]
