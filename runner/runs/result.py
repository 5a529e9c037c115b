"""What is known of a run: `Result`."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.experiment.experiment import Experiment
from runner.nn.scores import renamed
from runner.runs.files import (
    SUMMARY,
)
from runner.runs.journal import read
from runner.training.nonfinite import NonFinite
from runner.training.train import Status


@dataclass
class Result:
    """What is known of a run: while it trains, at its end, and when it is read back.

    `last` and `best` hold what the rows said, by metric; `curve` the training cost of each row; `status` is None until
    the end; `step` is -1 before the first row. `skipped` says that the run was made earlier.
    """

    experiment: Experiment
    directory: Path
    name: str
    status: Status | None = None
    step: int = -1
    last: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    curve: list[float] = field(default_factory=list)
    nonfinite: NonFinite | None = None
    target_reached: bool = False
    error: str | None = None
    seconds: float = 0.0
    skipped: bool = False
    findings: list[dict[str, Any]] = field(default_factory=list)
    by_class: dict[str, dict[str, Any]] = field(default_factory=dict)  # where classes are unequal: runs.by_class

    @classmethod
    def read(cls, experiment: Experiment, directory: Path, name: str) -> "Result":
        """The result of a run that has ended, from its directory."""
        result = cls(experiment, directory, name, skipped=True)
        for line, _ in read(directory):
            if line["kind"] == "row":
                result.remember(line["step"], renamed(line["values"], experiment.recipe.scored))
        summary = json.loads((directory / SUMMARY).read_text())
        bad = summary["first_nonfinite"]
        result.nonfinite = NonFinite(**bad) if bad else None
        result.status, result.error = summary["status"], summary["error"]
        result.target_reached = summary["target"]["reached"]
        result.findings, result.by_class = summary["findings"], summary.get("by_class", {})
        return result

    @property
    def failed(self) -> bool:
        return self.status in ("diverged", "error")

    @property
    def objective(self) -> float:
        """The last value of what the run is ranked by; NaN where there is none."""
        return self.last.get(self.experiment.recipe.plan.objective, math.nan)

    def remember(self, step: int, values: Mapping[str, float]) -> None:
        """Take in a row."""
        self.step = step
        self.last.update(values)
        for name in self.experiment.recipe.sets:
            cost, score = f"{name}/cost", f"{name}/{self.experiment.recipe.scored}"
            if math.isfinite(values.get(cost, math.nan)):  # a script may compute it now and then
                self.best[cost] = min(self.best.get(cost, math.inf), values[cost])
            if math.isfinite(values.get(score, math.nan)):
                self.best[score] = max(self.best.get(score, -math.inf), values[score])
        if "train/cost" in values:
            self.curve.append(values["train/cost"])
