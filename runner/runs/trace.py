"""A run as arrays: `load` reads a recorded one, `traced` trains one in memory."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from datasets import Dataset
from datasets import encoding as tables
from runner.experiment.experiment import Experiment
from runner.experiment.schema import suggest
from runner.nn.scores import named, renamed
from runner.nn.types import Array
from runner.runs import journal, model_code, shown
from runner.runs.by_class import by_class
from runner.runs.files import SUMMARY, WEIGHTS, spelled
from runner.runs.names import run_name
from runner.runs.provenance import command_of
from runner.runs.result import Result
from runner.runs.summary import network_of, summary
from runner.training.kinds import kind_of
from runner.training.machine import machine
from runner.training.own.stack import answers
from runner.training.train import Checkpoint, End, Rows, train

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """A run that has ended, as arrays.

    `steps` (T,) and, by metric, `trace["train/cost"]` (T,): NaN where a row has no such value. `status`, `nonfinite`
    (the first non-finite value or None) and `summary` as in summary.json. `arrays` are the final parameters by name.
    `directory` is None for a run that was not recorded, and only such a run keeps its `dataset`.
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
    dataset: Dataset | None = None

    @property
    def known(self) -> bool:
        """Whether the network is one of ours; else it is of the user's own code, which answers for it."""
        return "own" not in self.network

    @property
    def title(self) -> str:
        """What a network of the user's own is called."""
        return "" if self.known else str(self.network["own"]["options"]["network"])

    @property
    def scored(self) -> str:
        """What its score is called: accuracy, or r2 of a regression."""
        return scored(self.network)

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
        metric = named(metric, self.values)
        if metric not in self.values:
            near = suggest(metric, self.values) or f" There are: {', '.join(self.values)}."
            raise KeyError(f"{metric}: the run has no such metric.{near}")
        return self.values[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __contains__(self, metric: object) -> bool:
        return named(str(metric), self.values) in self.values

    def __repr__(self) -> str:
        return f"Trace({shown.words(self)})"

    def _repr_html_(self) -> str:
        return shown.html(self)

    def keys(self) -> tuple[str, ...]:
        """The metrics that there are, in the order of the run's rows."""
        return tuple(self.values)

    def to_frame(self) -> "pandas.DataFrame":
        """The rows as a pandas DataFrame: a column a metric, the index is the step."""
        import pandas  # late: it takes longer to import than many a run to train

        return pandas.DataFrame(dict(self.values), index=pandas.Index(self.steps, name="step"))

    def outputs(self, X: Any) -> Array:
        """What the network answers to the rows `X`, in the units of the data: A (n, outputs).

        A table (a DataFrame, or columns by name) is read by its names, as a file is; an array (n, columns) has the
        columns in their order. Raises ValueError, naming row and column, where a cell is missing or cannot be used.
        """
        said = self.network.get("encoding")
        encoding = tables.from_json(said) if said else None
        names = [column.name for column in encoding.columns] if encoding else None
        X = self._ordered(X, names)
        return self.outputs_of(model_code.rows_of(X, encoding, self.network["widths"][0]))

    def outputs_of(self, X: Array) -> Array:
        """`outputs`, for rows (n, d) that are encoded already."""
        if not self.known:
            A = answers(self.network, self.arrays, X, self.scaling)
            units = self.network.get("target_scaling")
            return A if units is None else A * np.asarray(units["scale"]) + np.asarray(units["shift"])
        return self._network().outputs_of(X)

    def answers(self, A: Array) -> np.ndarray:
        """What the outputs `A` (n, outputs) mean: the class of each row as the data names it, or the number: (n,)."""
        classes = self.network["classes"]
        if not self.known and classes is not None and A.shape[1] == 1 and not self.network["labels"]:
            return np.asarray(classes)[A[:, 0].astype(int)]  # it answers with the number of the class
        return self._network().answers(A)

    def predict(self, X: Any) -> np.ndarray:
        """The class of each row of `X`, as the data names it, or the predicted number: (n,). `X` as in `outputs`."""
        return self.answers(self.outputs(X))

    def _ordered(self, X: Any, raw: Sequence[str] | None) -> Any:
        """A table as it is, where `raw` names its columns; of a run without, those columns in their order."""
        names = raw if raw is not None else self.summary["dataset"]["inputs"] if self.summary else []
        if not names or not hasattr(X, "columns"):
            return X
        there = [str(name).strip() for name in X.columns]
        if missing := [name for name in names if name not in there]:
            raise ValueError(f"X has no column {missing[0]!r}, which was learned from.{suggest(missing[0], there)}")
        if raw is not None:
            return X
        return np.column_stack([np.asarray(X[name], dtype=np.float64) for name in names])

    def _network(self) -> model_code.Network:
        return model_code.network_of(self.network, self.weights, self.scaling, tables.from_json)


@dataclass(frozen=True)
class Training:
    """A run in memory while it trains: what is to be trained, and what is known so far."""

    experiment: Experiment
    result: Result


def traced(
    experiment: Experiment,
    progress: Callable[[Training], None] = lambda training: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Trace:
    """Train an experiment in memory. `progress` is told of each row; `should_stop` ends it as interrupted.

    Whatever stops it, the rows until then are in the trace.
    """
    rows: list[tuple[int, dict[str, float]]] = []
    result, began = Result(experiment, Path(), run_name(experiment)), time.perf_counter()
    for event in train([experiment.recipe], should_stop):
        match event:
            case Rows(step, _, values):
                row = {key: float(column[0]) for key, column in values.items()}
                rows.append((step, row))
                result.remember(step, {key: value for key, value in row.items() if not _undefined(key, value)})
                progress(Training(experiment, result))
            case End():
                end = event
            case Checkpoint():
                pass
    steps, columns = _columns(rows)
    result.status, result.step, result.nonfinite = end.status, end.step, end.nonfinite
    result.seconds = time.perf_counter() - began
    result.target_reached = end.status == "finished" and experiment.target.reached(result.last)
    result.by_class = by_class(experiment, end.theta)
    said = spelled(summary(result, command_of(experiment), machine()))
    nonfinite = end.nonfinite._asdict() if end.nonfinite else None
    arrays, dataset = kind_of(experiment.recipe).arrays(end.theta), experiment.dataset
    network, scaling = network_of(experiment), dataset.scaling
    return Trace(steps, columns, end.status, nonfinite, arrays, network, scaling, None, said, dataset)


def _undefined(key: str, value: float) -> bool:
    """Whether a value is not defined at its row: the update's share of weights that are zero, or after the last."""
    return value != value and key.startswith("update_ratio")


def load(directory: Path) -> Trace:
    """The recorded run in `directory`.

    Raises `runner.runs.journal.NoRun` where there is no such run, JournalError where its record is damaged.
    """
    if not (directory / journal.FILE).exists():
        raise journal.NoRun(f"{directory} holds no run: there is no {journal.FILE} in it.")
    if not (directory / SUMMARY).exists():
        raise journal.NoRun(f"{directory} has no {SUMMARY}: its run is {journal.status(directory)}, not ended.")
    said = json.loads((directory / SUMMARY).read_text())
    score = scored(said["network"])
    rows = (record for record, _ in journal.read(directory) if record["kind"] == "row")
    steps, values = _columns([(row["step"], renamed(row["values"], score)) for row in rows])
    said["metrics"] = {kind: renamed(found, score) for kind, found in said["metrics"].items()}
    said["target"]["metric"] = named(said["target"]["metric"], values)
    arrays: dict[str, Array] = {}
    scaling = None
    if (directory / WEIGHTS).exists():
        with np.load(directory / WEIGHTS, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        if "shift" in arrays:
            scaling = arrays.pop("shift"), arrays.pop("scale")
    status, nonfinite = said["status"], said["first_nonfinite"]
    network, where = said["network"], directory.absolute()
    return Trace(steps, values, status, nonfinite, arrays, network, scaling, where, said)


def scored(network: Mapping[str, Any]) -> str:
    """What the score of a network is called: accuracy, or r2 of a regression; several labels a row have an accuracy."""
    if "script" in network:
        return str(network["script"]["scored"])
    labels = bool(network.get("targets")) and network["output"] == "sigmoid"
    return "r2" if network["classes"] is None and not labels else "accuracy"


def _columns(rows: Sequence[tuple[int, Mapping[str, float]]]) -> tuple[np.ndarray, dict[str, Array]]:
    """Rows as arrays: steps (T,), and (T,) for every metric that any row has."""
    keys = dict.fromkeys(key for _, values in rows for key in values)
    columns = {key: np.array([values.get(key, np.nan) for _, values in rows]) for key in keys}
    return np.array([step for step, _ in rows], dtype=int), columns
