"""The corpus that diagnosis is judged on: networks that learn, each made to fail in known ways. No training here.

A base is a data set with a network that reaches its target on practically all seeds. A fault is what is done to it and
the cause that should be told; its overrides are what a person would have written into the configuration, and
`fault=...` only where the mistake is one of code or labels. Split before any threshold was set by it: the held-out part
has data sets, architectures and faults that the training part has not; `digest` of its list stands in
HELD_OUT, and a test compares them.

The data sets of the held-out part are drawn here (`draw`), so that the corpus needs no file.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from runner.diagnosis.case import UNDETERMINED, Overrides
from runner.nn.types import Array

HELD_OUT = "ef5fb3d6de85972a367e66f5f3b6b3bac011886cb98a569367d8a9d4c58d1bd3"


class Base(NamedTuple):
    """A network that learns: `overrides` make it, `lr` and `iterations` are what faults multiply."""

    name: str
    held_out: bool
    overrides: Overrides
    lr: float
    iterations: int
    target: str
    goal: float
    classes: int  # 0: a regression

    def words(self) -> Overrides:
        """The overrides of the whole run."""
        goal = f"training.target={{metric:{self.target},value:{self.goal}}}"
        return (*self.overrides, f"optimizer.lr={self.lr:g}", f"training.iterations={self.iterations}", goal)


class Fault(NamedTuple):
    """What is done to a base, one change a severity, and the `cause` that diagnosis should tell first."""

    name: str
    held_out: bool
    cause: str
    changes: Callable[[Base], Sequence[Overrides]]


class Cell(NamedTuple):
    """A base with a fault of one severity in it; `fault` is None in a healthy control."""

    base: Base
    fault: Fault | None
    severity: int
    overrides: Overrides

    @property
    def name(self) -> str:
        return f"{self.base.name}/{self.fault.name if self.fault else 'none'}/{self.severity}"


def network(data: str, hidden: str, activation: str, init: str, optimizer: str, *more: str) -> Overrides:
    """The overrides of a network on a data set: of the project's own by its name, else of a file that `draw` makes."""
    own = data in ("xor", "flower", "spiral", "parity")
    source = (f"dataset={data}",) if own else ("dataset=npz", f"dataset.path={data}.npz")
    shape = (f"architecture.hidden=[{hidden}]", f"architecture.activation={activation}")
    return (*source, *shape, f"init={init}", "init.scale=1.0", f"optimizer={optimizer}", *more)


SCALED = "dataset.scaling=standardise"
SIGNS = ("dataset.code=signs", "dataset.n=4")
ACCURACY, COST = "train/accuracy", "train/cost"
SIGMOID = network("xor", "4", "sigmoid", "lecun_normal", "gd")
SMALL = (*network("flower", "6", "tanh", "normal", "gd"), "init.scale=0.01")
SPARSE = network("flower", "64", "relu", "he_normal", "adam", "architecture.l2=0.0001")
WAVE = network("wave", "24", "tanh", "xavier_normal", "adam", SCALED, "init.bias_scale=1.0")
NOISY = network("rings", "32", "relu", "he_normal", "gd", SCALED, "training.batch_size=16")

PETALS = network("flower", "16,16", "relu", "he_normal", "momentum", SCALED)
SPIRAL = network("spiral", "16,16", "tanh", "xavier_normal", "adam", SCALED)
MOONS = network("moons", "12,12,12", "tanh", "xavier_normal", "nesterov", SCALED)
RINGS = network("rings", "32", "leaky_relu", "he_normal", "gd", SCALED)
CLOUDS = network("clouds", "24,12", "relu", "he_normal", "momentum", SCALED)
CHECKS = network("checks", "20,20", "elu", "lecun_normal", "rmsprop", SCALED)
PLATEAU = network("xor", "4", "sigmoid", "normal", "gd")
UNSCALED = network("clouds", "32,16", "tanh", "xavier_normal", "adam")

