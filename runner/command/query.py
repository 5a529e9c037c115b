"""`python -m runner.query [DIR...] [SQL] --out FILE`: what runs were and how they ended, as a table; or an answer.

    python -m runner.query multirun/2026-11-22/04-05-06-fc3b0672 --out runs.parquet
    python -m runner.query multirun --curves --out curves.csv
    python -m runner.query "select optimizer_lr, median(train_cost) from runs where status='finished' group by 1"

A row a run: name, status, place, hyper-parameters, the last and the best metrics. With --curves a row a number:
run, step, metric, value. DIR is a run's directory, a sweep's, or any folder above; by default all of outputs and
multirun. A question in SQL is asked of the tables `runs` and `curves` (DuckDB; nothing is changed), and its answer is
shown as a table. Without --out csv is printed.
"""

import argparse
import io
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from runner import Refusal
from runner.screen.answer import answered
from runner.sweeps import sql
from runner.sweeps.table import Runs, directories, long_schema

ENDINGS = (".parquet", ".csv")
PLACES = ("outputs", "multirun")  # where runs are, unless it is said


class QueryError(Refusal):
    """This table cannot be made or written; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 written, 2 there is no run there, the question is wrong, or the file cannot be written."""
    given = _parser().parse_args(arguments)
    if given.out is not None and given.out.suffix not in ENDINGS:
        raise QueryError(f"--out must end in {' or '.join(ENDINGS)}. Got {str(given.out)!r}.")
    questions = [word for word in given.words if sql.is_question(word)]
    if len(questions) > 1 or (questions and given.curves):
        raise QueryError("One question at a time. Of curves it is asked by: select ... from curves.")
    runs = _runs([Path(word) for word in given.words if word not in questions])
    schema, tables = _tables(runs, given.curves, questions)
    if given.out is None and questions and not given.csv:
        answered(next(iter(tables)))
    elif given.out is None:
        text = io.BytesIO()
        write(text, ".csv", schema, tables)
        sys.stdout.write(text.getvalue().decode())
    else:
        rows = _write_file(given.out, schema, tables)
        print(f"{rows} {'rows' if given.curves or questions else 'runs'} in {given.out}")
    return 0


def _runs(places: Sequence[Path]) -> Runs:
    places = places or [Path(place) for place in PLACES if Path(place).exists()]
    if not places:
        raise QueryError(f"There is neither {' nor '.join(PLACES)} here: name the folder that the runs are in.")
    return Runs.read(dict.fromkeys(found.resolve() for place in places for found in directories(place)))


def _tables(runs: Runs, curves: bool, questions: Sequence[str]) -> tuple[pa.Schema, Iterable[pa.Table]]:
    """What is asked for, as tables of one schema."""
    if curves:
        return long_schema(), runs.curves()
    table = sql.answer(runs, questions[0]) if questions else runs.to_arrow()
    return table.schema, iter([table])


def write(file: Any, ending: str, schema: pa.Schema, tables: Iterable[pa.Table]) -> int:
    """Write tables of one schema into an open file, one after the other; how many rows there were."""
    from pyarrow import csv, parquet

    writer = parquet.ParquetWriter(file, schema) if ending == ".parquet" else csv.CSVWriter(file, schema)
    rows = 0
    with writer:
        for table in tables:
            writer.write_table(table)
            rows += table.num_rows
    return rows


def _write_file(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> int:
    """`write`, so that a reader finds the old file or the whole new one."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("wb") as file:
            rows = write(file, path.suffix, schema, tables)
        os.replace(fresh, path)
    except OSError as error:
        raise QueryError(f"--out={path}: it cannot be written ({error.strerror}).") from error
    finally:
        fresh.unlink(missing_ok=True)
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runner.query", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    about = "a run's directory, a sweep's, or one above; or a question in SQL"
    parser.add_argument("words", metavar="DIR|SQL", nargs="*", help=about)
    parser.add_argument("--curves", action="store_true", help="a row a logged number: run, step, metric, value")
    parser.add_argument("--csv", action="store_true", help="print the answer as csv")
    parser.add_argument("--out", metavar="FILE", type=Path, help="a .parquet or .csv file; by default csv is printed")
    return parser
