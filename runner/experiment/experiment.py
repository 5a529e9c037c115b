"""An `Experiment`: a run, checked and ready, and what is configured beside its training. build.py makes it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from datasets import Dataset, survey
from runner.diagnosis.case import met
from runner.experiment.compose import Composed
from runner.experiment.identity import NOT_DECISIVE, NOT_SHARED, code_digest, data_digest
from runner.experiment.objectives import Objective
from runner.experiment.samplers import SearchOptions
from runner.experiment.tracking import Tracking
from runner.nn.types import Count, Positive, PositiveCount
from runner.training.compiled import engine
from runner.training.kinds import kind_of
from runner.training.recipe import Recipe


class Target(NamedTuple):
    """What a run must reach to count as a success: `metric` at most (a cost) or at least (a score) `value`.

    `above` is a score and what a constant answer gets of it: not to be above that is no success, whatever the cost.
    """

    metric: str
    value: float
    above: tuple[str, float] | None = None

    def reached(self, values: Mapping[str, float]) -> bool:
        return met(self.metric, self.value, self.above, values)


@dataclass(frozen=True)
class SweepOptions:
    """How the jobs of a sweep are run."""

    skip_done: bool
    fail_fast: bool
    dry_run: bool
    artifacts: Literal["best", "all", "none"]
    backend: Literal["auto", "serial", "loky", "ray"] = "auto"
    workers: PositiveCount | None = None
    address: str | None = None
    exclude: str | None = None
    file: str | None = None


@dataclass(frozen=True)
class DiagnosisOptions:
    """Whether and how a failed run is diagnosed."""

    name: Literal["default", "none"]
    causes: list[str]
    most: Count
    cure: bool
    seeds: PositiveCount
    check_gradients: bool | Literal["auto"]
    seconds: Positive | Literal["auto"] = "auto"


@dataclass(frozen=True)
class Experiment:
    """A run, checked and ready: `config` as composed and resolved, the data, and the `recipe` for train()."""

    config: dict[str, Any]
    overrides: tuple[str, ...]
    dataset: Dataset
    recipe: Recipe
    target: Target
    tracking: Tracking
    sweep: SweepOptions
    diagnosis: DiagnosisOptions
    activation: str
    output: str
    loss: str
    constant_cost: float
    objectives: tuple[Objective, ...]  # the first is the plan's
    search: SearchOptions | None
    labels: np.ndarray  # what a single output is trained towards, one a class; empty for softmax and regressions
    plots: bool = True
    progress: bool = True
    composed: Composed | None = None

    @property
    def notes(self) -> list[str]:
        """What the user should be told of the composition and the data."""
        composed = self.composed.notes if self.composed else []
        asked = self.config["training"].get("engine", "numpy")  # without the key: of before there was a choice
        return [*composed, *survey.warnings(self.dataset), *engine.notes(asked, self.recipe)]

    @property
    def data_digest(self) -> str:
        return data_digest(self.dataset)

    def key(self) -> str:
        """A digest of what decides the result: the configuration without where it is recorded, the data, the code."""
        decisive = {key: value for key, value in self.config.items() if key not in NOT_DECISIVE}
        sources = code_digest() + kind_of(self.recipe).digest + self.recipe.engine
        text = json.dumps(decisive, sort_keys=True, default=str) + self.data_digest + sources
        return hashlib.sha256(text.encode()).hexdigest()

    def stack_key(self) -> str:
        """Runs with the same key train as one stack: they differ in nothing but what a stack keeps in columns."""
        alike = {key: value for key, value in self.config.items() if key not in NOT_SHARED}
        alike["optimizer"] = {
            key: "a number" if isinstance(value, float | int) else value for key, value in alike["optimizer"].items()
        }
        alike["architecture"] = {
            key: value for key, value in alike["architecture"].items() if key not in ("l2", "dropout")
        }
        alike["training"] = {key: value for key, value in alike["training"].items() if key != "target"}
        if kind_of(self.recipe).shares_order:
            alike["seed"] = self.recipe.seed
        regularised = bool(self.recipe.l2), bool(self.recipe.dropout)
        return json.dumps([alike, self.data_digest, regularised], sort_keys=True, default=str)
