"""Where a run's record goes: what the configuration says, then MLflow's environment variables, then the default.

What our own yaml files say is no choice of the user's: there `tracking.experiment` and `tracking.run_name` are null.
`MLFLOW_TRACKING_URI` is asked by the configuration itself.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from runner.experiment.schema import ConfigError
from runner.nn.types import PositiveCount

EXPERIMENT = "runner"  # where nobody names another


@dataclass(frozen=True)
class Tracking:
    """Where the run's record goes, as was decided; `experiment_id` and `run_id` only MLflow's own variables name."""

    name: Literal["mlflow", "offline", "none"]
    uri: str
    experiment: str
    run_name: str | None
    tags: dict[str, str | bool | int | float]
    wait: bool
    register: str | None = None
    layers_every: int = 8
    experiment_id: str | None = None
    run_id: str | None = None


def tracking(
    name: Literal["mlflow", "offline", "none"],
    uri: str,
    experiment: str | None,
    run_name: str | None,
    tags: dict[str, str | bool | int | float],
    wait: bool,
    register: str | None = None,
    layers_every: PositiveCount = 8,
) -> None:
    """`tracking.*`."""


def decided(section: Mapping[str, Any]) -> Tracking:
    """`tracking.*` of a configuration, which has been checked, with what the environment says where that is silent."""
    experiment = section["experiment"] or _environment("EXPERIMENT_NAME")
    chosen = {
        "experiment": experiment or EXPERIMENT,
        "run_name": section["run_name"] or _environment("RUN_NAME"),
        "experiment_id": None if experiment else _environment("EXPERIMENT_ID"),
        "run_id": _environment("RUN_ID"),
    }
    return Tracking(**{**section, **chosen})


def refuse_run_id() -> None:
    """Raises ConfigError where `MLFLOW_RUN_ID` is set, in a command that makes many runs."""
    if given := _environment("RUN_ID"):
        raise ConfigError([f"MLFLOW_RUN_ID must not be set in a sweep: it is the id of one run. Got {given}."])


def _environment(name: str) -> str | None:
    return os.environ.get(f"MLFLOW_{name}") or None
