"""Where a run comes from: its command, its configuration, its code and data, the versions of what it ran with."""

import getpass
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from runner.experiment.experiment import Experiment
from runner.experiment.identity import code_digest
from runner.runs.files import hide
from runner.runs.journal import read
from runner.training.kinds import kind_of
from runner.training.machine import Machine, said

PACKAGES = ("numpy", "scipy", "hydra-core", "omegaconf", "mlflow", "h5py", "pydantic")


def public_config(experiment: Experiment) -> dict[str, Any]:
    """The configuration as it may be kept and shown: without a password in the store's address."""
    tracking = experiment.config["tracking"]
    return {**experiment.config, "tracking": {**tracking, "uri": hide(tracking["uri"])}}


def command_of(experiment: Experiment) -> str:
    return command(experiment.overrides)


def command(overrides: Sequence[str]) -> str:
    """The command line that makes a run of these overrides, for a shell."""
    return hide(shlex.join(["python", "-m", "runner", *overrides]))


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The configuration with dotted keys: what MLflow shows as parameters.

    >>> flat({"optimizer": {"name": "gd", "lr": 0.1}, "seed": 0})
    {'optimizer.name': 'gd', 'optimizer.lr': 0.1, 'seed': 0}
    """
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value if isinstance(value, int | float | str) else json.dumps(value)
    return found


def run_tags(experiment: Experiment, where: Machine) -> dict[str, str]:
    """What a run is searched by: the code, the data, the machine, the fault, and the tags of the configuration."""
    commit, dirty, _ = git()
    tags = {
        **who(),
        "data.sha256": experiment.data_digest,
        "code.sha256": code_digest(),
        "key": experiment.key(),
        "fault": experiment.config["fault"]["name"],
        "seed": str(experiment.recipe.seed),
        "engine": experiment.recipe.engine,
        **{f"version.{name}": number for name, number in versions().items()},
        **machine_tags(experiment, where),
    }
    if digest := kind_of(experiment.recipe).digest:
        tags["network.sha256"] = digest
    if commit:
        tags |= {"git.commit": commit, "git.dirty": str(dirty).lower(), "mlflow.source.git.commit": commit}
    return tags | {str(key): spoken(value) for key, value in experiment.tracking.tags.items()}


def spoken(value: str | bool | float) -> str:
    """A tag's value as yaml would have it.

    >>> [spoken(value) for value in (True, 3, 0.5, "me")]
    ['true', '3', '0.5', 'me']
    """
    return str(value).lower() if isinstance(value, bool) else str(value)


def who() -> dict[str, str]:
    """Who ran it, and what: in MLflow's own tags, which its pages have columns for."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # the machine has no name for the user's number, as in a container
        user = str(os.getuid())
    return {"mlflow.user": user, "mlflow.source.name": _source(), "mlflow.source.type": "LOCAL"}


def _source() -> str:
    """What Python was started with: the runner itself, or the script or notebook that calls it."""
    started = Path(sys.argv[0] or "python")
    ours = started.name == "__main__.py" and started.resolve().parent == Path(__file__).resolve().parents[1]
    return "python -m runner" if ours or started.name in ("runner", "-m") else str(started)


def machine_tags(experiment: Experiment, where: Machine) -> dict[str, str]:
    """The machine that trains, in a run's tags."""
    return {f"machine.{name}": str(word) for name, word in said(experiment.recipe, where).items()}


def machines_of(directory: Path) -> list[dict[str, str]]:
    """The machines that made a run's rows, one after the other, as `runner.training.machine.said` gives them, as text.

    Empty where the run was recorded by a version that did not name them.
    """
    found: list[dict[str, str]] = []
    now: dict[str, str] = {}
    for record, _ in read(directory):
        named = {key: word for key, word in (record.get("tags") or {}).items() if key.startswith("machine.")}
        now |= {key.removeprefix("machine."): word for key, word in named.items()}
        if record["kind"] == "row" and now and now not in found:
            found.append(dict(now))
    return found


@lru_cache(maxsize=1)
def git() -> tuple[str, bool, str]:
    """(commit, is anything changed, the difference) of the repository that the sources stand in; empty outside one."""

    def ask(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).resolve().parent), *arguments]
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout
        except (OSError, subprocess.SubprocessError):
            return ""

    commit = ask("rev-parse", "HEAD").strip()
    if not commit:
        return "", False, ""
    dirty = bool(ask("status", "--porcelain").strip())
    return commit, dirty, ask("diff", "HEAD") if dirty else ""


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "runner": version("nablarun") if "runner" in sys.modules else "",
        **{package: version(package) for package in PACKAGES},
    }
