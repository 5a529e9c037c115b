"""A run from Python: `run` trains one, `load` reads one back; both give a `Trace`."""

import re
from collections.abc import Sequence
from pathlib import Path

from runner.experiment.build import compose
from runner.runs import journal, model, trace
from runner.runs.names import run_name
from runner.runs.trace import Trace
from runner.sweeps import jobs as sweep
from runner.tracking.state import default_store


def run(overrides: Sequence[str] = (), directory: str | Path | None = None) -> Trace:
    """Train what `python -m runner OVERRIDES` would. Writes nothing, unless a `directory` is given to record it in.

    Raises `runner.experiment.schema.ConfigError` with every mistake in the overrides, and
    `runner.runs.journal.JournalError` where the directory holds a run already. A recorded run reaches a store by
    `python -m runner.sync DIRECTORY`.

    >>> trace = run(["dataset=xor", "training.iterations=100"])
    >>> trace.status, trace.steps[-1], trace.weights[0][0].shape
    ('finished', 100, (2, 8))
    """
    experiment = compose(overrides)
    if directory is not None:
        results = sweep.run([sweep.Job(experiment, Path(directory).absolute(), run_name(experiment))])
        model.hand_on(results, results[0])
        return load(directory)
    return trace.traced(experiment)


def load(run: str | Path) -> Trace:
    """A recorded run: its directory, or the id of its run in MLflow (of the store in MLFLOW_TRACKING_URI, else here).

    Raises `runner.runs.journal.NoRun` where there is no such run, JournalError where its record is damaged.
    """
    directory = Path(run)
    if not (directory / journal.FILE).exists() and not directory.exists() and re.fullmatch("[0-9a-f]{32}", str(run)):
        from runner.tracking.fetch import fetch

        directory = fetch(str(run), default_store())
    return trace.load(directory)
