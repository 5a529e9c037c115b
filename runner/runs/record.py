"""A run's directory: the journal as training goes, and at the end the weights and `summary.json`.

journal.jsonl   everything the run said (runner.runs.journal): the truth
config.yaml     the resolved configuration
weights.npz     W1, b1, W2 ... as (fan_in, fan_out) and (fan_out,); the inputs' shift and scale where there is a scaling
summary.json    how it ended, in one look
git.diff        what the sources differ in from the commit that the run names
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from runner.experiment.experiment import Experiment
from runner.nn.scores import renamed
from runner.nn.types import Array
from runner.runs.by_class import by_class
from runner.runs.by_class import metrics as of_classes
from runner.runs.checkpoint import save_checkpoint
from runner.runs.files import CONFIG, SUMMARY, WEIGHTS, write_config, write_summary
from runner.runs.journal import Journal, first, read
from runner.runs.names import title
from runner.runs.provenance import command_of, flat, git, machine_tags, public_config, run_tags
from runner.runs.result import Result
from runner.runs.summary import profile, summary
from runner.training.kinds import kind_of
from runner.training.machine import Machine, machine
from runner.training.nonfinite import NonFinite
from runner.training.train import Checkpoint, Status


class Record:
    """The writing end of one run's directory; `result` is what has been written so far."""

    def __init__(self, experiment: Experiment, journal: Journal, name: str):
        self.experiment, self.journal, self.directory, self.name = experiment, journal, journal.directory, name
        self.result = Result(experiment, journal.directory, name)
        self.began = time.perf_counter()
        self.command = command_of(experiment)
        self.machine = machine()

    @classmethod
    def create(cls, experiment: Experiment, directory: Path, name: str, tags: Mapping[str, str]) -> "Record":
        """Make the directory and start the journal. Raises JournalError where there is a run already."""
        dataset = experiment.dataset
        journal = Journal.create(
            directory,
            name=name,
            experiment=experiment.tracking.experiment,
            store={
                "title": title(name, experiment),
                "experiment_id": experiment.tracking.experiment_id,
                "run_id": None if tags else experiment.tracking.run_id,  # a run beside, of a cure, is another
            },
            params=flat(public_config(experiment)),
            tags={**tags, **run_tags(experiment, machine())},
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
        """Resume the run in `directory`. Raises JournalError where there is none, or where it is being written."""
        start = first(directory)
        rows = [record for record, _ in read(directory) if record["kind"] == "row"]
        again = {"resumed": "true", **machine_tags(experiment, machine())}
        record = cls(experiment, Journal.reopen(directory, again), start["name"])
        record.command = start["command"]
        for row in rows:
            record.result.remember(row["step"], renamed(row["values"], experiment.recipe.scored))
        return record

    def trained_on(self, where: Machine) -> None:
        """Another process trains it: its machine is the one to be named, where it is not this one."""
        if where != self.machine:
            self.machine = where
            self.journal.tags(machine_tags(self.experiment, where))

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
        """The whole state of the member at `position`, where it can be written."""
        if not kind_of(self.experiment.recipe).updates_itself:
            save_checkpoint(self.directory, checkpoint, position)

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
            result.by_class = by_class(self.experiment, theta)
            save_weights(self.directory / WEIGHTS, theta, self.experiment)
            self.journal.artifact(WEIGHTS)
        if "sweep" not in first(self.directory)["tags"] and (diff := git()[2]):
            (self.directory / "git.diff").write_text(diff)
            self.journal.artifact("git.diff")
        write_summary(self.directory, summary(result, self.command, self.machine), anew=True)
        self.journal.artifact(SUMMARY)
        self.journal.end(status, *_of_the_end(result))
        self.journal.close()


def _of_the_end(result: Result) -> tuple[dict[str, float], dict[str, str]]:
    """The metrics and the tags that a run has beside its rows."""
    metrics = {f"best/{key}": value for key, value in result.best.items()}
    metrics |= of_classes(result.by_class)
    metrics["diverged"] = float(result.status == "diverged")
    tags = {"target": "reached" if result.target_reached else "missed"} if result.status == "finished" else {}
    if result.nonfinite:
        metrics["first_nonfinite_step"] = float(result.nonfinite.step)
        tags["first_nonfinite"] = result.nonfinite.place
    if result.error:
        tags["error"] = result.error[-4000:]
    return metrics, tags


def save_weights(path: Path, theta: Array, experiment: Experiment) -> None:
    """The parameters (P,) as `W1`, `b1`, ...; with `shift` and `scale` that inputs go through first.

    Those of a user's network are by its own names, in its own shapes.
    """
    arrays: dict[str, Any] = dict(kind_of(experiment.recipe).arrays(theta))
    if experiment.dataset.scaling is not None:
        arrays["shift"], arrays["scale"] = experiment.dataset.scaling
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
