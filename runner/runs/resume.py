"""`python -m runner resume=DIR`: resume a stopped run from its checkpoint, as if nothing had been."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from runner.experiment.build import build_plain, compose
from runner.experiment.experiment import Experiment
from runner.experiment.identity import NOT_DECISIVE
from runner.experiment.schema import ConfigError, suggest
from runner.runs import journal
from runner.runs.checkpoint import saved_checkpoint
from runner.runs.files import CONFIG, write_config
from runner.runs.record import Record

RAISABLE = "training.iterations"


def reopened(directory: Path, overrides: Sequence[str]) -> tuple[Experiment, Record, Any]:
    """The experiment of the run in `directory`, its record opened again, and the checkpoint to go on from.

    `overrides`: what stood beside resume=DIR on the command line; only training.iterations may be raised.
    Raises ConfigError where there is nothing to resume, JournalError where another process is writing the run.
    """
    config, status = stored_config(directory), journal.status(directory)
    done = max((line["step"] for line, _ in journal.read(directory) if line["kind"] == "row"), default=0)
    raised = _raised(overrides, config)
    if journal.writing(directory):
        raise ConfigError([f"resume={directory}: the run is still being written by another process."])
    if status == "diverged":
        raise ConfigError(
            [f"resume={directory}: the run diverged after {done} iterations; more of them change nothing."]
        )
    if status == "finished" and raised is None:
        message = f"resume={directory}: the run has finished. {RAISABLE}=N with N above {done} would go on."
        raise ConfigError([message])
    experiment = build_plain(config)
    if raised is not None:
        # The cadence stays: log_every=auto would choose another for the longer run.
        config["training"] |= {"iterations": raised, "epochs": None, "log_every": experiment.recipe.plan.log_every}
        experiment = build_plain(config)
    recorded = journal.first(directory)["tags"].get("data.sha256")
    if recorded != experiment.data_digest:
        raise ConfigError([f"resume={directory}: the data of dataset={experiment.dataset.name} has changed since."])
    if raised is not None:
        write_config(directory / CONFIG, config)
    checkpoint = saved_checkpoint(directory, experiment)
    if checkpoint and checkpoint.state.step > done:
        checkpoint = None  # the journal lost its end (a power cut): its rows are made again, from the start
    return experiment, Record.reopen(experiment, directory), checkpoint


def stored_config(directory: Path) -> dict[str, Any]:
    """The resolved configuration of a recorded run; what looks like an interpolation in it is only text.

    Raises ConfigError where `directory` holds no run.
    """
    if not (directory / journal.FILE).exists() or not (directory / CONFIG).exists():
        near = [path.parent.as_posix() for path in directory.parent.glob(f"*/{journal.FILE}")]
        raise ConfigError([f"{directory} holds no run.{suggest(directory.as_posix(), near)}"])
    config = yaml.safe_load((directory / CONFIG).read_text())
    assert isinstance(config, dict)
    missing = [key for key in NOT_DECISIVE if key not in config]
    if missing:  # recorded by a version that did not have them; they decide nothing
        now = compose().config
        config |= {key: now[key] for key in missing if key in now}
    return config


def _raised(overrides: Sequence[str], config: dict[str, Any]) -> int | None:
    """The raised number of iterations, if there is one. Raises ConfigError for every other override."""
    problems, raised = [], None
    for override in overrides:
        key, _, value = override.partition("=")
        old = config["training"]["iterations"]
        if key != RAISABLE:
            problems.append(f"{override}: a resumed run keeps its configuration; only {RAISABLE} may be raised.")
        elif not value.isdigit() or int(value) <= old:
            problems.append(f"{override}: it may only be raised, and the run was made for {old}.")
        elif config["schedule"]["name"] == "cosine":
            problems.append(f"{override}: schedule=cosine depends on it from the first step on.")
        else:
            raised = int(value)
    if problems:
        raise ConfigError(problems)
    return raised
