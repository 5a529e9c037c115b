"""A run's directory: the journal as training goes, and at the end the weights and `summary.json`.

journal.jsonl   everything the run said (runner.runs.journal): the truth
config.yaml     the resolved configuration
weights.npz     W1, b1, W2 ... as (fan_in, fan_out) and (fan_out,); the inputs' shift and scale where there is a scaling
summary.json    how it ended, in one look
git.diff        what the sources differ in from the commit that the run names
"""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from runner.experiment.experiment import Experiment
from runner.nn.types import Array, layers_of
from runner.runs.files import (
    CHECKPOINT,
    CONFIG,
    SUMMARY,
    WEIGHTS,
    write_config,
    write_summary,
)
from runner.runs.journal import Journal, first, read
from runner.runs.provenance import command_of, flat, git, public_config, run_tags, versions
from runner.runs.result import Result
from runner.runs.summary import described, network_of, profile
from runner.training import shrink, threads
from runner.training.kinds import kind_of
from runner.training.nonfinite import NonFinite
from runner.training.own.network import arrays_of
from runner.training.train import Checkpoint, Status
from runner.training.trainable import Snapshot


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
        write_summary(self.directory, self.summary(), anew=True)
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


def saved_checkpoint(directory: Path, experiment: Experiment) -> Checkpoint | None:
    """The state that `Record.checkpoint` left in a run's directory; None where there is none."""
    path = directory / CHECKPOINT
    if not path.exists():
        return None
    memory = kind_of(experiment.recipe).start([experiment.recipe]).snapshot().memory
    with np.load(path, allow_pickle=False) as arrays:
        parts = [arrays[f"memory_{name}"] for name in memory._fields]
        saved = type(memory)(*(part[None] if part.ndim else part.item() for part in parts))
        seen = arrays["seen"][None] if "seen" in arrays else None
        state = Snapshot(int(arrays["step"]), np.arange(1), arrays["theta"][None], saved, seen)
        nonfinite = json.loads(str(arrays["nonfinite"]))
        found = {0: NonFinite(**nonfinite)} if nonfinite else {}
        return Checkpoint(state, arrays["best"][None], arrays["best_step"][None], found)


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
