"""Configuration in, a validated `Experiment` out: the only place where names in a configuration become functions.

A configuration names a function of the group's one module and gives its arguments; nothing else in it is ever called.
Every mistake in names, types, bounds, data, and in what goes with what is collected before anything is trained or
written.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from datasets import DataError, Dataset
from datasets.fitting import unscaled
from runner.experiment.compose import Composer
from runner.experiment.data import (
    Streamed,
    constant_of,
    head_of,
    load,
    score_of,
    scored_as,
    sets_of,
    source_of,
    standardised,
)
from runner.experiment.experiment import DiagnosisOptions, Experiment, SweepOptions, Target
from runner.experiment.groups import call, function, problems_of
from runner.experiment.heads import head_for, head_problems, label_problems, unlike_own
from runner.experiment.objectives import Objective, no_metric, objective_problems, objectives
from runner.experiment.samplers import search_options
from runner.experiment.schema import ConfigError, options
from runner.experiment.scripts import goal_of, scripted
from runner.experiment.sources import Sources
from runner.experiment.tracking import decided
from runner.nn import activations, faults, losses
from runner.nn.architectures import Architecture
from runner.nn.scores import named
from runner.training.compiled import engine
from runner.training.kinds import kind_of
from runner.training.own.baseline import base_score
from runner.training.own.network import NetworkProblem
from runner.training.own.parts import parts_of, widths_of
from runner.training.own.probe import Untrained, examined, own_fault_problems, trial
from runner.training.recipe import Data, Named, OwnSource, Plan, Recipe
from runner.training.script.program import Program

ROWS = 200  # about so many rows a run, where training.log_every is auto


def compose(overrides: Sequence[str] = (), config_dir: str | None = None) -> Experiment:
    """The experiment that `python -m runner OVERRIDES` would run.

    Raises ConfigError with every mistake at once, and DataError's message among them.

    >>> compose(["dataset=xor", "architecture.hidden=[3]"]).recipe.widths
    (2, 3, 1)
    """
    return compose_with(_composer() if config_dir is None else Composer(Sources(config_dir)), overrides)


def _composer() -> Composer:
    """The composer of our own files, kept as long as none of them changes: a loop over `run` needs it each time."""
    folder = Path(str(files("conf")))
    return _kept(tuple(sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*.yaml"))))


@lru_cache(maxsize=1)
def _kept(state: tuple[tuple[Path, int], ...]) -> Composer:
    return Composer()


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

    `dataset` is what it names, where that has been loaded already, perhaps on another machine. Each step refuses what
    it finds wrong, all of it at once, and the next one relies on that.
    """
    script = scripted(plain)
    data = _prepared(plain, _found(plain, dataset if script is None else script.dataset))
    if script is not None:
        network = _watched(plain, data, script.program)
    else:
        network = _ours(plain, data) if data.architecture.own is None else _theirs(plain, data, overrides)
    course = _planned(plain, data, network)
    return Experiment(
        config=plain,
        overrides=tuple(overrides),
        dataset=data.dataset,
        recipe=course.recipe,
        target=course.target,
        tracking=decided(plain["tracking"]),
        sweep=SweepOptions(**plain["sweep"]),
        diagnosis=DiagnosisOptions(**plain["diagnosis"]),
        activation=network.activation,
        output=data.output,
        loss=network.loss,
        constant_cost=course.constant_cost,
        objectives=course.objectives,
        search=search_options(plain["search"]),
        labels=data.labels,
        plots=plain["plots"],
        progress=plain["progress"],
    )


class Material(NamedTuple):
    """The data as training sees it, and the output function and loss that fit it."""

    dataset: Dataset
    architecture: Architecture
    output: str
    loss: str
    sets: dict[str, Data]
    labels: np.ndarray
    source: Streamed | None

    @property
    def ends(self) -> tuple[int, int]:
        """The inputs and the outputs of a network for it."""
        return self.dataset.n_features, self.sets["train"].Y.shape[1]

    @property
    def rows(self) -> int:
        """How many there are to train on."""
        return len(self.sets["train"].X) if self.source is None else int(self.source.counts.sum())


class Network(NamedTuple):
    """What is trained: its `recipe`, complete but for what it is ranked by; `problems` are why its fault cannot be."""

    recipe: Recipe
    activation: str
    loss: str
    constant_cost: float
    problems: list[str]


class Course(NamedTuple):
    """The recipe with its whole plan, what the run must reach, what knowing nothing costs, what it is ranked by."""

    recipe: Recipe
    target: Target
    constant_cost: float
    objectives: tuple[Objective, ...]


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise ConfigError(problems)


