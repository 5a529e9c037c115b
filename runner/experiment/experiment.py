"""Configuration in, a validated `Experiment` out: the only place where names in a configuration become functions.

A configuration names a function of the group's one module and gives its arguments; nothing else in it is ever called.
Every mistake in names, types, bounds, data, and in what goes with what is collected before anything is trained or
written.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Le
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from datasets import Dataset, survey
from runner.diagnosis import causes, dynamics
from runner.experiment.compose import Composed, Composer
from runner.experiment.data import (
    Streamed,
    dataset_problems,
    label_values,
    load,
    score_of,
    sets_of,
    source_of,
    stream_problems,
)
from runner.experiment.identity import NOT_DECISIVE, NOT_SHARED, code_digest, data_digest
from runner.experiment.objectives import Objective, no_metric, objective, objectives
from runner.experiment.samplers import SearchOptions, search_options, search_problems
from runner.experiment.schema import ConfigError, options, show, suggest, validate
from runner.nn import activations, architectures, faults, initializers, losses, optimizers, schedules
from runner.nn.architectures import Architecture
from runner.nn.types import Count, PositiveCount
from runner.training.own.network import NetworkProblem
from runner.training.own.parts import parts_of, widths_of
from runner.training.own.probe import examined, own_fault_problems, own_metrics, trial
from runner.training.recipe import Data, OwnSource, Plan, Recipe
from runner.training.stack import metric_keys

MODULES = {
    "architecture": (architectures, "Architecture"),
    "init": (initializers, "Initializer"),
    "optimizer": (optimizers, "Optimizer"),
    "schedule": (schedules, "Schedule"),
    "fault": (faults, "Fault"),
}
ROWS = 200  # about so many rows a run, where training.log_every is auto


class Target(NamedTuple):
    """What a run must reach to count as a success: `metric` at most (a cost) or at least (a score) `value`."""

    metric: str
    value: float

    def reached(self, values: Mapping[str, float]) -> bool:
        value = values.get(self.metric, float("nan"))
        return bool(value <= self.value if self.metric.endswith("/cost") else value >= self.value)


@dataclass(frozen=True)
class Tracking:
    """Where the run's record goes."""

    name: Literal["mlflow", "offline", "none"]
    uri: str
    experiment: str
    run_name: str | None
    tags: dict[str, str]
    wait: bool
    register: str | None = None


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


@dataclass(frozen=True)
class DiagnosisOptions:
    """Whether and how a failed run is diagnosed."""

    name: Literal["default", "none"]
    causes: list[str]
    most: Count
    cure: bool
    seeds: PositiveCount
    check_gradients: bool


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
        return [*(self.composed.notes if self.composed else []), *survey.warnings(self.dataset)]

    @property
    def data_digest(self) -> str:
        return data_digest(self.dataset)

    def key(self) -> str:
        """A digest of what decides the result: the configuration without where it is recorded, the data, the code."""
        decisive = {key: value for key, value in self.config.items() if key not in NOT_DECISIVE}
        theirs = self.recipe.own.digest if self.recipe.own else ""
        text = json.dumps(decisive, sort_keys=True, default=str) + self.data_digest + code_digest() + theirs
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
        if self.recipe.source is not None:
            alike["seed"] = self.recipe.seed  # the members of a stack share the order in which rows are read
        regularised = bool(self.recipe.l2), bool(self.recipe.dropout)
        return json.dumps([alike, self.data_digest, regularised], sort_keys=True, default=str)


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
) -> None:
    """`training.*`."""


def target(metric: str, value: float) -> None:
    """`training.target`."""


def compose(overrides: Sequence[str] = (), config_dir: str | None = None) -> Experiment:
    """The experiment that `python -m runner OVERRIDES` would run.

    Raises ConfigError with every mistake at once, and DataError's message among them.

    >>> compose(["dataset=xor", "architecture.hidden=[3]"]).recipe.widths
    (2, 3, 1)
    """
    return compose_with(Composer(config_dir), overrides)


def compose_with(composer: Composer, overrides: Sequence[str]) -> Experiment:
    """`compose`, for many jobs over the same files."""
    try:
        found = composer.compose(overrides)
    except ConfigError as error:
        raise ConfigError(error.problems + _further_problems(composer, error.good)) from error
    return replace(build(found.config, found.overrides), composed=found)


