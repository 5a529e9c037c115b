"""A run's directory: the journal as training goes, and at the end the weights and `summary.json`.

journal.jsonl   everything the run said (runner.runs.journal): the truth
config.yaml     the resolved configuration
weights.npz     W1, b1, W2 ... as (fan_in, fan_out) and (fan_out,); the inputs' shift and scale where there is a scaling
summary.json    how it ended, in one look
git.diff        what the sources differ in from the commit that the run names
"""

import json
import math
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from datasets import survey
from runner.experiment.experiment import Experiment
from runner.experiment.identity import code_digest
from runner.nn.types import Array, layers_of
from runner.runs.files import hide, replace_file
from runner.runs.journal import Journal, first, read
from runner.training import shrink, threads
from runner.training.nonfinite import NonFinite
from runner.training.own.network import arrays_of
from runner.training.recipe import OwnSource
from runner.training.stack import Snapshot
from runner.training.train import Checkpoint, Status, stack_of

PACKAGES = ("numpy", "scipy", "hydra-core", "omegaconf", "mlflow", "h5py", "pydantic")
SUMMARY, WEIGHTS, CONFIG, CHECKPOINT = "summary.json", "weights.npz", "config.yaml", "checkpoint.npz"
MODEL = "model"  # the folder that runner.runs.model writes


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

    @classmethod
    def read(cls, experiment: Experiment, directory: Path, name: str) -> "Result":
        """The result of a run that has ended, from its directory."""
        result = cls(experiment, directory, name, skipped=True)
        for line, _ in read(directory):
            if line["kind"] == "row":
                result.remember(line["step"], line["values"])
        summary = json.loads((directory / SUMMARY).read_text())
        bad = summary["first_nonfinite"]
        result.nonfinite = NonFinite(**bad) if bad else None
        result.status, result.error = summary["status"], summary["error"]
        result.target_reached = summary["target"]["reached"]
        result.findings = summary["findings"]
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
            cost, accuracy = f"{name}/cost", f"{name}/accuracy"
            if math.isfinite(values[cost]):
                self.best[cost] = min(self.best.get(cost, math.inf), values[cost])
            if math.isfinite(values.get(accuracy, math.nan)):
                self.best[accuracy] = max(self.best.get(accuracy, -math.inf), values[accuracy])
        self.curve.append(values["train/cost"])


