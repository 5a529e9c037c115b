"""The state of a run in the middle, in one file: what it is resumed from."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from runner.experiment.experiment import Experiment
from runner.runs.files import CHECKPOINT
from runner.training.kinds import kind_of
from runner.training.nonfinite import NonFinite
from runner.training.train import Checkpoint
from runner.training.trainable import Snapshot


def save_checkpoint(directory: Path, checkpoint: Checkpoint, position: int) -> None:
    """The whole state of the member at `position`, in one file in `directory`, replaced in one go."""
    state = checkpoint.state
    nonfinite = checkpoint.nonfinite.get(int(state.members[position]))
    arrays: dict[str, Any] = {"step": state.step, "theta": state.theta[position]}
    for name, part in zip(state.memory._fields, state.memory, strict=True):
        arrays[f"memory_{name}"] = part[position] if isinstance(part, np.ndarray) else part
    if state.seen is not None:
        arrays["seen"] = state.seen[position]
    arrays |= {"best": checkpoint.best[position], "best_step": checkpoint.best_step[position]}
    arrays["nonfinite"] = json.dumps(nonfinite._asdict() if nonfinite else None)
    fresh = directory / f".{CHECKPOINT}"
    with fresh.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(directory / CHECKPOINT)


def saved_checkpoint(directory: Path, experiment: Experiment) -> Checkpoint | None:
    """The state that `save_checkpoint` left in a run's directory; None where there is none."""
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
