"""The data that a configuration names: found, loaded once, and as the arrays that training sees."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

import datasets
from datasets import Dataset
from datasets.preparation import prepare
from datasets.types import RowStream, TargetScaling
from runner.experiment.schema import options, show, suggest, validate
from runner.nn import heads, losses, scores
from runner.nn.losses import Head
from runner.training.recipe import Data

FILES = ("path", "test_path")  # keys of a `dataset` section that name files
WINDOW_BYTES = 16_000_000  # as float64: rows of a stream that are read at once, and shuffled


def dataset_problems(section: dict[str, Any]) -> list[str]:
    function = dataset_function(section.get("name"))
    if function is None:
        names = sorted(name for name in _dataset_names() if dataset_function(name))
        near = suggest(section.get("name"), names)
        return [f"dataset.name must be one of {', '.join(names)}. Got {show(section.get('name'))}." + near]
    own, common = _dataset_parts(section, function)
    common_keys = sorted(_parameters(prepare) - {"dataset"})
    problems = validate(function, own, "dataset", elsewhere=common_keys)
    return problems + validate(prepare, common, "dataset", name="dataset")


def load(section: dict[str, Any]) -> Dataset:
    """The data of a `dataset` section. Raises DataError where it cannot be used."""
    return loaded(json.dumps(section, sort_keys=True), _stamp(section))


def _stamp(section: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    """Size and time of the files that a section names: one that was rewritten is read again."""
    files = [Path(section[key]).expanduser() for key in FILES if isinstance(section.get(key), str)]
    return tuple((found.st_size, found.st_mtime_ns) for file in files if file.exists() for found in [file.stat()])


@lru_cache(maxsize=8)
def loaded(section: str, stamp: tuple[tuple[int, int], ...] = ()) -> Dataset:
    """The data of a `dataset` section (as JSON), its files as `stamp` says; the jobs of a sweep share the arrays."""
    arguments = json.loads(section)
    function = dataset_function(arguments["name"])
    assert function is not None
    own, common = _dataset_parts(arguments, function)
    return prepare(function(**own), **common)


@lru_cache(maxsize=16)
def sets_of(dataset: Dataset, output: str, dtype: str) -> tuple[dict[str, Data], np.ndarray]:
    """The arrays that training sees, and the labels of a single output, ascending."""
    labels = np.empty(0)
    if dataset.classes is not None and output != "softmax":
        reachable = len(dataset.classes) == 2 and output == "sigmoid" and not _within_sigmoid(dataset)
        labels = np.array([0.0, 1.0]) if reachable else label_values(dataset)
    targets = targets_of(dataset, output, labels)
    sets = {}
    for name, rows in (("train", dataset.train), ("val", dataset.validation), ("test", dataset.test)):
        if rows is None:
            continue
        Y = _columns(rows.y) if targets is None else targets[rows.y.astype(np.int64)]
        sets[name] = Data(np.ascontiguousarray(rows.X, dtype=dtype), Y.astype(dtype), rows.y)
    return sets, labels


def standardised(sets: Mapping[str, Data], scaling: TargetScaling) -> dict[str, Data]:
    """The sets of a regression with targets that are (y - mean) / deviation."""
    found = {}
    for name, data in sets.items():
        Y = ((data.Y - scaling.shift) / scaling.scale).astype(data.Y.dtype)
        found[name] = data._replace(Y=Y, y=Y.reshape(data.y.shape))
    return found


def _columns(y: np.ndarray) -> np.ndarray:
    """A regression's targets (n, outputs); of a stream there may be no row here."""
    return (y if y.ndim == 2 else y[:, None]).astype(float)


def targets_of(dataset: Dataset, output: str, labels: np.ndarray) -> np.ndarray | None:
    """What the outputs are trained towards for each class (classes, outputs); None for a regression."""
    if dataset.classes is None:
        return None
    return np.eye(len(dataset.classes)) if output == "softmax" else labels[:, None]


