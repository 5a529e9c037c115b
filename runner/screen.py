"""What people see on the terminal: a progress line while training runs, then the result, then the links."""

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from runner import shrink, threads
from runner.experiment import Experiment
from runner.leaderboard import Fold, fold, ranked
from runner.record import Record, Result
from runner.tracking import Progress as Tracked

BARS = "▁▂▃▄▅▆▇█"


def console() -> Console:
    """Standard output. Where it is not a terminal nothing is coloured, and lines are as long as they are."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160, soft_wrap=True)


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
    shrunk, blas = shrink.describe(recipe), threads.count(recipe)
    if shrunk or blas > 1:
        out.print(", ".join(filter(None, [shrunk, f"{blas} BLAS threads" if blas > 1 else None])))
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
        ended: list[Result] = []

        def advance(record: Record) -> None:
            if jobs == 1:
                now = record.result
                cost, accuracy = now.last.get("train/cost", math.nan), now.last.get("train/accuracy", math.nan)
                bar.update(task, completed=now.step, state=f"{now.step}  cost {cost:.4g}  accuracy {accuracy:.3f}")
            elif record.result.status is not None:
                ended.append(record.result)
                bar.update(task, completed=len(ended), state=standing(ended, jobs))

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


def result(ended: Result) -> None:
    """How a run ended: its status, the last and best values, the cost's course, whether the target was reached."""
    out, experiment = console(), ended.experiment
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title, justify in (("", "left"), ("last", "right"), ("best", "right")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    for name in experiment.recipe.sets:
        for kind in ("cost", "accuracy"):
            key = f"{name}/{kind}"
            table.add_row(key, number(ended.last.get(key)), number(ended.best.get(key)))
    table.add_row("grad_norm", number(ended.last.get("grad_norm")), "")
    out.print(f"{ended.status} after {ended.step} iterations in {ended.seconds:.2f} s   {sparkline(ended.curve)}")
    out.print(table)
    if ended.nonfinite:
        out.print(f"first non-finite value: {where(ended)}")
    if ended.error:
        out.print(Text(ended.error.rstrip()))
    target = experiment.target
    relation = "<=" if target.metric.endswith("/cost") else ">="
    met = "reached" if ended.target_reached else "missed"
    out.print(
        f"target {target.metric} {relation} {target.value:.6g}: {met}"
        f"   (always answering the base rate costs {experiment.constant_cost:.6g})"
    )
    out.print(f"in {relative(ended.directory)}")


def findings(told: Sequence[Result], of: int) -> None:
    """Why runs failed: of one run all of it, of a sweep's a line a cause."""
    out = console()
    if of == 1:
        for result in told:
            for number, finding in enumerate(result.findings, 1):
                told_before = number > 1 and finding["meaning"] == result.findings[number - 2]["meaning"]
                _finding(out, number, finding, told_before)
        return
    counts: dict[str, list[str]] = {}
    for result in told:
        for finding in result.findings[:1]:
            counts.setdefault(finding["cause"], []).append(result.name)
    for cause, names in counts.items():
        out.print(Text(f"diagnosis: {_words(cause)}: {len(names)} runs, such as {names[0]}"))


def _finding(out: Console, number: int, finding: Mapping[str, Any], told_before: bool) -> None:
    head = "why it failed" if number == 1 else "and then"
    where = f" (layer {finding['layer']}, {finding['array']})" if finding["layer"] else ""
    out.print(Text(f"{head}: {_words(finding['cause'])}{where}; {finding['symptom']} at step {finding['step']}"))
    for line in [*([] if told_before else [finding["meaning"]]), *finding["evidence"]]:
        out.print(Text(f"  {line}"))
    if finding["alternatives"]:
        names = ", ".join(_words(name) for name in finding["alternatives"])
        out.print(Text(f"  the evidence does not rule out: {names}"))
    if finding["override"]:
        out.print(Text(f"  mend it with: {' '.join(finding['override'])}"))


def _words(name: str) -> str:
    return name.replace("_", " ")


def where(ended: Result) -> str:
    """The first non-finite value of a run, in words."""
    bad = ended.nonfinite
    assert bad is not None
    gradient = f", the first bad gradient is {bad.first_bad_gradient}" if bad.first_bad_gradient else ""
    return f"{bad.array} of layer {bad.layer} at step {bad.step}{gradient}"


def standing(ended: Sequence[Result], jobs: int) -> str:
    """A sweep so far: how many are done, the best objective, how many went wrong."""
    good = [result.objective for result in ended if not result.failed and math.isfinite(result.objective)]
    plan = ended[0].experiment.recipe.plan
    best = f", best {plan.objective} {(min if plan.mode == 'min' else max)(good):.4g}" if good else ""
    counts = {status: sum(result.status == status for result in ended) for status in ("diverged", "error")}
    bad = "".join(f", {count} {status}" for status, count in counts.items() if count)
    return f"{len(ended)} of {jobs}{best}{bad}"


def leaderboard(results: Sequence[Result], most: int = 20) -> None:
    """A sweep's runs, best objective first; where seeds were swept, each setting once, with median and quartiles."""
    out = console()
    folded = fold(results)
    if len(folded) < len(results):
        _seeds(out, folded, most)
    else:
        _runs(out, results, most)
    failures = [result for result in results if result.failed]
    if failures:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for title in ("diverged or failed", "status", "why"):
            table.add_column(title)
        for failure in failures[:most]:
            why = where(failure) if failure.nonfinite else (failure.error or "").strip().splitlines()[-1]
            table.add_row(Text(failure.name), failure.status or "", Text(why))
        out.print(table)
        if len(failures) > most:
            out.print(f"... and {len(failures) - most} more")


def _runs(out: Console, results: Sequence[Result], most: int) -> None:
    metric = results[0].experiment.recipe.plan.objective
    table = Table(box=None, pad_edge=False, header_style="dim")
    shown = [metric, *(f"{name}/accuracy" for name in results[0].experiment.recipe.sets)]
    table.add_column("run", min_width=16, overflow="fold")
    for title in ("status", *shown, "target", "cost"):
        table.add_column(title, justify="right" if "/" in title else "left", no_wrap=True)
    ordered = ranked(results)
    for run in ordered[:most]:
        table.add_row(
            Text(run.name),
            f"{run.status}, skipped" if run.skipped else run.status or "",
            *(number(run.last.get(key), 4) for key in shown),
            "reached" if run.target_reached else "missed",
            sparkline(run.curve, 8),
        )
    out.print(table)
    if len(ordered) > most:
        out.print(f"... and {len(ordered) - most} more")


def _seeds(out: Console, folded: Sequence[Fold], most: int) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("setting", min_width=16, overflow="fold")
    for title in ("seeds", folded[0].metric, "quartiles", "reached", "failed"):
        table.add_column(title, justify="right", no_wrap=True)
    for setting in folded[:most]:
        low, middle, high = (number(value, 4) for value in setting.quartiles)
        bad = str(setting.failed or "")
        table.add_row(Text(setting.name), str(setting.n), middle, f"{low} .. {high}", f"{setting.reached}", bad)
    out.print(table)
    if len(folded) > most:
        out.print(f"... and {len(folded) - most} more")


def number(value: float | None, digits: int = 6) -> str:
    """So many significant digits, the way that a table wants them."""
    return "" if value is None else f"{value:.{digits}g}"


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