def _further_problems(composer: Composer, overrides: Sequence[str]) -> list[str]:
    """What else is wrong, where the overrides that do not compose are left out."""
    try:
        build(composer.compose(overrides).config)
    except ConfigError as error:
        return error.problems
    return []


def build(config: DictConfig, overrides: Sequence[str] = ()) -> Experiment:
    """Validate a composed configuration and make everything that it names.

    Raises ConfigError: names, types, bounds, data files, and parts that do not go together, all at once.
    """
    return build_plain(_resolved(config), overrides)


def build_plain(plain: dict[str, Any], overrides: Sequence[str] = (), dataset: Dataset | None = None) -> Experiment:
    """`build`, for a configuration that is resolved already: nothing in it is interpolated.

    `dataset` is what it names, where that has been loaded already, perhaps on another machine.
    """
    problems = _problems(plain)
    if dataset is None:
        dataset = None if any(p.startswith("dataset") for p in problems) else load(plain["dataset"], problems)
    if problems or dataset is None:
        raise ConfigError(problems)
    architecture: Architecture = _call("architecture", plain["architecture"])
    output, loss = _head(architecture, dataset, problems)
    if not problems:
        _check_labels(plain, architecture, dataset, output, problems)
    if problems:
        raise ConfigError(problems)
    sets, labels = sets_of(dataset, output, plain["dtype"])
    source = source_of(dataset, output, plain["dtype"], labels)
    theirs, hidden = _own(plain, architecture, dataset, sets, overrides, problems)
    metrics = _metrics(plain, sets) if theirs is None else own_metrics(theirs, sets)
    ranked_by = objectives(plain["objective"], metrics, problems)
    plan, goal, constant = _plan(plain, sets, source, loss, output, ranked_by[0], metrics, problems)
    fault: faults.Fault = _call("fault", plain["fault"])
    outputs = sets["train"].Y.shape[1]
    if theirs is not None:
        problems += own_fault_problems(fault, plain["fault"]["name"], theirs.options)
    else:
        _check_fault(fault, plain, architecture, (dataset.n_features, outputs), (output, loss), problems)
    if problems:
        raise ConfigError(problems)
    optimizer_arguments = {key: value for key, value in plain["optimizer"].items() if key != "name"}
    if fault.arguments:
        optimizer_arguments = fault.arguments(optimizer_arguments)
    if fault.architecture:
        architecture = fault.architecture(architecture)
    recipe = Recipe(
        sets=faulty_sets(dataset, output, plain["dtype"], json.dumps(plain["fault"])) if fault.sets else sets,
        widths=(dataset.n_features, *(hidden or architecture.hidden), outputs),
        activation=options(activations, "Activation")[architecture.activation](),
        head=options(losses, "Head")[loss](output, architecture.epsilon),
        score=score_of(dataset, output, labels),
        optimizer=_function("optimizer", plain["optimizer"]["name"]),
        schedule=_call("schedule", plain["schedule"]),
        plan=plan,
        initializer=_call("init", plain["init"]),
        fault=fault,
        optimizer_arguments=optimizer_arguments,
        l2=float(architecture.l2),
        dropout=float(architecture.dropout),
        seed=plain["seed"],
        rng=plain["rng"],
        dtype=plain["dtype"],
        source=source,
        own=theirs,
    )
    if theirs is not None:
        loss, constant, goal = "its own cost", float("nan"), _own_goal(recipe, plain, goal)
    return Experiment(
        config=plain,
        overrides=tuple(overrides),
        dataset=dataset,
        recipe=recipe,
        target=goal,
        tracking=Tracking(**plain["tracking"]),
        sweep=SweepOptions(**plain["sweep"]),
        diagnosis=DiagnosisOptions(**plain["diagnosis"]),
        activation=architecture.activation,
        output=output,
        loss=loss,
        constant_cost=constant,
        objectives=ranked_by,
        search=search_options(plain["search"]),
        labels=labels,
        plots=plain["plots"],
        progress=plain["progress"],
    )


