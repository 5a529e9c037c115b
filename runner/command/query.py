"""`python -m runner.query DIR... --out FILE`: what runs were and how they ended, as a table for other programs.

    python -m runner.query multirun/2026-11-22/04-05-06-fc3b0672 --out runs.parquet
    python -m runner.query multirun --curves --out curves.csv

A row a run: name, status, place, hyper-parameters, the last and the best metrics. With --curves a row a number:
run, step, metric, value. DIR is a run's directory, a sweep's, or any folder above. Without --out csv is printed.
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
from runner.sweeps.table import Runs, directories, long_schema

ENDINGS = (".parquet", ".csv")


class QueryError(Refusal):
    """This table cannot be made or written; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 written, 2 there is no run there, or the file cannot be written."""
    given = _parser().parse_args(arguments)
    if given.out is not None and given.out.suffix not in ENDINGS:
        raise QueryError(f"--out must end in {' or '.join(ENDINGS)}. Got {str(given.out)!r}.")
    runs = Runs.read(dict.fromkeys(found.absolute() for place in given.dir for found in directories(place)))
    if given.curves:
        schema, tables = long_schema(), runs.curves()
    else:
        table = runs.to_arrow()
        schema, tables = table.schema, iter([table])
    if given.out is None:
        text = io.BytesIO()
        write(text, ".csv", schema, tables)
        sys.stdout.write(text.getvalue().decode())
        return 0
    rows = _write_file(given.out, schema, tables)
    print(f"{rows} {'rows' if given.curves else 'runs'} in {given.out}")
    return 0


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
    parser.add_argument("dir", metavar="DIR", nargs="+", type=Path, help="a run's directory, a sweep's, or one above")
    parser.add_argument("--curves", action="store_true", help="a row a logged number: run, step, metric, value")
    parser.add_argument("--out", metavar="FILE", type=Path, help="a .parquet or .csv file; by default csv is printed")
    return parser
