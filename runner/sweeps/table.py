"""The runs of a sweep, or of any folder, as a table: a row a run, what it was beside how it ended.

A row has the run's name, status and place, its hyper-parameters by their dotted keys, and its metrics: `train/cost` as
at the end, `best/train/cost`. What a run does not have is None.
"""

import csv
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from runner import Refusal
from runner.experiment.identity import NOT_DECISIVE
from runner.experiment.schema import suggest
from runner.runs import journal, shown, trace
from runner.runs.files import SUMMARY, relative
from runner.runs.trace import Trace
from runner.sweeps.leaderboard import RUNS, SUMMARY_DIR

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

SHOWN = 20  # rows that a notebook shows
LONG = {"run": "string", "step": "int64", "metric": "string", "value": "float64"}  # columns and Arrow's types


@dataclass(frozen=True, eq=False, repr=False)
class Row(Mapping[str, Any]):
    """A run in the table: a mapping of its columns, and `trace`, the run itself."""

    directory: Path
    columns: Mapping[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.columns[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __repr__(self) -> str:
        return f"Row({self['run']}: {self['status']}; {relative(self.directory)})"

    @property
    def trace(self) -> Trace:
        """The run as arrays. Raises `runner.runs.journal.NoRun` where it has not ended."""
        return trace.load(self.directory)


class Runs(Sequence[Row]):
    """A table of runs: `runs[0]` is a row, `runs["train/cost"]` a column, `runs[:3]` a shorter table."""

    def __init__(self, rows: Iterable[Row]):
        self._rows = list(rows)

    @classmethod
    def read(cls, directories: Iterable[Path]) -> "Runs":
        """The table of the runs in these directories, in their order."""
        rows = [row for directory in directories if (row := _row(directory)) is not None]
        names = Counter(row["run"] for row in rows)
        for row in rows:
            if names[row["run"]] > 1:  # rows of curves are known by it
                row.columns["run"] += f" ({relative(row.directory)})"  # type: ignore[index]
        return cls(rows)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, key: int) -> Row: ...
    @overload
    def __getitem__(self, key: slice) -> "Runs": ...
    @overload
    def __getitem__(self, key: str) -> list[Any]: ...
    def __getitem__(self, key: int | slice | str) -> Any:
        if isinstance(key, str):
            self._known([key])
            return self._column(key)
        return Runs(self._rows[key]) if isinstance(key, slice) else self._rows[key]

    def keys(self) -> list[str]:
        """The columns that any of the runs has."""
        return list(dict.fromkeys(key for row in self._rows for key in row.columns))

    def varied(self) -> list[str]:
        """The hyper-parameters in which those of the runs differ that have them."""
        found: dict[str, set[str]] = {}
        for row in self._rows:
            for key, value in row.columns.items():
                if "/" not in key and ("." in key or key in LOOSE):
                    found.setdefault(key, set()).add(str(value))
        return [key for key, values in found.items() if len(values) > 1]

    def filter(self, condition: Callable[[Row], bool] | None = None, /, **values: Any) -> "Runs":
        """The runs for which the condition holds, and whose columns have these values.

        `runs.filter(lambda run: run["train/cost"] < 0.1, status="finished", **{"optimizer.lr": 0.1})`
        """
        self._known(values)
        kept = [row for row in self._rows if all(row.columns.get(key) == value for key, value in values.items())]
        return Runs(row for row in kept if condition is None or condition(row))

    def group(self, *keys: str) -> dict[Any, "Runs"]:
        """The runs by the value of a column, or by the values of several."""
        self._known(keys)
        found: dict[Any, list[Row]] = {}
        for row in self._rows:
            values = tuple(row.columns.get(key) for key in keys)
            found.setdefault(values[0] if len(keys) == 1 else values, []).append(row)
        return {value: Runs(rows) for value, rows in found.items()}

    def sort(self, key: str, descending: bool = False) -> "Runs":
        """The runs in the order of a column, those without a value last."""
        self._known([key])
        there = [row for row in self._rows if (value := row.columns.get(key)) is not None and value == value]
        ordered = sorted(there, key=lambda row: row.columns[key], reverse=descending)
        return Runs([*ordered, *(row for row in self._rows if row not in there)])

    def to_arrow(self) -> "pyarrow.Table":
        """The table as Arrow has it, each column of one type."""
        import pyarrow  # late: replay and predict, whose module this is too, need none of it

        return pyarrow.table({key: _column(self._column(key)) for key in self.keys()})

    def to_frame(self) -> "pandas.DataFrame":
        """The table as a pandas DataFrame."""
        import pandas  # late: it is slow to import

        return pandas.DataFrame({key: self._column(key) for key in self.keys()})

    def to_polars(self) -> "polars.DataFrame":
        """The table as a Polars DataFrame. Raises Refusal where Polars is not installed."""
        try:
            import polars
        except ImportError:
            raise Refusal("Polars is not installed: pip install polars. to_frame() gives pandas.") from None
        return polars.DataFrame(polars.from_arrow(self.to_arrow()))

    def curves(self) -> Iterator["pyarrow.Table"]:
        """The rows of every run in long form, a table a run: run, step, metric, value."""
        import pyarrow

        schema = long_schema()
        for row in self._rows:
            run, step, metric, value = [], [], [], []
            for record, _ in journal.read(row.directory):
                for key, number in record["values"].items() if record["kind"] == "row" else ():
                    run.append(row["run"])
                    step.append(record["step"])
                    metric.append(key)
                    value.append(number)
            yield pyarrow.table([run, step, metric, value], schema=schema)

    def __repr__(self) -> str:
        ends = ", ".join(f"{number} {status}" for status, number in Counter(self["status"]).items()) if self else ""
        return f"Runs({len(self)}{': ' if ends else ''}{ends})"

    def _repr_html_(self) -> str:
        told = [key for key in shown.TOLD if key in self.keys()]
        keys = [key for key in ("run", "status", *self.varied(), *told) if key in self.keys()]
        more = f"<div>{len(self) - SHOWN} more</div>" if len(self) > SHOWN else ""
        return shown.table(keys, [[row.columns.get(key) for key in keys] for row in self._rows[:SHOWN]]) + more

    def _column(self, key: str) -> list[Any]:
        return [row.columns.get(key) for row in self._rows]

    def _known(self, keys: Iterable[str]) -> None:
        there = self.keys()
        for key in keys:
            if key not in there and self._rows:
                raise KeyError(f"{key}: the runs have no such column.{suggest(key, there)}")


def long_schema() -> "pyarrow.Schema":
    """What `Runs.curves` gives, as Arrow has it."""
    import pyarrow

    return pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, kind in LONG.items()])