def _own(
    plain: dict[str, Any],
    architecture: Architecture,
    dataset: Dataset,
    sets: dict[str, Data],
    overrides: Sequence[str],
    problems: list[str],
) -> tuple[OwnSource | None, tuple[int, ...]]:
    """The network of the user's own, where it is one, and the widths of its hidden layers where they can be told."""
    if architecture.own is None:
        return None, ()
    if dataset.stream is not None:
        problems.append("architecture=own needs the rows in memory, and dataset.stream=true leaves them in their file.")
    problems += [
        f"{text}: a network of your own draws its weights itself; architecture=own has no init."
        for text in overrides
        if text.lstrip("+").startswith(("init=", "init."))
    ]
    if problems:
        raise ConfigError(problems)
    classes = 0 if dataset.classes is None else len(dataset.classes)
    try:
        found = examined(architecture.own, sets, classes, plain["seed"], plain["dtype"])
    except NetworkProblem as error:
        raise ConfigError([*problems, *error.problems]) from error
    ends = dataset.n_features, sets["train"].Y.shape[1]
    widths = widths_of(parts_of(found.layout, *ends), *ends) or ends
    return found, widths[1:-1] if (widths[0], widths[-1]) == ends else ()


def _own_goal(recipe: Recipe, plain: dict[str, Any], goal: Target) -> Target:
    """Try the network on its data; the target, where none is configured, is half of what it costs untrained."""
    try:
        untrained = trial(recipe)
    except NetworkProblem as error:
        raise ConfigError(error.problems) from error
    return Target("train/cost", untrained / 2) if plain["training"]["target"] is None else goal


def _resolved(config: DictConfig) -> dict[str, Any]:
    try:
        plain = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError([" ".join(str(error).split())]) from error
    return _without_missing(plain)


def _without_missing(node: Any) -> Any:
    """A key that is `???` is left out: whoever needs it says so, in its own words."""
    if isinstance(node, dict):
        return {str(key): _without_missing(value) for key, value in node.items() if value != "???"}
    return node


def _problems(plain: dict[str, Any]) -> list[str]:
    """Everything that can be said of the configuration without looking at the data."""
    sections = {*MODULES, "dataset", "training", "objective", "tracking", "sweep", "search", "diagnosis", "experiment"}
    problems = []
    for section in sections - {"experiment"}:
        if not isinstance(plain.get(section), dict):
            problems.append(f"{section} must be a group's option or a mapping of keys. Got {show(plain.get(section))}.")
    if problems:
        return problems
    top = {key: value for key, value in plain.items() if key not in sections}
    problems += validate(general, top, "", name="the configuration")
    if plain.get("resume"):
        problems.append("resume goes on with one run: python -m runner resume=DIRECTORY, without -m.")
    problems += dataset_problems(plain["dataset"])
    problems += stream_problems(plain)
    for group in MODULES:
        problems += _group_problems(group, plain[group])
    problems += validate(training, plain["training"], "training", name="training")
    if isinstance(plain["training"].get("target"), dict):
        problems += validate(target, plain["training"]["target"], "training.target", name="training.target")
    problems += validate(objective, plain["objective"], "objective", name="objective")
    problems += validate(Tracking, plain["tracking"], "tracking", name="tracking")
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
    known = {**options(causes, "Verdict"), **options(dynamics, "Verdict")}
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


def _function(group: str, name: str) -> Callable[..., Any]:
    module, result = MODULES[group]
    return options(module, result)[name]


def _call(group: str, section: dict[str, Any]) -> Any:
    return _function(group, section["name"])(**{key: value for key, value in section.items() if key != "name"})


def _head(architecture: Architecture, dataset: Dataset, problems: list[str]) -> tuple[str, str]:
    """The output function and the loss, `auto` filled in from the labels."""
    output, loss = architecture.output, architecture.loss
    if output == "auto" and dataset.classes is None:
        output = "identity"
    elif output == "auto":
        output = "sigmoid" if len(dataset.classes or ()) == 2 else "softmax"
    if loss == "auto":
        loss = "cross_entropy" if output in losses.PROBABILITIES and dataset.classes else "mean_squared_error"
    if loss.startswith("cross_entropy") and output not in losses.PROBABILITIES:
        problems.append(
            f"architecture.loss={loss} needs probabilities: architecture.output sigmoid or softmax. Got {output!r}"
            + (" (auto: the targets are numbers, not classes)." if architecture.output == "auto" else ".")
        )
    elif loss.startswith("cross_entropy") and dataset.classes is None:
        problems.append(f"architecture.loss={loss} needs classes, and the targets of {dataset.name} are numbers.")
    if output == "softmax" and dataset.classes is None:
        asked = "output=softmax" if architecture.own is None else "labels=one_hot"
        problems.append(f"architecture.{asked} needs classes, and the targets of {dataset.name} are numbers.")
    return output, loss


