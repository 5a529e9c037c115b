"""`python -m runner.predict RUN --data FILE`: what a trained network answers to new rows.

    python -m runner.predict outputs/2026-11-22/04-05-06-fc3b0672 --data new.csv --out predictions.csv

RUN is a run's directory, or its id in MLflow. The rows are in the units of the data that it was trained on, in a file
of any kind that trains, read by the rules of training: what its columns are, what stands for a missing value, the
scaling. The columns of a table are found by name; the column that was learned may be among them, others are not used.
An .npz or .h5 file has an array of rows. The output is a table: the label as the data names it, or the number, and
beside a label the outputs that it was decided by. A row that cannot be answered has an empty cell, and is listed.
"""

import argparse
import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from datasets import DataError
from datasets.encoding import MISSING_WORDS, Encoding, from_json
from datasets.files.sheet import Format
from datasets.files.unlabelled import rows_of
from runner import Refusal
from runner.command.python import recorded_run
from runner.runs import trace
from runner.runs.files import replace_file
from runner.runs.resume import stored_config
from runner.training.own.network import NetworkError

MOST_LISTED = 20  # rows without an answer


class PredictError(Refusal):
    """This run cannot predict these rows; the message says why."""


class Answered(NamedTuple):
    """A table of answers, its header first; `unanswered` are the rows that have none, each with why; `notes`."""

    table: list[list[str]]
    unanswered: list[str]
    notes: tuple[str, ...] = ()


def predictions(
    run: trace.Trace,
    path: str,
    inputs: str | None = None,
    delimiter: str | None = None,
    keep: Sequence[str] = (),
) -> Answered:
    """A row of answers for each row of the file. Raises PredictError and DataError."""
    check(run)
    assert run.summary is not None
    assert run.directory is not None
    section = stored_config(run.directory)["dataset"]
    said = run.network.get("encoding")
    encoding = from_json(said) if said else None
    rows = rows_of(
        path,
        run.network["widths"][0],
        encoding,
        targets_of(run.summary["dataset"], section),
        inputs or str(section.get("inputs", "X")),
        format_of(section, encoding, delimiter),
        keep,
        run.summary["dataset"].get("inputs") or [],
    )
    titles = header(run)
    table = [[*(name for name, _ in rows.kept), *titles]]
    answers = iter(answered(run, rows.X, titles))
    for row, usable in enumerate(rows.usable.tolist()):
        kept = [cells[row] for _, cells in rows.kept]
        table.append([*kept, *(next(answers) if usable else [""] * len(titles))])
    unanswered = [f"{path}, {place}, column '{cell.column}': {cell.said}" for place, cell in rows.problems]
    return Answered(table, unanswered, rows.notes)


def answered(run: trace.Trace, X: np.ndarray, titles: Sequence[str]) -> list[list[str]]:
    """The cells of each row of `X` (m, d) under the titles."""
    if not len(X):
        return []
    A = run.outputs_of(X)
    answers = run.answers(A)
    if answers.ndim == 2:  # several targets
        return [[label(value) for value in row] for row in answers.tolist()]
    return [
        [label(answer), *(map(repr, outputs) if len(titles) > 1 else [])]
        for answer, outputs in zip(answers.tolist(), A.tolist(), strict=True)
    ]


def targets_of(said: Mapping[str, Any], section: Mapping[str, Any]) -> list[str]:
    """The names of the columns that were learned: a table may have them."""
    if "targets" in said:
        return list(said["targets"])
    target = section.get("target")
    return [str(target)] if section["name"] == "csv" and target is not None else []


def format_of(section: Mapping[str, Any], encoding: Encoding | None, delimiter: str | None) -> Format:
    """How a new table is written: as the one in training, where a key or the file itself does not say otherwise."""
    named = encoding is None or not all(column.name.lstrip("-").isdigit() for column in encoding.columns)
    return Format(
        delimiter if delimiter is not None else section.get("delimiter", "auto"),
        True if named else section.get("header", "auto"),
        section.get("encoding", "auto"),
        "." if encoding is None else "auto" if section.get("decimal") == "auto" else section.get("decimal", "."),
        MISSING_WORDS if encoding is None else encoding.missing,
    )


def check(run: trace.Trace) -> None:
    """Raises PredictError where a run has no weights to predict by."""
    if not run.arrays:
        raise PredictError(f"{run.directory} has no weights: its run is {run.status}. Only a run that ended has some.")
    if not all(np.isfinite(part).all() for part in run.arrays.values()):
        raise PredictError(f"{run.directory} has weights that are not finite: its run {run.status}.")


def header(run: trace.Trace) -> list[str]:
    """The names of the columns: what is predicted, and of classes the outputs."""
    classes = run.network["classes"]
    if run.network.get("targets"):
        return list(run.network["targets"])
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
    parser.add_argument("--data", required=True, metavar="FILE", help="new rows: a table, .npz or .h5")
    parser.add_argument("--out", metavar="FILE", help="where the predictions go; by default they are printed")
    parser.add_argument(
        "--keep", metavar="COLUMN", action="append", default=[], help="a column that goes through: an id"
    )
    parser.add_argument("--strict", action="store_true", help="refuse the file where a row cannot be answered")
    parser.add_argument(
        "--inputs", metavar="NAME", help="the array of an .npz or .h5 file; by default as in training, else X"
    )
    parser.add_argument(
        "--delimiter", metavar="MARK", help="of a text: one character, or tab; by default as in training"
    )
    given = parser.parse_args(arguments)
    run = recorded_run(given.run)
    try:
        found = predictions(run, given.data, given.inputs, given.delimiter, given.keep)
    except (DataError, NetworkError) as error:
        raise PredictError(str(error)) from error
    _report(found, given.strict)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(found.table)
    if given.out is None:
        sys.stdout.write(text.getvalue())
        return 0
    _write(Path(given.out), text.getvalue())
    print(f"{len(found.table) - 1} predictions in {given.out}")
    return 0


def _report(found: Answered, strict: bool) -> None:
    """What is to be told, on standard error; PredictError where no row can be answered, or not all of them."""
    for note in found.notes:
        print(note, file=sys.stderr)
    if not found.unanswered:
        return
    n, some = len(found.table) - 1, any(row[-1] for row in found.table[1:])
    shown = [*found.unanswered[:MOST_LISTED]]
    if len(found.unanswered) > MOST_LISTED:
        shown.append(f"and {len(found.unanswered) - MOST_LISTED} more")
    if strict or not some:
        raise PredictError("\n".join([*shown, "no prediction was written" if some else "no row can be answered"]) + ".")
    empty = sum(not row[-1] for row in found.table[1:])
    print("\n".join([f"{empty} of {n} rows cannot be answered, and their cells are empty:", *shown]), file=sys.stderr)
