"""A recipe as the kernels take it: numbers, and flat arrays whose rows are padded to whole lanes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from runner.nn.types import Array, spans
from runner.training.compiled import engine
from runner.training.compiled.kernels import heads, optimizers, schedules
from runner.training.compiled.kernels.member import MOST_PROBABLE, NEAREST_LABEL, SQUARES
from runner.training.recipe import DROPOUT, Data, Named, Recipe
from runner.training.rows import Prepared

LANES = 8


class Shared(NamedTuple):
    """What all members of a stack share, as `run` takes it: see `runner.training.compiled.kernels.member.Problem`."""

    kinds: tuple[int, ...]
    epsilon: float
    widths: np.ndarray
    starts: np.ndarray
    counts: np.ndarray
    schedule_numbers: Array
    borders: Array
    X: Array
    Y: Array
    y: np.ndarray
    rows: Array
    targets: Array

    @property
    def workspace(self) -> int:
        """The numbers that a thread needs: A, f', dZ and masks of all units, Z and a batch's rows."""
        widths, R = self.widths.tolist(), padded(int(self.counts.max()))
        return (4 * sum(widths[1:]) + 3 * widths[-1] + widths[0]) * R + 3 * LANES


def padded(n: int) -> int:
    """n in whole lanes."""
    return -(-n // LANES) * LANES


def shared(recipe: Recipe, prepared: Prepared) -> Shared:
    """What all members of a stack share."""
    named, plan = recipe.named, recipe.plan
    assert named is not None
    sets: Mapping[str, Data] = {name: rows.data for name, rows in prepared.sets.items()}
    train, widths = sets["train"], prepared.widths
    picked = plan.batch_size < len(train.X)
    score = SQUARES if named.labels is None else NEAREST_LABEL if len(named.labels) else MOST_PROBABLE
    labels = np.empty(0) if named.labels is None else np.asarray(named.labels, dtype=float)
    return Shared(
        kinds=(
            engine.kernels("activations").index(named.activation),
            heads.OUTPUTS.index(named.output),
            engine.kernels("heads").index(named.loss),
            score,
            engine.kernels("optimizers").index(recipe.optimizer.__name__),
            engine.kernels("schedules").index(named.schedule),
            plan.iterations,
            plan.batch_size,
            sum(widths[1:]),
        ),
        epsilon=float(named.epsilon),
        widths=np.array(widths, dtype=np.int64),
        starts=np.array([span.start for span in spans(widths)], dtype=np.int64),
        counts=np.array([len(data.X) for data in sets.values()], dtype=np.int64),
        schedule_numbers=_schedule_numbers(named),
        borders=(labels[1:] + labels[:-1]) / 2,
        X=np.concatenate([_by_unit(data.X) for data in sets.values()]),
        Y=np.concatenate([_by_unit(data.Y) for data in sets.values()]),
        y=np.concatenate([_classes(data, score) for data in sets.values()]),
        rows=np.array(train.X, dtype=float).ravel() if picked else np.zeros(1),
        targets=np.array(train.Y, dtype=float).ravel() if picked else np.zeros(1),
    )


def numbers(recipes: Sequence[Recipe]) -> Array:
    """What members differ in (K, 10): the optimizer's numbers, L2 and dropout; 0 where there is none."""
    found = np.zeros((len(recipes), len(optimizers.NUMBERS) + 2))
    for row, recipe in zip(found, recipes, strict=True):
        for name, value in recipe.optimizer_arguments.items():
            row[optimizers.NUMBERS.index(name)] = 0.0 if value is None else value
        row[-2:] = recipe.l2, recipe.dropout
    return found


def seeds(recipes: Sequence[Recipe]) -> np.ndarray:
    """Dropout's (K, 2): the member's seed and the stream."""
    return np.array([[recipe.seed, DROPOUT] for recipe in recipes], dtype=np.uint64)


def _schedule_numbers(named: Named) -> Array:
    found = np.zeros(len(schedules.NUMBERS))
    for name, value in named.schedule_arguments.items():
        found[schedules.NUMBERS.index(name)] = value
    return found


def _by_unit(rows: Array) -> Array:
    """Rows (n, width) one unit after the other, flat; lanes without a row repeat the last."""
    places = np.minimum(np.arange(padded(len(rows))), len(rows) - 1)
    return np.asarray(rows, dtype=float)[places].T.ravel()


def _classes(data: Data, score: int) -> Any:
    return np.zeros(len(data.X), dtype=np.int64) if score == SQUARES else np.asarray(data.y).astype(np.int64)
