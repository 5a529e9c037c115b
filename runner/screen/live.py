"""What moves on the terminal, or in a notebook, while training runs and while the store is filled.

Nothing where there is neither.
"""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from runner.experiment.experiment import Experiment
from runner.runs.result import Result
from runner.screen.notebook import Cell
from runner.tracking.tracker import Progress as Tracked


class Seen(Protocol):
    """A run while it trains: what is trained, and what is known of it."""

    @property
    def experiment(self) -> Experiment: ...
    @property
    def result(self) -> Result: ...


@contextmanager
def training(jobs: int, iterations: int, wanted: bool) -> Iterator[Callable[[Seen], None]]:
    """For one run its iteration, cost, accuracy and gradient norm in a line; for a sweep a table of how it stands.

    What it gives is to be called with a record at each of its rows and at its end.
    """
    if wanted and (cell := Cell.of_notebook()):
        with cell:
            yield _in_notebook(cell, jobs, iterations)
    elif not wanted or not sys.stderr.isatty():
        yield lambda record: None
    elif jobs == 1:
        with _line() as bar:
            task = bar.add_task("training", total=iterations, state="")
            yield lambda record: bar.update(task, completed=record.result.step, state=_now(record))
    else:
        standing = Standing(jobs)
        with Live(get_renderable=standing.table, console=Console(stderr=True), transient=True):
            yield standing.take


@contextmanager
def waiting() -> Iterator[Callable[[Tracked], None]]:
    """A line while the tracking process brings the last of the journals into the store."""
    if cell := Cell.of_notebook():
        with cell:
            yield lambda tracked: cell.show(tracked.done, tracked.runs, f"into MLflow: {_brought(tracked)}")
        return
    if not sys.stderr.isatty():
        yield lambda tracked: None
        return
    with _line() as bar:
        task = bar.add_task("into MLflow", total=None, state="")
        yield lambda tracked: bar.update(
            task,
            completed=tracked.bytes_done,
            total=tracked.bytes or None,
            state=_brought(tracked),
        )


@contextmanager
def looking(what: str, wanted: bool) -> Iterator[Callable[[int], None]]:
    """A line that moves while experiments are made on copies of a run: it is told how many there were."""
    if not wanted or not sys.stderr.isatty():
        yield lambda experiments: None
        return
    with Console(stderr=True).status(what) as line:
        yield lambda experiments: line.update(f"{what}: {experiments} experiments (Ctrl-C leaves out the rest)")


class Standing:
    """How a sweep of `jobs` runs stands: what is done, the best objective so far, what went wrong, the time left.

    >>> print(Standing(3).words())
    0 of 3 done
    """

    def __init__(self, jobs: int) -> None:
        self.jobs, self.began = jobs, time.monotonic()
        self.ended: dict[str, int] = {}  # how many runs by their status
        self._runs: dict[int, tuple[Seen, float]] = {}  # those begun, and how much of each is done
        self._sum = 0.0

    def take(self, record: Seen) -> None:
        """A run has a new row, or has ended."""
        plan, result = record.experiment.recipe.plan, record.result
        share = 1.0 if result.status else result.step / max(plan.iterations, 1)
        self._sum += share - self._runs.get(id(record), (record, 0.0))[1]
        self._runs[id(record)] = record, share
        if result.status:
            self.ended[result.status] = self.ended.get(result.status, 0) + 1

    @property
    def best(self) -> Seen | None:
        """The run with the best objective as of now, whether it has ended or not."""
        good = [record for record, _ in self._runs.values() if math.isfinite(record.result.objective)]
        good = [record for record in good if record.result.status in (None, "finished")]
        sign = 1 if good and good[0].experiment.recipe.plan.mode == "min" else -1
        return min(good, key=lambda record: sign * record.result.objective, default=None)

    def words(self) -> str:
        """It in a line: `12 of 20 done, best train/cost 0.0312 (lr=1), 2 diverged`."""
        parts, best = [f"{sum(self.ended.values())} of {self.jobs} done"], self.best
        if best is not None:
            plan, result = best.experiment.recipe.plan, best.result
            parts.append(f"best {plan.objective} {result.objective:.4g} ({result.name})")
        parts += [f"{count} {status}" for status, count in self.ended.items() if status != "finished"]
        return ", ".join(parts)

    @property
    def left(self) -> float | None:
        """Seconds until the end, if the rest goes as what is done went."""
        done = self._sum / self.jobs
        return (time.monotonic() - self.began) * (1 - done) / done if done > 0 else None

    def table(self) -> Group:
        """It as the terminal shows it."""
        table = Table(box=None, pad_edge=False, header_style="dim")
        cells, best = {"done": f"{sum(self.ended.values())} of {self.jobs}"}, self.best
        if best is not None:
            cells[f"best {best.experiment.recipe.plan.objective}"] = f"{best.result.objective:.4g}"
            cells["of"] = best.result.name
        cells |= {status: str(self.ended.get(status, 0)) for status in ("diverged", "error")}
        cells |= {status: str(count) for status, count in self.ended.items() if status not in ("finished", *cells)}
        cells["time left"] = "" if self.left is None else f"{self.left // 60:.0f}:{self.left % 60:02.0f}"
        for title in cells:
            table.add_column(title, no_wrap=True)
        table.add_row(*(Text(cell) for cell in cells.values()))
        bar = Table.grid()
        bar.add_row(ProgressBar(total=self.jobs, completed=self._sum, width=60))
        return Group(bar, table)


def _in_notebook(cell: Cell, jobs: int, iterations: int) -> Callable[[Seen], None]:
    """The same in the output of a cell, where it stays."""
    if jobs == 1:
        return lambda record: cell.show(record.result.step, iterations, _now(record))
    standing = Standing(jobs)

    def take(record: Seen) -> None:
        standing.take(record)
        cell.show(sum(standing.ended.values()), jobs, standing.words())

    return take


def _brought(tracked: Tracked) -> str:
    return f"{tracked.done} of {tracked.runs} runs"


def _line() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[state]}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _now(record: Seen) -> str:
    last, nothing = record.result.last, math.nan
    scored = record.result.experiment.recipe.scored
    cost, score = last.get("train/cost", nothing), last.get(f"train/{scored}", nothing)
    norm = last.get("grad_norm", nothing)
    return f"{record.result.step}  cost {cost:.4g}  {scored} {score:.3f}  gradient {norm:.3g}"
