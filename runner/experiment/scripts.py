"""A script as an experiment: the section `script`, its source and arrays, and the rows that stand for its own."""

from typing import Any, NamedTuple

import numpy as np

from datasets import Dataset, Rows
from runner.experiment.schema import ConfigError, validate
from runner.training.script.program import Program, program
from runner.training.script.score import goal
from runner.training.script.source import ScriptProblem


def script(path: str, set: dict[str, Any] = {}, argv: list[str] = []) -> None:  # noqa: B006 - a signature is a schema
    """`script.*`: the file, values for its constants and defaults by name, the words after its name."""


class Scripted(NamedTuple):
    """The script, and a data set of its name: one row, which nobody reads, stands for its own."""

    program: Program
    dataset: Dataset


def scripted(plain: dict[str, Any]) -> Scripted | None:
    """What the section `script` names; None where there is none. Raises ConfigError."""
    if "script" not in plain:
        return None
    section = plain["script"]
    problems = validate(script, section, "script", name="script")
    problems += _unlike(plain)
    if problems:
        raise ConfigError(problems)
    try:
        found = program(section["path"], section.get("set", {}), section.get("argv", []))
    except ScriptProblem as problem:
        raise ConfigError([str(problem)]) from problem
    notes: tuple[str, ...] = ()
    if found.seeds:
        lines = ", ".join(map(str, found.seeds))
        notes = (f"{found.name} seeds its generators itself (line {lines}): seed changes nothing after that.",)
    return Scripted(found, Dataset(found.name, Rows(np.zeros((1, 1)), np.zeros(1)), notes=notes))


def _unlike(plain: dict[str, Any]) -> list[str]:
    """What a script decides itself."""
    problems = []
    if plain["training"].get("patience") is not None:
        problems.append("training.patience must be null with experiment=script: the script decides when it ends.")
    if plain["search"].get("pruning"):
        problems.append("search.pruning must be null with experiment=script: the script decides when it ends.")
    return problems


def goal_of(found: Program) -> tuple[str, float] | None:
    """The metric of its score and what must be reached, as for any run; None where its outputs were not recognised."""
    return None if found.score is None else (f"train/{found.score['kind'].lower()}", goal(found.score))
