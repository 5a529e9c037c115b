"""The pictures of a recorded run, made from its directory alone: the only package that imports matplotlib.

    cost.png       the costs, linear beside log, and the accuracies, with the lines that give them a meaning
    layers.png     each layer's gradient, weights and updates; its dead and saturated units at the end
    boundary.png   what the network answers over the plane, where there are two inputs
    images.png     the pictures that it gets most wrong, and its first layer's weights as pictures
    table.png      every row with its answer, where they are few and simple: a truth table

`python -m runner.plots DIR...` draws them again. matplotlib is slow to import: import this package where it is used.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from datasets import Dataset
from runner.experiment.build import build_plain
from runner.experiment.schema import ConfigError
from runner.plots.answers import boundary, table
from runner.plots.curves import cost, layers
from runner.plots.images import images
from runner.plots.shown import Pictures, save
from runner.plots.style import said, styled
from runner.runs import trace
from runner.runs.files import FOLDER
from runner.runs.resume import stored_config
from runner.runs.trace import Trace

NAMES = ("cost", "layers", "boundary", "images", "table")
STREAMED = "its rows are streamed (dataset.stream=true)."


class Drawn(NamedTuple):
    """The pictures' files, and why those that need the data are missing; empty where they are not."""

    paths: list[Path]
    note: str


def draw(directory: str | Path) -> list[Path]:
    """Make the pictures of a run that has ended, however it did; return their paths, all in `directory`/plots.

    A picture that cannot be drawn is left out: those of the data where its file has gone or has changed, those of the
    answers where the final weights are missing or are not finite.
    Raises FileNotFoundError and `runner.runs.journal.JournalError` where `directory` holds no run that has ended.
    """
    run = trace.load(Path(directory))
    return draw_run(run, *dataset_of(run)).paths


def draw_run(run: Trace, dataset: Dataset | None, note: str = "") -> Drawn:
    """`draw`, for a run that is loaded already and its data, where they are in hand; `note` says why they are not."""
    assert run.directory is not None
    folder = run.directory / FOLDER
    drawn = figures(run, dataset)
    for name in NAMES:
        # What a resumed run has outgrown must not stand beside its new pictures.
        if name not in drawn and dataset is not None:
            (folder / f"{name}.png").unlink(missing_ok=True)
    return Drawn([save(figure, folder / f"{name}.png") for name, figure in drawn.items()], note)


def figures(run: Trace, dataset: Dataset | None) -> dict[str, Figure]:
    """The pictures that can be drawn of a run as `runner.load` gives it, by name; `dataset` None: its data is gone."""
    with styled(), np.errstate(all="ignore"):
        found = {"cost": cost(run), "layers": layers(run, dataset)}
        if dataset is not None and answers_of(run):
            found |= {"boundary": boundary(run, dataset), "images": images(run, dataset), "table": table(run, dataset)}
        return {name: figure for name, figure in found.items() if figure is not None}


def answers_of(run: Trace) -> bool:
    """Whether the network that the run ended with answers anything: a network of the user's own may have no predict."""
    predicts = run.known or run.network["own"]["predicts"]
    return bool(run.arrays) and predicts and all(np.isfinite(array).all() for array in run.arrays.values())


def dataset_of(run: Trace) -> tuple[Dataset | None, str]:
    """The data that a run was made with, or None and the reason."""
    if run.dataset is not None:
        return (run.dataset, "") if run.dataset.in_memory else (None, STREAMED)
    assert run.directory is not None
    try:
        experiment = build_plain(stored_config(run.directory))
    except ConfigError as error:
        return None, " ".join(error.problems)
    if experiment.data_digest != said(run)["dataset"]["sha256"]:
        return None, f"the data of dataset={experiment.dataset.name} has changed since."
    if not experiment.dataset.in_memory:
        return None, STREAMED
    return experiment.dataset, ""


__all__ = ["FOLDER", "NAMES", "Drawn", "Figure", "Pictures", "draw", "draw_run", "figures", "save"]