BASES = (
    Base("xor-sigmoid", False, SIGMOID, 3, 4000, ACCURACY, 1.0, 2),
    Base("xor-tanh", False, network("xor", "8", "tanh", "xavier_normal", "gd"), 0.5, 2000, COST, 0.1, 2),
    Base("flower", False, network("flower", "6", "tanh", "xavier_normal", "gd"), 1, 5000, ACCURACY, 0.88, 2),
    Base("flower-relu", False, PETALS, 0.1, 3000, ACCURACY, 0.87, 2),
    Base(
        "signs", False, network("parity", "16", "tanh", "xavier_normal", "adam", *SIGNS), 0.01, 1500, ACCURACY, 1.0, 2
    ),
    Base("spiral", False, SPIRAL, 0.01, 1000, ACCURACY, 0.95, 3),
    Base("moons", True, MOONS, 0.1, 1500, ACCURACY, 0.97, 2),
    Base("rings", True, RINGS, 0.3, 2000, ACCURACY, 0.95, 3),
    Base("wave", True, WAVE, 0.01, 2000, COST, 0.02, 0),
    Base("clouds", True, CLOUDS, 0.05, 600, ACCURACY, 0.97, 5),
    Base("checks", True, CHECKS, 0.005, 2000, ACCURACY, 0.93, 2),
)

# Networks that look ill and are not: a rate near the edge, sparse units, a long plateau, inputs as they come.
HARD_NEGATIVES = (
    Base("xor-plateau", False, PLATEAU, 2, 6000, ACCURACY, 1.0, 2),
    Base("xor-fast", False, SIGMOID, 8, 3000, ACCURACY, 1.0, 2),
    Base("flower-small", False, SMALL, 1.2, 6000, ACCURACY, 0.88, 2),
    Base("flower-sparse", False, SPARSE, 0.01, 1500, ACCURACY, 0.87, 2),
    Base("clouds-unscaled", True, UNSCALED, 0.002, 2000, ACCURACY, 0.9, 5),
    Base("rings-noisy", True, NOISY, 0.3, 3000, ACCURACY, 0.95, 3),
)


def rates(*factors: float) -> Callable[[Base], list[Overrides]]:
    return lambda base: [(f"optimizer.lr={base.lr * factor:.6g}",) for factor in factors]


def values(key: str, *given: object) -> Callable[[Base], list[Overrides]]:
    return lambda base: [(f"{key}={value}",) for value in given]


def budgets(*shares: float) -> Callable[[Base], list[Overrides]]:
    return lambda base: [(f"training.iterations={max(2, round(base.iterations * share))}",) for share in shares]


def inputs(*factors: float) -> Callable[[Base], list[Overrides]]:
    return lambda base: [("dataset.scaling=divide", f"dataset.divisor={1 / factor:.6g}") for factor in factors]


def code(*more: str) -> Callable[[Base], list[Overrides]]:
    """A mistake in code, as the fault group has it, by the name of the entry."""
    return lambda base: [more]


def out_of_range(base: Base) -> list[Overrides]:
    """Targets that the output cannot give: one for several classes, a sigmoid for -1..1, 0 and 255 for 0 and 1."""
    if base.classes == 2:
        return [("fault=labels_out_of_range", "allow_unreachable_labels=true")]
    return [("architecture.output=sigmoid", "architecture.loss=half_squared_error", "allow_unreachable_labels=true")]


FAULTS = (
    Fault("rate too high", False, "learning_rate_too_high", rates(10, 100, 1000)),
    Fault("rate too low", False, "learning_rate_too_low", rates(1e-2, 1e-3, 1e-4)),
    Fault("init too small", False, "init_too_small", values("init.scale", 0.01, 0.001)),
    Fault("init too large", False, "init_too_large", values("init.scale", 30, 100)),
    Fault("init of zeros", False, "symmetric_units", lambda base: [("init=zeros",)]),
    Fault("inputs x 255", False, "inputs_unscaled", inputs(255)),
    Fault("linear layers", False, "no_nonlinearity", values("architecture.activation", "identity")),
    Fault("one unit a layer", False, "too_few_units", lambda base: [("fault=too_narrow",)]),
    Fault("L2", False, "over_regularised", values("architecture.l2", 0.3, 3)),
    Fault("few iterations", False, "budget_too_short", budgets(0.1, 0.02)),
    Fault("labels out of range", False, "labels_out_of_range", out_of_range),
    Fault("labels shuffled", False, UNDETERMINED, code("fault=labels_shuffled")),
    Fault("output sign", False, "wrong_output_derivative", code("fault=output_sign")),
    Fault("derivative missing", False, "wrong_activation_derivative", code("fault=derivative_missing")),
    Fault("hidden sign", False, "wrong_activation_derivative", code("fault=hidden_sign")),
    Fault("first layer frozen", False, "wrong_backpropagation", code("fault=frozen_layer")),
    Fault("weights transposed", False, "wrong_backpropagation", code("fault=transposed_weights")),
    Fault("gradient summed", False, "wrong_mean", code("fault=summed_gradient")),
    Fault("uphill", False, "wrong_update", code("fault=ascent")),
    Fault("inputs / 1000", True, "inputs_unscaled", inputs(0.001)),
    Fault("init of one number", True, "symmetric_units", lambda base: [("init=constant",)]),
    Fault("dropout", True, "over_regularised", values("architecture.dropout", 0.9)),
    Fault("one minus a missing", True, "wrong_output_derivative", code("fault=missing_one_minus_a")),
    Fault("output derivative twice", True, "wrong_output_derivative", code("fault=output_derivative_twice")),
    Fault("derivative twice", True, "wrong_activation_derivative", code("fault=derivative_twice")),
    Fault("another derivative", True, "wrong_activation_derivative", code("fault=derivative_of_another")),
    Fault("gradient transposed", True, "wrong_backpropagation", code("fault=transposed_gradient")),
    Fault("off by one layer", True, "wrong_backpropagation", code("fault=current_activation")),
    Fault("biases summed up", True, "wrong_backpropagation", code("fault=bias_gradient_summed")),
    Fault("averaged twice", True, "wrong_mean", code("fault=averaged_twice")),
    Fault("gradient accumulated", True, "wrong_update", code("fault=accumulated_gradient")),
    Fault("biases not updated", True, "wrong_update", code("fault=bias_not_updated")),
    Fault("a feature lost", True, UNDETERMINED, code("fault=feature_lost")),
)


