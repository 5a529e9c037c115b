"""A run as arrays: `load` reads a recorded one, `traced` trains one in memory."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runner.experiment.experiment import Experiment
from runner.nn.types import Array
from runner.runs import journal, model_code
from runner.runs.files import SUMMARY, WEIGHTS
from runner.runs.summary import network_of
from runner.training.kinds import kind_of
from runner.training.own.stack import answers
from runner.training.train import Checkpoint, End, Rows, train


@dataclass(frozen=True)
class Trace:
    """A finished run as arrays.

    `steps` (T,) and, by metric, `trace["train/cost"]` (T,): NaN where a row has no such value. `status`, `nonfinite`
    (the first non-finite value or None) and `summary` as in summary.json. `arrays` are the final parameters by name.
    `directory` is None for a run that was not recorded.
    """

    steps: np.ndarray
    values: Mapping[str, Array]
    status: str
    nonfinite: Mapping[str, Any] | None
    arrays: Mapping[str, Array]
    network: Mapping[str, Any]
    scaling: tuple[Array, Array] | None = None
    directory: Path | None = None
    summary: Mapping[str, Any] | None = None

    @property
    def known(self) -> bool:
        """Whether the network is one of ours; else it is of the user's own code, which answers for it."""
        return "own" not in self.network

    @property
    def title(self) -> str:
        """What a network of the user's own is called."""
        return "" if self.known else str(self.network["own"]["options"]["network"])

    @property
    def weights(self) -> tuple[tuple[Array, Array], ...]:
        """The final (W, b) of each layer, W (fan_in, fan_out) and b (fan_out,), of a network of ours."""
        layers = range(1, len(self.network["widths"])) if self.known and self.arrays else ()
        return tuple((self.arrays[f"W{layer}"], self.arrays[f"b{layer}"]) for layer in layers)

    @property
    def own(self) -> Mapping[str, Array]:
        """The final parameters of a network of the user's own, by its own names."""
        return {} if self.known else self.arrays

    def __getitem__(self, metric: str) -> Array:
        return self.values[metric]

    def outputs(self, X: Array) -> Array:
        """What the network answers to the rows of `X` (n, d), in the units of the data file: A (n, outputs)."""
        if not self.known:
            return answers(self.network, self.arrays, X, self.scaling)
        return self._network().outputs(X)

    def answers(self, A: Array) -> np.ndarray:
        """What the outputs `A` (n, outputs) mean: the class of each row as the data names it, or the number: (n,)."""
        classes = self.network["classes"]
        if not self.known and classes is not None and A.shape[1] == 1 and not self.network["labels"]:
            return np.asarray(classes)[A[:, 0].astype(int)]  # it answers with the number of the class
        return self._network().answers(A)

    def predict(self, X: Array) -> np.ndarray:
        """The class of each row of `X` (n, d), as the data names it, or the predicted number: (n,)."""
        return self.answers(self.outputs(X))

    def _network(self) -> model_code.Network:
        said = self.network
        return model_code.Network(
            self.weights, said["activation"], said["output"], said["classes"], said["labels"], self.scaling
        )


def traced(experiment: Experiment) -> Trace:
    """Train an experiment in memory."""
    rows: list[tuple[int, dict[str, float]]] = []
    for event in train([experiment.recipe]):
        match event:
            case Rows(step, _, values):
                rows.append((step, {key: float(column[0]) for key, column in values.items()}))
            case End():
                end = event
            case Checkpoint():
                pass
    steps, columns = _columns(rows)
    nonfinite = end.nonfinite._asdict() if end.nonfinite else None
    arrays, scaling = kind_of(experiment.recipe).arrays(end.theta), experiment.dataset.scaling
    return Trace(steps, columns, end.status, nonfinite, arrays, network_of(experiment), scaling)


def load(directory: Path) -> Trace:
    """The recorded run in `directory`.

    Raises `runner.runs.journal.NoRun` where there is no such run, JournalError where its record is damaged.
    """
    if not (directory / journal.FILE).exists():
        raise journal.NoRun(f"{directory} holds no run: there is no {journal.FILE} in it.")
    rows = [(record["step"], record["values"]) for record, _ in journal.read(directory) if record["kind"] == "row"]
    steps, values = _columns(rows)
    if not (directory / SUMMARY).exists():
        raise journal.NoRun(f"{directory} has no {SUMMARY}: its run is {journal.status(directory)}, not ended.")
    summary = json.loads((directory / SUMMARY).read_text())
    arrays: dict[str, Array] = {}
    scaling = None
    if (directory / WEIGHTS).exists():
        with np.load(directory / WEIGHTS, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        if "shift" in arrays:
            scaling = arrays.pop("shift"), arrays.pop("scale")
    status, nonfinite = summary["status"], summary["first_nonfinite"]
    network, where = summary["network"], directory.absolute()
    return Trace(steps, values, status, nonfinite, arrays, network, scaling, where, summary)


def _columns(rows: Sequence[tuple[int, Mapping[str, float]]]) -> tuple[np.ndarray, dict[str, Array]]:
    """Rows as arrays: steps (T,), and (T,) for every metric that any row has."""
    keys = dict.fromkeys(key for _, values in rows for key in values)
    columns = {key: np.array([values.get(key, np.nan) for _, values in rows]) for key in keys}
    return np.array([step for step, _ in rows], dtype=int), columns
