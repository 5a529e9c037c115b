"""What people see on the terminal: a progress line while training runs, then the result, then the links."""

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from runner.experiment import Experiment
from runner.record import Record
from runner.tracking import Progress as Tracked

BARS = "▁▂▃▄▅▆▇█"


def console() -> Console:
    """Standard output. Where it is not a terminal nothing is coloured or wrapped."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def problems(sentences: Sequence[str]) -> None:
    """Every mistake on a line of its own, on standard error."""
    head = "1 mistake" if len(sentences) == 1 else f"{len(sentences)} mistakes"
    print(f"{head} in the configuration; nothing was run.", file=sys.stderr)
    for sentence in sentences:
        print(f"  {sentence}", file=sys.stderr)


def introduce(experiment: Experiment) -> None:
    """One line on what is trained, and one a note."""
    out, recipe, config = console(), experiment.recipe, experiment.config
    shape = "-".join(str(width) for width in recipe.widths)
    rows = ", ".join(f"{len(data.X)} {name}" for name, data in recipe.sets.items())
    fault = "" if config["fault"]["name"] == "none" else f", fault {config['fault']['name']}"
    hidden = f" {config['architecture']['activation']}" if len(recipe.widths) > 2 else ""
    out.print(
        f"[bold]{experiment.dataset.name}[/] ({rows})  {shape}{hidden}, {experiment.output}, {experiment.loss}  "
        f"init {config['init']['name']}, {config['optimizer']['name']} lr {config['optimizer']['lr']:g}, "
        f"{recipe.plan.iterations} iterations, seed {recipe.seed}{fault}"
    )
    for note in experiment.notes:
        out.print(Text(note))


@contextmanager
def live(jobs: int, iterations: int, wanted: bool) -> Iterator[Callable[[Record], None]]:
    """A progress line: for one run its iteration, cost and accuracy; for a sweep the runs that are done."""
    if not wanted or not sys.stderr.isatty():
        yield lambda record: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[state]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        total = iterations if jobs == 1 else jobs
        task = bar.add_task("training", total=total, state="")
        ended: set[int] = set()
        bad: set[int] = set()

        def advance(record: Record) -> None:
            if jobs == 1:
                cost, accuracy = (
                    record.last.get("train/cost", math.nan),
                    record.last.get("train/accuracy", math.nan),
                )
                state = f"{record.step}  cost {cost:.4g}  accuracy {accuracy:.3f}"
                bar.update(task, completed=record.step, state=state)
            elif record.status is not None:
                ended.add(id(record))
                if record.status in ("diverged", "error"):
                    bad.add(id(record))
                bar.update(task, completed=len(ended), state=f"{len(ended)} of {jobs}, {len(bad)} diverged or failed")

        yield advance


@contextmanager
def waiting(runs: int) -> Iterator[Callable[[Tracked], None]]:
    """A line while the tracking process brings the last of the journals into the store."""
    if not sys.stderr.isatty():
        yield lambda tracked: None
        return
    columns = (TextColumn("into MLflow"), BarColumn(), TextColumn("{task.fields[state]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("tracking", total=None, state="")

        def advance(tracked: Tracked) -> None:
            total = tracked.bytes or None
            bar.update(
                task,
                completed=tracked.bytes_done,
                total=total,
                state=f"{tracked.done} of {tracked.runs} runs",
            )

        yield advance


def result(record: Record) -> None:
    """How a run ended: its status, the last and best values, the cost's course, whether the target was reached."""
    out = console()
    experiment, last, best = record.experiment, record.last, record.best
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title, justify in (("", "left"), ("last", "right"), ("best", "right")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    for name in experiment.recipe.sets:
        for kind in ("cost", "accuracy"):
            key = f"{name}/{kind}"
            table.add_row(key, number(last.get(key)), number(best.get(key)))
    table.add_row("grad_norm", number(last.get("grad_norm")), "")
    out.print(f"{record.status} after {record.step} iterations in {record.seconds:.2f} s   {sparkline(record.curve)}")
    out.print(table)
    if record.nonfinite:
        bad = record.nonfinite
        gradient = f", the first bad gradient is {bad.first_bad_gradient}" if bad.first_bad_gradient else ""
        out.print(f"first non-finite value: {bad.array} of layer {bad.layer} at step {bad.step}{gradient}")
    if record.error:
        out.print(Text(record.error.rstrip()))
    target = experiment.target
    relation = "<=" if target.metric.endswith("/cost") else ">="
    met = "reached" if record.target_reached else "missed"
    out.print(
        f"target {target.metric} {relation} {target.value:.6g}: {met}"
        f"   (always answering the base rate costs {experiment.constant_cost:.6g})"
    )
    out.print(f"in {relative(record.directory)}")


def leaderboard(records: Sequence[Record], most: int = 20) -> None:
    """A sweep's runs, best objective first, then those that failed; names show only what differs."""
    out = console()
    metric = records[0].experiment.recipe.plan.objective
    sign = 1 if records[0].experiment.recipe.plan.mode == "min" else -1
    order = sorted(records, key=lambda record: (_failed(record), sign * _finite(record.last.get(metric), sign)))
    table = Table(box=None, pad_edge=False, header_style="dim")
    shown = [metric, *(f"{name}/accuracy" for name in records[0].experiment.recipe.sets)]
    for title in ("run", "status", *shown, "target", "training cost"):
        table.add_column(title, justify="right" if "/" in title else "left", no_wrap=title != "run")
    for record in order[:most]:
        table.add_row(
            Text(record.name),
            record.status or "",
            *(number(record.last.get(key)) for key in shown),
            "reached" if record.target_reached else "missed",
            sparkline(record.curve, 12),
        )
    out.print(table)
    if len(order) > most:
        out.print(f"... and {len(order) - most} more")
    for record in order:
        if record.error:
            out.print(Text(f"{record.name}: {record.error.strip().splitlines()[-1]}"))


def number(value: float | None) -> str:
    """Six significant digits, the way that a table wants them."""
    return "" if value is None else f"{value:.6g}"


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """The course of the values in a line of bars, from their least to their greatest; `!` where not finite.

    >>> sparkline([1.0, 0.5, 0.0, math.nan])
    '█▅▁!'
    """
    if len(values) > width:
        values = [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return "!" * len(values)
    low, span = min(finite), (max(finite) - min(finite)) or 1.0
    return "".join(
        BARS[round((value - low) / span * (len(BARS) - 1))] if math.isfinite(value) else "!" for value in values
    )


def relative(path: Path) -> str:
    """A path from the working directory where it is inside of it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _failed(record: Record) -> bool:
    return record.status in ("diverged", "error")


def _finite(value: float | None, sign: int) -> float:
    return value if value is not None and math.isfinite(value) else sign * math.inf