def _found(plain: dict[str, Any], dataset: Dataset | None) -> Dataset:
    """The data, of a configuration in which every group's names, types and bounds are right."""
    problems = problems_of(plain)
    if dataset is None and not any(problem.startswith("dataset") for problem in problems):
        try:
            dataset = load(_asked(plain))
        except DataError as error:
            problems.append(f"dataset={plain['dataset']['name']}: {error}")
    _refuse(problems)
    assert dataset is not None
    return dataset


def _asked(plain: dict[str, Any]) -> dict[str, Any]:
    """The section of the dataset: what a network wants as it is is not scaled."""
    as_is = plain["architecture"].get("inputs") == "as_is" and plain["dataset"].get("scaling") == "auto"
    return {**plain["dataset"], "scaling": "none"} if as_is else plain["dataset"]


def _prepared(plain: dict[str, Any], dataset: Dataset) -> Material:
    """The data as arrays, where output function, loss and labels go together."""
    architecture: Architecture = call("architecture", plain["architecture"])
    _refuse(unlike_own(architecture, dataset, plain))
    if architecture.own is not None and plain["dataset"].get("target_scaling") != "standardise":
        dataset = unscaled(dataset) if dataset.targets is not None else dataset
    output, loss = head_for(architecture, dataset)
    _refuse(head_problems(architecture, dataset, output, loss))
    _refuse(label_problems(plain, architecture, dataset, output))
    sets, labels = sets_of(dataset, output, plain["dtype"])
    if architecture.own is not None and dataset.targets is not None:
        sets = standardised(
            sets, dataset.targets
        )  # its cost is its own: it is given the targets as it is to learn them
    source = source_of(dataset, output, plain["dtype"], labels)
    return Material(dataset, architecture, output, loss, sets, labels, source)


def _ours(plain: dict[str, Any], data: Material) -> Network:
    """A network of the configuration, with its fault in it."""
    fault: faults.Fault = call("fault", plain["fault"])
    problems = _fault_problems(plain, data, fault)
    fault = faults.Fault() if problems else fault
    architecture = fault.architecture(data.architecture) if fault.architecture else data.architecture
    recipe = _recipe(plain, data, fault, architecture, architecture.hidden)
    if data.source is None:
        constant = constant_of(data.dataset, data.loss, data.output, data.sets["train"].Y)
    else:
        constant = losses.constant_cost_of(data.loss, data.output, *data.source.moments())
    return Network(recipe, architecture.activation, data.loss, constant, problems)


def _theirs(plain: dict[str, Any], data: Material, overrides: Sequence[str]) -> Network:
    """A network of the user's own, with the widths of its hidden layers where they can be told."""
    own, dataset = data.architecture.own, data.dataset
    assert own is not None
    problems = [
        f"{text}: a network of your own draws its weights itself; architecture=own has no init."
        for text in overrides
        if text.lstrip("+").startswith(("init=", "init."))
    ]
    if data.source is not None:
        where = "architecture=own needs the rows in memory, and dataset.stream=true leaves them in their file."
        problems.insert(0, where)
    _refuse(problems)
    classes = 0 if dataset.classes is None else len(dataset.classes)
    try:
        found = examined(own, data.sets, classes, plain["seed"], plain["dtype"], dataset.image_shape)
    except NetworkProblem as error:
        raise ConfigError(error.problems) from error
    widths = widths_of(parts_of(found.layout, *data.ends), *data.ends) or data.ends
    hidden = widths[1:-1] if (widths[0], widths[-1]) == data.ends else ()
    fault: faults.Fault = call("fault", plain["fault"])
    problems = own_fault_problems(fault, plain["fault"]["name"], own)
    recipe = _recipe(plain, data, faults.Fault() if problems else fault, data.architecture, hidden, own=found)
    return Network(recipe, data.architecture.activation, "its own cost", float("nan"), problems)


def _watched(plain: dict[str, Any], data: Material, program: Program) -> Network:
    """A script of the user's: what it computes is its own."""
    recipe = _recipe(plain, data, faults.Fault(), data.architecture, ())
    scored: Literal["accuracy", "r2"] = "r2" if program.score and program.score["kind"] == "R2" else "accuracy"
    recipe = replace(recipe, script=program, scored=scored)
    return Network(recipe, data.architecture.activation, "its own cost", float("nan"), [])


