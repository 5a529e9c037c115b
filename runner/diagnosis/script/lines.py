"""The line check of a script: one iteration of its own loop, traced where it stands."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.diagnosis.script.watch import LineWatch, Where
from runner.training.script.execute import Outcome, Run, run_scripts
from runner.training.script.instrument import Wanted
from runner.training.script.process import Limits
from runner.training.script.source import Source
from runner.training.script.understand import Understood

ONE_BY_ONE = 200  # a site that fires so often in an iteration is in a loop over rows
ROWS = 40  # as many rows are enough there


@dataclass(frozen=True)
class Checked:
    """What the line check found: `seen` is the record of the iteration; {} where it could not be followed."""

    seen: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def ok(self) -> bool | None:
        """Right, wrong, or not known."""
        return self.seen.get("ok")

    @property
    def place(self) -> dict[str, Any] | None:
        """Where the first mistake is."""
        if self.ok is not False:
            return None
        if self.seen["constant"] and all(each["right"] for each in self.seen["arrays"]):
            return next(iter(self.seen["constant"].values()))
        lines = list(self.seen["sign_lines"].values())
        first = self.seen["suspects"][0] if self.seen["suspects"] else None
        if lines and (
            first is None
            or not [
                each
                for each in self.seen["arrays"]
                if not each["right"] and each["name"] not in self.seen["signs_wrong"]
            ]
        ):
            return lines[0]
        proof = self.seen["proof"]
        sure = first is not None and first["why"] in ("no adjoint", "factor")
        return proof if proof is not None and not sure else first


def check(understood: Understood, argv: tuple[str, ...], scratch: Path, seconds: float) -> Checked:
    """Trace one iteration, at parameters moved away from where the script starts."""
    return check_source(understood.source, understood, argv, scratch, seconds)


def check_source(
    source: Source, understood: Understood, argv: tuple[str, ...], scratch: Path, seconds: float
) -> Checked:
    """The same of an edited source."""
    last = Checked()
    for spread, whole, fewer in _ways(understood):
        outcome = run_scripts([watching(source, understood, argv, (spread, whole, fewer), seconds)], scratch)[0]
        last = Checked(outcome.seen, _problem(outcome))
        if last.ok is not None:
            return last
    return last


def _ways(understood: Understood) -> list[tuple[float, bool, bool]]:
    """How an iteration is looked at, the best first: (spread, arrays of whole numbers too, fewer rows)."""
    one_by_one = max(understood.counts.values(), default=0) > ONE_BY_ONE
    ways = [(spread, whole, False) for spread, whole in ((1.0, True), (1.0, False), (0.1, True), (0.0, False))]
    return [(1.0, True, True), *ways] if one_by_one and understood.labels is not None else ways


def watching(
    source: Source,
    understood: Understood,
    argv: tuple[str, ...],
    way: tuple[float, bool, bool],
    seconds: float,
    quick: bool = False,
) -> Run:
    """The run that traces an iteration; `quick`: only whether it is right."""
    spread, whole, fewer = way
    rows = max(understood.labels.shape, default=0) if understood.labels is not None and fewer else 0
    inner = understood.step.key != understood.loop.key
    where = Where(
        understood.step.key,
        2 if inner else understood.iteration,
        tuple(each.name for each in understood.parameters),
        understood.state,
        tuple(each.key for each in understood.costs),
        tuple(each.key for each in understood.others),
        understood.match,
        spread,
        whole,
        (rows, max(1, rows // ROWS)),
        quick,
    )
    wanted = Wanted(loops=frozenset([understood.step.key]), statements=False)
    return Run(source, lambda place: LineWatch(where), wanted, argv, limits=Limits(seconds=seconds))


def _problem(outcome: Outcome) -> str:
    return "" if outcome.status == "finished" else f"{outcome.status} {outcome.problem}".strip()
