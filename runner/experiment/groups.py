"""What a configuration may say: the groups and their modules, the other keys, and everything that is wrong with one.

All of it is said without looking at the data: the groups' names, types and bounds are their functions' signatures.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from runner.diagnosis import causes, dynamics, settings
from runner.experiment.data import (
    dataset_problems,
    stream_problems,
)
from runner.experiment.experiment import DiagnosisOptions, SweepOptions
from runner.experiment.objectives import objective
from runner.experiment.samplers import search_problems
from runner.experiment.schema import options, show, suggest, validate
from runner.experiment.tracking import tracking
from runner.nn import activations, architectures, faults, initializers, losses, optimizers, schedules
from runner.nn.types import PositiveCount
from runner.training.compiled.engine import Asked
from runner.training.compiled.engine import problems as engine_problems

MODULES = {
    "architecture": (architectures, "Architecture"),
    "init": (initializers, "Initializer"),
    "optimizer": (optimizers, "Optimizer"),
    "schedule": (schedules, "Schedule"),
    "fault": (faults, "Fault"),
}


# The schemas of what is not a group of functions: each is a signature, read like all others.
def general(
    seed: Annotated[int, Ge(0), Le(2**32 - 1)],
    rng: Literal["default", "legacy"],
    dtype: Literal["float64", "float32"],
    allow_unreachable_labels: bool,
    plots: bool,
    progress: bool,
    resume: str | None,
) -> None:
    """The keys at the top of the configuration."""


def training(
    iterations: PositiveCount,
    epochs: PositiveCount | None,
    batch_size: PositiveCount | None,
    log_every: PositiveCount | Literal["auto"],
    checkpoint_every: PositiveCount | None,
    patience: PositiveCount | None,
    target: dict[str, Any] | None,
    shrink: bool,
    engine: Asked = "numpy",
) -> None:
    """`training.*`."""


def target(metric: str, value: float) -> None:
    """`training.target`."""


def problems_of(plain: dict[str, Any]) -> list[str]:
    """Everything that can be said of the configuration without looking at the data."""
    sections = {*MODULES, "dataset", "training", "objective", "tracking", "sweep", "search", "diagnosis", "experiment"}
    problems = []
    sections |= {"script"}  # whose problems are told where it is read
    for section in sections - {"experiment", "script"}:
        if not isinstance(plain.get(section), dict):
            problems.append(f"{section} must be a group's option or a mapping of keys. Got {show(plain.get(section))}.")
    if problems:
        return problems
    top = {key: value for key, value in plain.items() if key not in sections}
    problems += validate(general, top, "", name="the configuration")
    if plain.get("resume"):
        problems.append("resume takes one run: python -m runner resume=DIRECTORY, without -m.")
    problems += dataset_problems(plain["dataset"])
    problems += stream_problems(plain)
    for group in MODULES:
        problems += _group_problems(group, plain[group])
    problems += validate(training, plain["training"], "training", name="training")
    problems += engine_problems(plain["training"].get("engine"))
    if isinstance(plain["training"].get("target"), dict):
        problems += validate(target, plain["training"]["target"], "training.target", name="training.target")
    problems += validate(objective, plain["objective"], "objective", name="objective")
    problems += validate(tracking, plain["tracking"], "tracking", name="tracking")
    name = plain["tracking"].get("register")
    if isinstance(name, str) and (not name.strip(". ") or set(name) & set("/:'\"")):
        problems.append(f"tracking.register must be a name without slashes, colons and quotes. Got {show(name)}.")
    problems += validate(SweepOptions, plain["sweep"], "sweep", name="sweep")
    problems += _diagnosis_problems(plain["diagnosis"])
    problems += search_problems(plain["search"])
    architecture = plain["architecture"]
    problems += _names(architecture, "activation", options(activations, "Activation"))
    problems += _names(architecture, "loss", ["auto", *options(losses, "Head")])
    problems += _names(architecture, "output", ["auto", *losses.OUTPUTS])
    if architecture.get("epsilon") and architecture.get("loss") != "cross_entropy_from_probabilities":
        problems.append(
            "architecture.epsilon is the epsilon of loss cross_entropy_from_probabilities; "
            f"architecture.loss={architecture.get('loss')} has none."
        )
    return problems


def _diagnosis_problems(section: dict[str, Any]) -> list[str]:
    known = {**options(causes, "Verdict"), **options(dynamics, "Verdict"), **options(settings, "Verdict")}
    problems = validate(DiagnosisOptions, section, "diagnosis", name="diagnosis")
    for name in [] if problems else section["causes"]:
        if name not in known:
            problems.append(f"diagnosis.causes: there is no cause {show(name)}." + suggest(name, known))
    return problems


def _names(section: dict[str, Any], key: str, names: Any) -> list[str]:
    value = section.get(key, next(iter(names)))
    if value in list(names) or not isinstance(value, str):
        return []
    message = f"architecture.{key} must be one of {', '.join(names)}. Got {show(value)}."
    return [message + suggest(value, names)]


def _group_problems(group: str, section: dict[str, Any]) -> list[str]:
    module, result = MODULES[group]
    known = options(module, result)
    name = section.get("name")
    if name not in known:
        return [f"{group}.name must be one of {', '.join(known)}. Got {show(name)}." + suggest(name, known)]
    arguments = {key: value for key, value in section.items() if key != "name"}
    return validate(known[name], arguments, group)


def function(group: str, name: str) -> Callable[..., Any]:
    module, result = MODULES[group]
    return options(module, result)[name]


def call(group: str, section: dict[str, Any]) -> Any:
    return function(group, section["name"])(**{key: value for key, value in section.items() if key != "name"})