def _recipe(
    plain: dict[str, Any],
    data: Material,
    fault: faults.Fault,
    architecture: Architecture,
    hidden: tuple[int, ...],
    own: OwnSource | None = None,
) -> Recipe:
    arguments = {key: value for key, value in plain["optimizer"].items() if key != "name"}
    head = options(losses, "Head")[data.loss](data.output, architecture.epsilon)
    sets: Mapping[str, Data] = data.sets
    if fault.sets:
        sets = faulty_sets(data.dataset, data.output, plain["dtype"], json.dumps(plain["fault"]))
    recipe = Recipe(
        sets=sets,
        widths=(data.ends[0], *hidden, data.ends[1]),
        activation=options(activations, "Activation")[architecture.activation](),
        head=head_of(head, data.dataset, data.output, data.labels),
        score=score_of(data.dataset, data.output, data.labels),
        scored=scored_as(data.dataset, data.output),
        optimizer=function("optimizer", plain["optimizer"]["name"]),
        schedule=call("schedule", plain["schedule"]),
        plan=_plan(plain["training"], data.rows),
        initializer=call("init", plain["init"]),
        fault=fault,
        optimizer_arguments=fault.arguments(arguments) if fault.arguments else arguments,
        l2=float(architecture.l2),
        dropout=float(architecture.dropout),
        seed=plain["seed"],
        rng=plain["rng"],
        dtype=plain["dtype"],
        source=data.source,
        own=own,
        named=_named(plain["schedule"], data, architecture),
    )
    return replace(recipe, engine=engine.resolve(plain["training"].get("engine", "numpy"), recipe))


def _named(schedule: dict[str, Any], data: Material, architecture: Architecture) -> Named:
    """By what names an engine finds its kernels."""
    arguments = {key: value for key, value in schedule.items() if key != "name"}
    labels = None if data.dataset.classes is None else tuple(data.labels.tolist())
    loss = data.output, data.loss, architecture.epsilon
    return Named(architecture.activation, *loss, schedule["name"], arguments, labels)


def _plan(section: dict[str, Any], n: int) -> Plan:
    """How long, in what portions, of n rows; what it is ranked by comes later."""
    batch_size = min(section["batch_size"] or n, n)
    iterations = section["epochs"] * -(-n // batch_size) if section["epochs"] else section["iterations"]
    return Plan(
        iterations=iterations,
        batch_size=batch_size,
        log_every=section["log_every"] if section["log_every"] != "auto" else max(1, -(-iterations // ROWS)),
        checkpoint_every=section["checkpoint_every"],
        patience=section["patience"],
        shrink=section["shrink"],
    )


def _planned(plain: dict[str, Any], data: Material, network: Network) -> Course:
    """What the run is ranked by and what it must reach: by default, half of what it costs to know nothing."""
    metrics, wanted = kind_of(network.recipe).metrics, plain["training"]["target"]
    problems = objective_problems(plain["objective"], metrics)
    wanted = wanted and {**wanted, "metric": named(wanted["metric"], metrics)}
    if wanted is not None and wanted["metric"] not in metrics:
        problems.append(no_metric("training.target.metric", wanted["metric"], metrics))
    _refuse([*problems, *network.problems])
    ranked_by = objectives(plain["objective"], metrics)
    plan = replace(network.recipe.plan, objective=ranked_by[0].metric, mode=ranked_by[0].mode)
    recipe, constant = replace(network.recipe, plan=plan), network.constant_cost
    target = Target("train/cost", constant / 2)
    if recipe.own is not None:
        try:
            untrained = trial(recipe)  # all that training will call is called once, whatever the target
        except NetworkProblem as error:
            raise ConfigError(error.problems) from error
        target, constant = _own_target(recipe, untrained), untrained.base
    if recipe.script is not None and (goal := goal_of(recipe.script)) is not None:
        target = Target(*goal)
    return Course(recipe, target if wanted is None else Target(**wanted), constant, ranked_by)


def _own_target(recipe: Recipe, untrained: Untrained) -> Target:
    """Half of what it costs a network of the user's own to know nothing (half of its first cost, where that is not
    known), and to be right more often than a constant answer: its cost is its own, and may not mean what ours does.
    """
    assert recipe.own is not None
    known = untrained.base > 0
    above = None
    if recipe.own.predicts:
        above = f"train/{recipe.scored}", base_score(recipe.sets["train"], recipe.own.classes)
    return Target("train/cost", (untrained.base if known else untrained.cost) / 2, above)


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


def _fault_problems(plain: dict[str, Any], data: Material, fault: faults.Fault) -> list[str]:
    """A fault that this network cannot have is refused: the run would look as if it did no harm."""
    architecture, (inputs, outputs) = data.architecture, data.ends
    widths = (inputs, *architecture.hidden, outputs)
    why = fault.impossible(faults.Meets(widths, architecture.activation, data.output, data.loss, architecture.l2))
    if data.source is not None and (fault.sets is not None or fault.dropout_at_test):
        why = "needs the rows in memory, and dataset.stream=true leaves them in their file."
    return [f"fault={plain['fault']['name']} {why}"] if why else []


@lru_cache(maxsize=16)
def faulty_sets(dataset: Dataset, output: str, dtype: str, fault: str) -> Mapping[str, Data]:
    """`sets_of` with a fault (its section as JSON) in them, made once: the jobs of a sweep share the arrays."""
    wrong: faults.Fault = call("fault", json.loads(fault))
    assert wrong.sets is not None
    return wrong.sets(sets_of(dataset, output, dtype)[0])
