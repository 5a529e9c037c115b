"""`python -m runner.predict RUN --data FILE`: what a trained network answers to new rows.

    python -m runner.predict outputs/2026-11-22/04-05-06-fc3b0672 --data new.csv --out predictions.csv

RUN is a run's directory, or its id in MLflow. The rows are in the units of the data that it was trained on: they go
through the same scaling. A .csv has a header; its columns are found by name where the run knows names (dataset=csv),
and the column that was learnt may be among them. An .npz or .h5 file has an array of rows. The output is a table: the
label as the data names it, or the number, and beside a label the outputs that it was decided by.
"""

import argparse
import csv
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from datasets import DataError
from datasets.files.unlabelled import rows_of
from runner import Refusal
from runner.command.python import recorded_run
from runner.runs import journal, trace
from runner.runs.files import replace_file
from runner.training.own.network import NetworkError


class PredictError(Refusal):
    """This run cannot predict these rows; the message says why."""


def predictions(run: trace.Trace, path: str, inputs: str | None = None, delimiter: str | None = None) -> Iterator[list]:
    """A header, and a row of answers for each row of the file. Raises PredictError and DataError."""
    check(run)
    assert run.summary is not None
    assert run.directory is not None
    dataset, params = run.summary["dataset"], journal.first(run.directory)["params"]
    names, target = dataset.get("inputs") or [], dataset.get("target") if dataset["name"] == "csv" else None
    inputs = inputs or params.get("dataset.inputs", "X")
    A = run.outputs(rows_of(path, run.network["widths"][0], names, target, inputs, delimiter))
    titles = header(run)
    yield titles
    for answer, outputs in zip(run.answers(A).tolist(), A.tolist(), strict=True):
        yield [label(answer), *(map(repr, outputs) if len(titles) > 1 else [])]


def check(run: trace.Trace) -> None:
    """Raises PredictError where a run has no weights to predict by."""
    if not run.arrays:
        raise PredictError(f"{run.directory} has no weights: its run is {run.status}. Only a run that ended has some.")
    if not all(np.isfinite(part).all() for part in run.arrays.values()):
        raise PredictError(f"{run.directory} has weights that are not finite: its run {run.status}.")


def header(run: trace.Trace) -> list[str]:
    """The names of the columns: what is predicted, and of classes the outputs."""
    classes = run.network["classes"]
    if classes is None or not run.known:  # what a network of the user's own answers may be classes already
        return ["prediction"]
    if run.network["output"] == "softmax":
        return ["prediction", *(f"P({label(each)})" for each in classes)]
    one = f"P({label(classes[-1])})" if run.network["output"] == "sigmoid" and len(classes) == 2 else "output"
    return ["prediction", one]


def label(answer: str | float) -> str:
    """A label as one writes it: 1, not 1.0; a number that is predicted keeps all of its digits."""
    return answer if isinstance(answer, str) else str(int(answer)) if float(answer).is_integer() else repr(answer)


def _write(path: Path, text: str) -> None:
    try:
        replace_file(path, text)
    except OSError as error:
        raise PredictError(f"--out={path}: it cannot be written ({error.strerror}).") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 predicted, 2 the run or the data cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m runner.predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", metavar="RUN", help="a run's directory, or its id in MLflow")
    parser.add_argument("--data", required=True, metavar="FILE", help="new rows: .csv, .npz or .h5")
    parser.add_argument("--out", metavar="FILE", help="where the predictions go; by default they are printed")
    parser.add_argument(
        "--inputs", metavar="NAME", help="the array of an .npz or .h5 file; by default as in training, else X"
    )
    parser.add_argument(
        "--delimiter", metavar="MARK", help="of a .csv: one character, or tab; by default as its header"
    )
    given = parser.parse_args(arguments)
    text = io.StringIO()
    run = recorded_run(given.run)
    try:
        rows = list(predictions(run, given.data, given.inputs, given.delimiter))
    except (DataError, NetworkError) as error:
        raise PredictError(str(error)) from error
    csv.writer(text, lineterminator="\n").writerows(rows)
    if given.out is None:
        sys.stdout.write(text.getvalue())
        return 0
    _write(Path(given.out), text.getvalue())
    print(f"{len(rows) - 1} predictions in {given.out}")
    return 0