class Record:
    """The writing end of one run's directory; `result` is what has been written so far."""

    def __init__(self, experiment: Experiment, journal: Journal, name: str):
        self.experiment, self.journal, self.directory, self.name = experiment, journal, journal.directory, name
        self.result = Result(experiment, journal.directory, name)
        self.began = time.perf_counter()
        self.command = command_of(experiment)

    @classmethod
    def create(cls, experiment: Experiment, directory: Path, name: str, tags: Mapping[str, str]) -> "Record":
        """Make the directory and start the journal. Raises JournalError where there is a run already."""
        dataset = experiment.dataset
        journal = Journal.create(
            directory,
            name=name,
            experiment=experiment.tracking.experiment,
            params=flat(public_config(experiment)),
            tags={**tags, **run_tags(experiment)},
            dataset={
                "name": dataset.name,
                "digest": experiment.data_digest[:32],
                "source": dataset.source,
                "profile": profile(experiment),
            },
            command=command_of(experiment),
        )
        write_config(directory / CONFIG, public_config(experiment))
        journal.artifact(CONFIG)
        return cls(experiment, journal, name)

    @classmethod
    def reopen(cls, experiment: Experiment, directory: Path) -> "Record":
        """Go on with the run in `directory`. Raises JournalError where there is none, or where it is being written."""
        start = first(directory)
        rows = [record for record, _ in read(directory) if record["kind"] == "row"]
        record = cls(experiment, Journal.reopen(directory, {"resumed": "true"}), start["name"])
        record.command = start["command"]
        for row in rows:
            record.result.remember(row["step"], row["values"])
        return record

    def row(self, step: int, values: Mapping[str, float]) -> None:
        """One row of the trace; a value that is not defined at this row (NaN ratio of zero weights) is left out."""
        kept = values
        if any(value != value for value in values.values()):
            undefined = {key for key, value in values.items() if value != value and key.startswith("update_ratio")}
            kept = {key: value for key, value in values.items() if key not in undefined}
        self.journal.row(step, kept)
        if step > self.journal.last_step:
            self.result.remember(step, kept)

    def again(self) -> None:
        """The run is made again from its start: rows that are written already are the same, and are not doubled."""
        self.journal.last_step = max(self.journal.last_step, self.result.step)

    def checkpoint(self, checkpoint: Checkpoint, position: int) -> None:
        """The whole state of the member at `position`, in one file, replaced in one go.

        A network that updates itself holds a state that nobody else can write: it is resumed from its start.
        """
        own = self.experiment.recipe.own
        if own is not None and own.options.update == "own":
            return
        state = checkpoint.state
        nonfinite = checkpoint.nonfinite.get(int(state.members[position]))
        arrays: dict[str, Any] = {"step": state.step, "theta": state.theta[position]}
        for name, part in zip(state.memory._fields, state.memory, strict=True):
            arrays[f"memory_{name}"] = part[position] if isinstance(part, np.ndarray) else part
        if state.seen is not None:
            arrays["seen"] = state.seen[position]
        arrays |= {"best": checkpoint.best[position], "best_step": checkpoint.best_step[position]}
        arrays["nonfinite"] = json.dumps(nonfinite._asdict() if nonfinite else None)
        fresh = self.directory / f".{CHECKPOINT}"
        with fresh.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.directory / CHECKPOINT)

    def end(
        self,
        status: Status,
        step: int,
        theta: Array | None = None,
        nonfinite: NonFinite | None = None,
        error: str | None = None,
    ) -> None:
        """Weights, summary, and last the end of the journal."""
        result = self.result
        result.status, result.step, result.nonfinite, result.error = status, step, nonfinite, error
        result.seconds = time.perf_counter() - self.began
        result.target_reached = status == "finished" and self.experiment.target.reached(result.last)
        if theta is not None:
            save_weights(self.directory / WEIGHTS, theta, self.experiment)
            self.journal.artifact(WEIGHTS)
        if "sweep" not in first(self.directory)["tags"] and (diff := git()[2]):
            (self.directory / "git.diff").write_text(diff)
            self.journal.artifact("git.diff")
        replace_file(self.directory / SUMMARY, json.dumps(spelled(self.summary()), indent=2) + "\n")
        self.journal.artifact(SUMMARY)
        metrics = {f"best/{key}": value for key, value in result.best.items()}
        metrics["diverged"] = float(status == "diverged")
        tags = {"target": "reached" if result.target_reached else "missed"} if status == "finished" else {}
        if nonfinite:
            metrics["first_nonfinite_step"] = float(nonfinite.step)
            tags["first_nonfinite"] = f"{nonfinite.array} of layer {nonfinite.layer} at step {nonfinite.step}"
        if error:
            tags["error"] = error[-4000:]
        self.journal.end(status, metrics, tags)
        self.journal.close()

    def summary(self) -> dict[str, Any]:
        """What `summary.json` holds."""
        experiment, result = self.experiment, self.result
        return {
            "status": result.status,
            "name": self.name,
            "command": self.command,
            "steps": result.step,
            "target": {**experiment.target._asdict(), "reached": result.target_reached},
            "constant_predictor_cost": experiment.constant_cost,
            "first_nonfinite": result.nonfinite._asdict() if result.nonfinite else None,
            "metrics": {"last": result.last, "best": result.best},
            "findings": result.findings,
            "error": result.error,
            "timings": {
                "training_seconds": round(result.seconds, 6),
                "blas_threads": threads.count(experiment.recipe),
                "shrunk_to": shrink.coordinates(experiment.recipe) - 1 if shrink.applies(experiment.recipe) else None,
            },
            "seed": experiment.recipe.seed,
            "dataset": described(experiment),
            "network": network_of(experiment),
            "versions": versions(),
            "mlflow_run_id": None,
        }


def public_config(experiment: Experiment) -> dict[str, Any]:
    """The configuration as it may be kept and shown: without a password in the store's address."""
    tracking = experiment.config["tracking"]
    return {**experiment.config, "tracking": {**tracking, "uri": hide(tracking["uri"])}}


def saved_checkpoint(directory: Path, experiment: Experiment) -> Checkpoint | None:
    """The state that `Record.checkpoint` left in a run's directory; None where there is none."""
    path = directory / CHECKPOINT
    if not path.exists():
        return None
    memory = stack_of(experiment.recipe).start([experiment.recipe]).memory
    with np.load(path, allow_pickle=False) as arrays:
        parts = [arrays[f"memory_{name}"] for name in memory._fields]
        saved = type(memory)(*(part[None] if part.ndim else part.item() for part in parts))
        seen = arrays["seen"][None] if "seen" in arrays else None
        state = Snapshot(int(arrays["step"]), np.arange(1), arrays["theta"][None], saved, seen)
        nonfinite = json.loads(str(arrays["nonfinite"]))
        found = {0: NonFinite(**nonfinite)} if nonfinite else {}
        return Checkpoint(state, arrays["best"][None], arrays["best_step"][None], found)


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