LOOSE = ("seed", "rng", "dtype", "experiment")  # hyper-parameters of no group


def directories(place: Path) -> list[Path]:
    """Where the runs of a sweep lie, best first and those that it found done among them; or all runs below a folder.

    Raises `runner.runs.journal.NoRun` where there is none.
    """
    if (place / journal.FILE).exists():
        return [place]
    found = dict.fromkeys(_ranked(place))
    for directory in sorted(_below(place.absolute()), key=_counted):
        found.setdefault(directory)
    if not found:
        raise journal.NoRun(f"{place} holds no run: there is no {journal.FILE} in it or below.")
    return list(found)


def _below(place: Path) -> Iterator[Path]:
    """The directories of runs below a folder, but for the sweeps' own; a run below another is its cure, and none."""
    for folder, inside, files in os.walk(place):
        if journal.FILE in files:
            inside.clear()
            if os.path.basename(folder) != SUMMARY_DIR:
                yield Path(folder)


def _ranked(place: Path) -> Iterator[Path]:
    """The directories that the leaderboard of a sweep names, where they are or beside it, if it was brought here."""
    table = place / SUMMARY_DIR / RUNS
    if table.exists():
        with table.open(newline="") as file:
            for row in csv.DictReader(file):
                candidates = Path(row["directory"]), place.absolute() / Path(row["directory"]).name
                yield from [path for path in candidates if (path / journal.FILE).exists()][:1]


def _counted(path: Path) -> list[tuple[int, str]]:
    """Jobs in the order of their numbers: 2 before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in path.parts]


def _row(directory: Path) -> Row | None:
    """A run's row; None for one that was killed before it began."""
    try:
        start = journal.first(directory)
    except journal.JournalError:
        return None
    path = directory / SUMMARY
    said = json.loads(path.read_text()) if path.exists() else {}
    metrics = said.get("metrics", {"last": {}, "best": {}})
    columns = {
        "run": start["name"],
        "status": said.get("status") or journal.status(directory),
        "reached": said.get("target", {}).get("reached"),
        "steps": said.get("steps"),
        "seconds": said.get("timings", {}).get("training_seconds"),
        "first_nonfinite_step": (said.get("first_nonfinite") or {}).get("step"),
        "mlflow_run_id": said.get("mlflow_run_id"),
        "directory": str(directory),
        **{key: None if value == "null" else value for key, value in start["params"].items() if _decisive(key)},
        **{key: float(value) for key, value in metrics["last"].items()},
        **{f"best/{key}": float(value) for key, value in metrics["best"].items()},
    }
    return Row(directory, columns)


@cache
def _decisive(key: str) -> bool:
    return key.split(".")[0] not in NOT_DECISIVE


def _column(values: Sequence[Any]) -> "pyarrow.Array":
    """Values as a column of one type: numbers where all are, else text."""
    import pyarrow

    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return pyarrow.array([None if value is None else float(value) for value in values], pyarrow.float64())
    if len(kinds) > 1:
        return pyarrow.array([None if value is None else str(value) for value in values], pyarrow.string())
    return pyarrow.array(values, None if kinds else pyarrow.string())
