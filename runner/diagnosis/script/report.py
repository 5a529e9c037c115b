"""What is known of a script when all has been run: the findings, the patch, the exit code."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.diagnosis.script.cures import Cure
from runner.diagnosis.script.edge import Edge
from runner.diagnosis.script.lines import Checked
from runner.diagnosis.script.mend import Mended
from runner.training.script.source import Source
from runner.training.script.tracing import FirstBad, Traced
from runner.training.script.understand import Understood


@dataclass(frozen=True)
class Finding:
    """A cause: its name, the line where it stands, a sentence, and what was run to show it.

    Attributes:
        diff: the patch; reached, of: on how many seeds it reaches the target.
    """

    cause: str
    line: int
    sentence: str
    diff: str = ""
    reached: int = 0
    of: int = 0

    def as_json(self) -> dict[str, Any]:
        cure = {"diff": self.diff, "reached": self.reached, "of": self.of} if self.diff else None
        return {"cause": self.cause, "line": self.line, "sentence": self.sentence, "cure": cure}


@dataclass
class Report:
    """What is said of a script.

    Attributes:
        path: the file; problem: why it could not be looked at, "" where it could.
        understood: what it does; checked: its gradients; run: what it reaches; bad: its first value that is no number.
        mended: the line that makes the gradients right; findings: causes, each with its cure where one was run.
        cure: the patch as a whole; edge: the rate, where it is at the edge of what is stable;
        not_tried: what there was no time for.
    """

    path: Path
    problem: str = ""
    source: Source | None = None
    understood: Understood | None = None
    checked: Checked = field(default_factory=Checked)
    run: Traced | None = None
    bad: FirstBad | None = None
    mended: Mended | None = None
    cure: Cure | None = None
    edge: Edge | None = None
    findings: list[Finding] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def wrong(self) -> bool:
        """Whether something is wrong: a gradient, a value that is no number, a target that is missed, an exception."""
        if self.run is None or self.checked.ok is False:
            return True
        missed = self.run.reached is False and self.run.status != "time"
        return missed or self.run.status == "raised" or self.run.nonfinite is not None

    @property
    def patched(self) -> str | None:
        """The text with the patch: the cure's, else with the corrected line; None where there is none."""
        if self.cure is not None:
            return self.cure.text
        return (
            self.source.edited(self.mended.edits).text if self.mended is not None and self.source is not None else None
        )

    @property
    def diff(self) -> str:
        """The patch as a unified diff."""
        if self.cure is not None:
            return self.cure.diff
        return (
            self.source.diff(self.source.edited(self.mended.edits)) if self.mended is not None and self.source else ""
        )

    @property
    def code(self) -> int:
        """The exit code: 0 right, 1 something wrong, 2 it could not be looked at."""
        return 2 if self.problem else int(self.wrong)