def run_tags(experiment: Experiment) -> dict[str, str]:
    """What a run is searched by: the code, the data, the fault, and the tags of the configuration."""
    commit, dirty, _ = git()
    tags = {
        "data.sha256": experiment.data_digest,
        "code.sha256": code_digest(),
        "key": experiment.key(),
        "fault": experiment.config["fault"]["name"],
        "seed": str(experiment.recipe.seed),
        **{f"version.{name}": number for name, number in versions().items()},
        **{str(key): str(value) for key, value in experiment.tracking.tags.items()},
    }
    if experiment.recipe.own is not None:
        tags["network.sha256"] = experiment.recipe.own.digest
    if commit:
        tags |= {"git.commit": commit, "git.dirty": str(dirty).lower()}
    return tags


def profile(experiment: Experiment) -> str:
    """The size of the data and what is in it, as JSON."""
    dataset = experiment.dataset
    classes = None if dataset.classes is None else [str(label) for label in dataset.classes]
    return json.dumps({"rows": experiment.recipe.sizes, "features": dataset.n_features, "classes": classes})


def described(experiment: Experiment) -> dict[str, Any]:
    """The data in `summary.json`: which, how many rows of each class to train on, and what its columns are called."""
    dataset = experiment.dataset
    counts = None
    if dataset.classes is not None:
        counts = {str(label): n for label, n in zip(dataset.classes, survey.balance(dataset), strict=True)}
    return {
        "name": dataset.name,
        "sha256": experiment.data_digest,
        "inputs": list(dataset.inputs),
        "target": experiment.config["dataset"].get("target"),
        "balance": counts,
    }


def network_of(experiment: Experiment) -> dict[str, Any]:
    """What must be known beside the weights to make predictions."""
    classes, own = experiment.dataset.classes, experiment.recipe.own
    return {
        "widths": list(experiment.recipe.widths),
        "activation": experiment.activation,
        "output": experiment.output,
        "loss": experiment.loss,
        "classes": None if classes is None else list(classes),
        "labels": experiment.labels.tolist(),
        **({"own": own_of(own, experiment.recipe.seed)} if own is not None else {}),
    }


def own_of(own: OwnSource, seed: int) -> dict[str, Any]:
    """What must be known to make a network of the user's own again."""
    return {**own._asdict(), "options": own.options._asdict(), "seed": seed}


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """libyaml where there is one: ten times sooner, and a sweep writes thousands of small files."""


def _text(dumper: Any, text: str) -> Any:
    """Quotes around what OmegaConf would read as a number ('1e-3' is none to yaml 1.1, and one to it)."""
    style = "'" if text[:1] in "+-.0123456789" and text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def write_config(path: Path, config: Any) -> None:
    """A configuration of plain containers as yaml, in its own order."""
    path.write_text(yaml.dump(config, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def save_weights(path: Path, theta: Array, experiment: Experiment) -> None:
    """The parameters (P,) as `W1`, `b1`, ...; with `shift` and `scale` that inputs go through first.

    Those of a user's network are by its own names, in its own shapes.
    """
    arrays: dict[str, Any] = {}
    if experiment.recipe.own is not None:
        arrays = arrays_of(theta, experiment.recipe.own.layout)
    else:
        for number, layer in enumerate(layers_of(theta[None], experiment.recipe.widths), 1):
            arrays[f"W{number}"], arrays[f"b{number}"] = layer.W[0], layer.b[0, 0]
    if experiment.dataset.scaling is not None:
        arrays["shift"], arrays["scale"] = experiment.dataset.scaling
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def spelled(value: Any) -> Any:
    """JSON has no infinities: non-finite numbers become the words "nan", "inf" and "-inf"."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: spelled(part) for key, part in value.items()}
    return [spelled(part) for part in value] if isinstance(value, list | tuple) else value


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
        "runner": version("runner") if "runner" in sys.modules else "",
        **{package: version(package) for package in PACKAGES},
    }


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
        if key.startswith(("hydra", "tracking", "plots", "progress", "~")):
            continue
        words.append(value if key == "experiment" else f"{key.split('.')[-1]}={_brief(value)}")
    return " ".join(words)[:250]
