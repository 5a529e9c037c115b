"""What runs are called: what they differ in from the defaults, or from each other."""

from collections.abc import Sequence
from typing import Any

from runner.experiment.experiment import Experiment

REPEATS = ("seed", "dataset.fold")  # runs that differ in these alone are one setting, made more than once


def run_name(experiment: Experiment) -> str:
    """What the run differs in from the defaults, short: `xor hidden=[4] he_normal lr=0.01 seed=3`."""
    if experiment.tracking.run_name:
        return experiment.tracking.run_name
    return with_fault(short_name(experiment.overrides) or experiment.dataset.name, experiment)


def with_fault(name: str, experiment: Experiment) -> str:
    """A run's name, and the fault where it has one that the name does not say."""
    fault = experiment.config["fault"]["name"]
    return name if fault == "none" or f"fault={fault}" in name.split() else f"{name[:200]} fault={fault}"


def _brief(value: str) -> str:
    """A number without the digits that only its type asks for: 1000000000.0 is 1e+09; text without Hydra's escapes."""
    value = value.replace("\\", "")
    try:
        return value if value.lstrip("-").isdigit() else f"{float(value):.6g}"
    except ValueError:
        return value


def short_name(overrides: Any) -> str:
    words = []
    for override in overrides:
        key, _, value = override.lstrip("+").partition("=")
        if key.startswith(("hydra", "tracking", "plots", "progress", "dataset.sha256", "~")):
            continue
        words.append(value if key == "experiment" else f"{key.split('.')[-1]}={_brief(value)}")
    return " ".join(words)[:250]


def what_differs(overrides: Sequence[Sequence[str]]) -> list[str]:
    """A name for each job: the overrides that are not the same in all of them.

    >>> what_differs([["dataset=xor", "seed=0"], ["dataset=xor", "seed=1"]])
    ['seed=0', 'seed=1']
    """
    same = set.intersection(*(set(job) for job in overrides))
    return [short_name(item for item in job if item not in same) or short_name(job) or "run" for job in overrides]