@dataclass(frozen=True)
class Streamed:
    """A stream's rows as training sees them (a `recipe.Source`). `targets` (classes, outputs) as above."""

    stream: RowStream
    targets: np.ndarray | None
    dtype: str

    @property
    def counts(self) -> np.ndarray:
        return self.stream.counts

    @property
    def together(self) -> int:
        return max(1, WINDOW_BYTES // (8 * self.stream.span * self.stream.width))

    def read(self, spans: Sequence[int]) -> Iterator[Data]:
        variance = None if self.targets is not None else float(self.stream.targets.y.deviation[0] ** 2)
        for X, y in self.stream.read(spans):
            Y = y[:, None] if self.targets is None else self.targets[y.astype(np.int64)]
            yield Data(X.astype(self.dtype, copy=False), Y.astype(self.dtype), y, variance)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of the targets (outputs,)."""
        counts, y = self.stream.targets
        if self.targets is None:
            return y.mean, y.deviation**2
        share = counts / counts.sum()
        mean = share @ self.targets
        return mean, share @ (self.targets - mean) ** 2


def source_of(dataset: Dataset, output: str, dtype: str, labels: np.ndarray) -> Streamed | None:
    """Where the rows to train on come from, if they are streamed."""
    if dataset.stream is None:
        return None
    return Streamed(dataset.stream, targets_of(dataset, output, labels), dtype)


def stream_problems(plain: dict[str, Any]) -> list[str]:
    """A stream has no full batch."""
    if plain["dataset"].get("stream") is not True or plain["training"].get("batch_size") is not None:
        return []
    return [
        "dataset.stream=true trains by mini-batches, and training.batch_size=null is the full batch: "
        "add training.batch_size=256."
    ]


def label_values(dataset: Dataset) -> np.ndarray:
    """What a single output is trained towards: the labels themselves where they are numbers, else their indices."""
    assert dataset.classes is not None
    if all(isinstance(label, int | float) for label in dataset.classes):
        return np.array(dataset.classes, dtype=float)
    return np.arange(len(dataset.classes), dtype=float)


def _within_sigmoid(dataset: Dataset) -> bool:
    values = label_values(dataset)
    return bool(values.min() >= 0 and values.max() <= 1)


def head_of(head: Head, dataset: Dataset, output: str, labels: np.ndarray) -> Head:
    """The head for this data: where its targets are scaled or its classes weigh unequally, one that knows it."""
    if dataset.targets is not None:
        head = heads.in_units(head, *dataset.targets)
    if dataset.class_weight is not None:
        targets = targets_of(dataset, output, labels)
        assert targets is not None
        head = heads.weighted(head, heads.by_class(dataset.class_weight, targets))
    return head


def constant_of(dataset: Dataset, loss: str, output: str, Y: np.ndarray) -> float:
    """What the best constant predictor costs, in the units of the data; `Y` (n, outputs) of the rows to train on."""
    if dataset.class_weight is None:
        return losses.constant_cost(loss, output, Y)
    w = dataset.class_weight[dataset.train.y.astype(np.int64)][:, None]  # of mean 1
    mean = (w * Y).mean(axis=0)
    return losses.constant_cost_of(loss, output, mean, (w * (Y - mean) ** 2).mean(axis=0))


def scored_as(dataset: Dataset, output: str) -> Literal["accuracy", "r2"]:
    """What the score of `score_of` is called."""
    return "r2" if dataset.classes is None and not (dataset.several and output == "sigmoid") else "accuracy"


def score_of(dataset: Dataset, output: str, labels: np.ndarray) -> Callable[[Any, Data], Any]:
    if dataset.several and output == "sigmoid":
        return lambda A, data: ((A > 0.5) == data.Y).mean(axis=(1, 2))
    if dataset.classes is None:
        return lambda A, data: scores.r_squared(A, data.Y, data.variance)
    if output == "softmax":
        return lambda A, data: scores.share_right(scores.most_probable(A), data.y)
    borders = scores.halfway(labels)
    return lambda A, data: scores.share_right(scores.between(A, borders), data.y)


def dataset_function(name: Any) -> Callable[..., Dataset] | None:
    """`datasets/NAME.py`'s function NAME."""
    if not isinstance(name, str) or not name.isidentifier():
        return None
    try:
        module = importlib.import_module(f"datasets.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"datasets.{name}":
            raise
        return None
    return options(module, "Dataset").get(name)


def _dataset_parts(section: dict[str, Any], function: Callable[..., Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The dataset's own arguments, and those of the preparation common to all."""
    common = _parameters(prepare) - {"dataset"}
    own = {key: value for key, value in section.items() if key != "name" and key not in common}
    return own, {key: value for key, value in section.items() if key in common}


def _parameters(function: Callable[..., Any]) -> set[str]:
    return set(function.__code__.co_varnames[: function.__code__.co_argcount + function.__code__.co_kwonlyargcount])


def _dataset_names() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(datasets.__path__)]