def faulty(held_out: bool) -> list[Cell]:
    """The cells with a fault: of the training part its own faults, of the held-out part all of them."""
    return [
        Cell(base, fault, severity, (*base.words(), *change))
        for base in BASES
        if base.held_out is held_out
        for fault in FAULTS
        if held_out or not fault.held_out
        for severity, change in enumerate(fault.changes(base))
    ]


def healthy() -> list[Cell]:
    """The cells without one: all bases, and those that look ill."""
    return [Cell(base, None, 0, base.words()) for base in (*BASES, *HARD_NEGATIVES)]


def digest(cells: Sequence[Cell]) -> str:
    """A hash of what is in the cells and of what should be told of each.

    >>> digest(faulty(held_out=True)) == HELD_OUT
    True
    """
    lines = [f"{cell.name} {cell.fault.cause if cell.fault else ''} {' '.join(cell.overrides)}" for cell in cells]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def draw(folder: Path) -> None:
    """Write the data sets of the held-out part into `folder`, each X (n, features) and y (n,)."""
    for number, make in enumerate((moons, rings, wave, clouds, checks)):
        X, y = make(np.random.default_rng(number))
        np.savez(folder / f"{make.__name__}.npz", X=X, y=y)


def moons(rng: np.random.Generator) -> tuple[Array, np.ndarray]:
    """Two half circles, one in the other's arms: 300 rows, 2 classes."""
    turn, y = rng.uniform(0, np.pi, 300), np.arange(300) % 2
    X = np.stack([np.where(y == 0, np.cos(turn), 1 - np.cos(turn)), np.where(y == 0, np.sin(turn), 0.5 - np.sin(turn))])
    return X.T + rng.normal(0, 0.1, (300, 2)), y


def rings(rng: np.random.Generator) -> tuple[Array, np.ndarray]:
    """Three rings around one another: 360 rows, 3 classes."""
    y = np.arange(360) % 3
    radius, turn = 1 + 2 * y + rng.normal(0, 0.3, 360), rng.uniform(0, 2 * np.pi, 360)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1), y


def wave(rng: np.random.Generator) -> tuple[Array, np.ndarray]:
    """A noisy sine: 200 rows, a regression."""
    X = rng.uniform(-3, 3, (200, 1))
    return X, np.sin(2 * X[:, 0]) + rng.normal(0, 0.05, 200)


def clouds(rng: np.random.Generator) -> tuple[Array, np.ndarray]:
    """Two clouds a class in ten features around 50: 400 rows, 5 classes."""
    y = np.arange(400) % 5
    centres = rng.normal(50, 30, (5, 2, 10))
    return centres[y, rng.integers(0, 2, 400)] + rng.normal(0, 10, (400, 10)), y


def checks(rng: np.random.Generator) -> tuple[Array, np.ndarray]:
    """A board of 3 x 3 fields: 500 rows, 2 classes."""
    X = rng.uniform(0, 3, (500, 2))
    return X, np.floor(X).sum(axis=1).astype(int) % 2