def _check_labels(
    plain: dict[str, Any], architecture: Architecture, dataset: Dataset, output: str, problems: list[str]
) -> None:
    """Labels that the output function cannot reach are refused, unless the configuration says that it knows."""
    if output == "softmax" or architecture.output == "auto" or plain["allow_unreachable_labels"]:
        return
    low, high = losses.OUTPUTS[output].low, losses.OUTPUTS[output].high
    if dataset.classes is not None:
        values = label_values(dataset)
    elif dataset.stream is not None:
        values = np.unique([dataset.stream.targets.y.low, dataset.stream.targets.y.high])
    else:
        values = np.unique(dataset.train.y)
    outside = [f"{value:g}" for value in values if not low <= value <= high]
    if outside:
        what = ", ".join(outside[:5]) + (", ..." if len(outside) > 5 else "")
        problems.append(
            f"architecture.output={output} gives values in ({low:g}, {high:g}), and {dataset.name} has the "
            f"label{'s' if len(outside) > 1 else ''} {what}. architecture.output=auto fits the labels; "
            "allow_unreachable_labels=true trains all the same."
        )


def _plan(
    plain: dict[str, Any],
    sets: dict[str, Data],
    source: Streamed | None,
    loss: str,
    output: str,
    best: Objective,
    metrics: Sequence[str],
    problems: list[str],
) -> tuple[Plan, Target, float]:
    """The resolved plan, the target, and what the best constant predictor would cost."""
    section, n = plain["training"], len(sets["train"].X) if source is None else int(source.counts.sum())
    batch_size = min(section["batch_size"] or n, n)
    iterations = section["epochs"] * -(-n // batch_size) if section["epochs"] else section["iterations"]
    log_every = section["log_every"] if section["log_every"] != "auto" else max(1, -(-iterations // ROWS))
    if source is None:
        constant = losses.constant_cost(loss, output, sets["train"].Y)
    else:
        constant = losses.constant_cost_of(loss, output, *source.moments())
    goal = Target("train/cost", constant / 2)
    if section["target"] is not None:
        goal = Target(**section["target"])
        if goal.metric not in metrics:
            problems.append(no_metric("training.target.metric", goal.metric, metrics))
    plan = Plan(
        iterations=iterations,
        batch_size=batch_size,
        log_every=log_every,
        checkpoint_every=section["checkpoint_every"],
        patience=section["patience"],
        objective=best.metric,
        mode=best.mode,
        shrink=section["shrink"],
    )
    return plan, goal, constant


def _metrics(plain: dict[str, Any], sets: dict[str, Data]) -> list[str]:
    names = [f"{name}/{kind}" for name in sets for kind in ("cost", "accuracy")]
    names += ["train/objective"] * bool(plain["architecture"]["l2"]) + ["grad_norm"]
    depth = len(plain["architecture"]["hidden"]) + 1
    return names + [key for keys in metric_keys(depth) for key in keys[:2]]


def _check_fault(
    fault: faults.Fault,
    plain: dict[str, Any],
    architecture: Architecture,
    ends: tuple[int, int],
    head: tuple[str, str],
    problems: list[str],
) -> None:
    """A fault that this network cannot have is refused: the run would look as if it did no harm."""
    widths = (ends[0], *architecture.hidden, ends[1])
    why = fault.impossible(faults.Meets(widths, architecture.activation, *head, architecture.l2))
    if plain["dataset"].get("stream") and (fault.sets is not None or fault.dropout_at_test):
        why = "needs the rows in memory, and dataset.stream=true leaves them in their file."
    if why:
        problems.append(f"fault={plain['fault']['name']} {why}")


@lru_cache(maxsize=16)
def faulty_sets(dataset: Dataset, output: str, dtype: str, fault: str) -> Mapping[str, Data]:
    """`sets_of` with a fault (its section as JSON) in them, made once: the jobs of a sweep share the arrays."""
    wrong: faults.Fault = _call("fault", json.loads(fault))
    assert wrong.sets is not None
    return wrong.sets(sets_of(dataset, output, dtype)[0])
