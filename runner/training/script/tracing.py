"""A script that was understood, run to its end: what it reaches, and where its first bad value is made."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner.training.script.execute import Outcome, Run, run_scripts
from runner.training.script.instrument import Site, Wanted
from runner.training.script.process import Limits
from runner.training.script.score import goal
from runner.training.script.source import Source
from runner.training.script.trace import Fault, Trace, Watched
from runner.training.script.understand import Understood


@dataclass(frozen=True)
class Traced:
    """A run of a script.

    Attributes:
        costs: (step, value); norms: of each parameter (step, norm); steps, iterations: how many there were.
        nonfinite: the first step with a value that is no number, {step, iteration, name}, or None.
        score: {kind, value, base, n} of the last outputs, None where they were not recognised.
        status: finished, raised, time and so on; problem: what it raised.
    """

    costs: list[tuple[int, float]] = field(default_factory=list)
    norms: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    steps: int = 0
    iterations: int = 0
    nonfinite: dict[str, Any] | None = None
    score: dict[str, Any] | None = None
    status: str = "gone"
    problem: str = ""
    seconds: float = 0.0

    @property
    def last(self) -> float:
        """The last cost."""
        return self.costs[-1][1] if self.costs else float("nan")

    @property
    def reached(self) -> bool | None:
        """Whether it got where it should, by its score; None where there is none."""
        if self.status not in ("finished", "time") or self.nonfinite is not None:
            return False
        return None if self.score is None else self.score["value"] >= goal(self.score) - 1e-12


@dataclass(frozen=True)
class FirstBad:
    """The first value that is no number: its step, site and whether it is inf or nan."""

    step: int
    site: Site
    value: str


def watched(understood: Understood, until_nonfinite: bool = True, every: int = 0) -> Watched:
    """What a trace of it looks at."""
    match = understood.match
    return Watched(
        understood.loop.key,
        understood.step.key,
        tuple(each.name for each in understood.parameters),
        tuple(each.key for each in understood.costs[:1]),
        match.output if match else "",
        match.labels if match else "",
        match.loss if match else "",
        match.axis if match else -1,
        every,
        until_nonfinite,
    )


def tracing(
    source: Source,
    understood: Understood,
    argv: tuple[str, ...],
    seed: int,
    limits: Limits,
    until_reached: bool = False,
) -> Run:
    """The run that a trace is taken of; with `until_reached` it ends where its score is good."""
    what = replace(watched(understood), until_reached=until_reached)
    parts = {"|".join(key.split("|")[:5]) for key in (what.output, what.labels) if key}
    wanted = Wanted(frozenset([what.loop, what.step]), frozenset(what.costs) | parts, False)
    return Run(source, lambda _: Trace(what), wanted, argv, seed, limits)


def traced(outcome: Outcome) -> Traced:
    """What a trace's run left."""
    seen = outcome.seen
    return Traced(
        [(int(step), float(value)) for step, value in seen.get("costs", [])],
        {name: [(int(step), float(value)) for step, value in rows] for name, rows in seen.get("norms", {}).items()},
        seen.get("steps", 0),
        seen.get("iterations", 0),
        seen.get("nonfinite"),
        seen.get("score"),
        outcome.status,
        outcome.problem,
        outcome.seconds,
    )


def first_bad(
    understood: Understood, run: Traced, argv: tuple[str, ...], seed: int, scratch: Path, limits: Limits
) -> FirstBad | None:
    """Run it again, and look at every value around the first step with one that is no number."""
    if run.nonfinite is None:
        return None
    first = max(0, int(run.nonfinite["iteration"]))
    wanted = Wanted(loops=frozenset([understood.step.key]), statements=False)
    again = Run(understood.source, lambda _: Fault(understood.step.key, first), wanted, argv, seed, limits)
    outcome = run_scripts([again], scratch)[0]
    if "site" not in outcome.seen:
        return None
    return FirstBad(outcome.seen["step"], outcome.sites[outcome.seen["site"]], outcome.seen["value"])
