"""What people read on the terminal: what is trained, the result, a leaderboard. `runner.screen.live` is what moves."""

import math
import sys
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from datasets import survey
from runner.diagnosis.gradient.measure import Check
from runner.experiment.experiment import Experiment
from runner.runs.files import relative
from runner.runs.provenance import command
from runner.runs.result import Result
from runner.screen.terminal import bars
from runner.sweeps.leaderboard import Fold, fold, ranked
from runner.sweeps.search.ledger import Trial
from runner.sweeps.search.loop import Search, best
from runner.training import shrink, threads


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
    rows = ", ".join(f"{n} {name}" for name, n in recipe.sizes.items())
    fault = "" if config["fault"]["name"] == "none" else f", fault {config['fault']['name']}"
    hidden = f" {experiment.activation}" if len(recipe.widths) > 2 else ""
    network = f"{shape}{hidden}, {experiment.output}, {experiment.loss}  init {config['init']['name']}"
    update = config["optimizer"]["name"]
    if recipe.own is not None:
        network = f"{recipe.own.options.network} {shape}, {sum(prod(s) for _, s in recipe.own.layout)} parameters"
        update = "its own step," if recipe.own.options.update == "own" else update
    out.print(
        f"[bold]{experiment.dataset.name}[/] ({rows})  {network}, {update} lr {config['optimizer']['lr']:g}, "
        f"{recipe.plan.iterations} iterations, seed {recipe.seed}{fault}"
    )
    if experiment.dataset.source != "made":
        out.print(Text(survey.overview(experiment.dataset)))
    shrunk, blas = shrink.describe(recipe), threads.count(recipe)
    if shrunk or blas > 1:
        out.print(", ".join(filter(None, [shrunk, f"{blas} BLAS threads" if blas > 1 else None])))
    for note in experiment.notes:
        out.print(Text(note))


def result(ended: Result) -> None:
    """How a run ended: its status, the last and best values, the cost's course, whether the target was reached."""
    out, experiment = console(), ended.experiment
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title, justify in (("", "left"), ("last", "right"), ("best", "right")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    for name in experiment.recipe.sets:
        for kind in ("cost", "accuracy"):
            if f"{name}/{kind}" not in ended.last and experiment.recipe.own is not None:
                continue  # it has no predict(X)
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
    constant = f"   (always answering the base rate costs {experiment.constant_cost:.6g})"
    if experiment.recipe.own is not None:
        constant = ""
    out.print(f"target {target.metric} {relation} {target.value:.6g}: {met}{constant}")
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


def gradient(ended: Result, check: Check) -> None:
    """The verdict of the gradient check of a run, layer by layer."""
    rho = ", ".join(f"{layer.rho:.6f}" for layer in check.layers)
    words = "right in every layer" if check.mistake is None else f"{check.mistake.kind}: {check.mistake.sentence}"
    console().print(
        Text(f"gradient of {ended.name}: {words} (rho by layer {rho}; relative error {check.relative_error:.1e})")
    )
    for layer in check.layers:
        if not layer.ok and layer.worst:
            one = layer.worst[0]
            place = ", ".join(str(i) for i in one.place)
            console().print(
                Text(
                    f"  worst of layer {layer.layer}: {one.part}[{place}] is {one.analytic:.6g}, not {one.numeric:.6g}"
                )
            )


def cure(failed: Result, run: Result | None) -> None:
    """The change that was found to reach the target, and its run; or what was tried."""
    out, found = console(), failed.findings[0]["cure"]
    if run is not None and found["override"]:
        out.print(Text(f"cured: {found['words']}, in {run.seconds:.2f} s each: {relative(run.directory)}"))
        out.print(Text(f"  {command(run.experiment.overrides)}"))
        return
    out.print(Text(f"no cure: {found['words']}; the nearest:"))
    for each in sorted(found["tried"], key=lambda each: -each["reached"])[:5]:
        out.print(Text(f"  {each['reached']} of {each['of']} seeds with {' '.join(each['overrides'])}"))


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


def search_begins(hunt: Search, before: int, sweep_dir: Path) -> str:
    """What a search is about to do."""
    options = hunt.options
    over = ", ".join(one.key for one in hunt.space.ranges)
    more = f", {before} done before in {options.storage}" if before else ""
    how = f", one in {options.pruning} going on at each of {options.rungs} rungs" if options.pruning else ""
    return (
        f"search={options.name} over {over}: {options.trials} trials, {options.batch} at a time{how}, in "
        f"{relative(sweep_dir)}{more}"
    )


def search_so_far(hunt: Search, trials: Sequence[Trial]) -> str:
    """How far a search is, and the best of it."""
    ended = sum(trial.status is not None for trial in trials)
    front, objectives = best(trials), hunt.probe.objectives
    text = f"{ended} of {max(hunt.options.trials, ended)}"
    if len(objectives) > 1:
        return f"{text}, {len(front)} on the front"
    if not front:
        return text
    value = number(objectives[0].sign * front[0].objectives[0], 4)
    return f"{text}, best {objectives[0].metric} {value}: {hunt.name(front[0])}"


def search_ends(hunt: Search, trials: Sequence[Trial], most: int = 20) -> None:
    """The command of the best trial; of several objectives the trials that no other beats in all of them."""
    out, front, objectives = console(), best(trials), hunt.probe.objectives
    if not front:
        out.print("No trial ran to its end with a finite objective.")
    elif len(objectives) == 1:
        out.print(f"the best again: {command(hunt.space.overrides(front[0].drawn))}", markup=False)
    else:
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("Pareto front", min_width=16, overflow="fold")
        for one in objectives:
            table.add_column(f"{one.metric} ({one.mode})", justify="right", no_wrap=True)
        for trial in front[:most]:
            pairs = zip(objectives, trial.objectives, strict=True)
            table.add_row(Text(hunt.name(trial)), *(number(one.sign * value, 4) for one, value in pairs))
        out.print(table)
        if len(front) > most:
            out.print(f"... and {len(front) - most} more")


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
    low, span, steps = min(finite), (max(finite) - min(finite)) or 1.0, bars()
    return "".join(
        steps[round((value - low) / span * (len(steps) - 1))] if math.isfinite(value) else "!" for value in values
    )
