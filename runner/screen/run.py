"""What people read on the terminal: what is trained, the result, a leaderboard. `runner.screen.live` is what moves."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from datasets import survey
from runner.experiment.experiment import Experiment
from runner.runs import by_class, failures
from runner.runs.files import relative
from runner.runs.findings import WRONG_GRADIENT, advice, explained, headline
from runner.runs.provenance import command
from runner.runs.result import Result
from runner.screen.terminal import command as copied
from runner.screen.terminal import console, number, say, sparkline
from runner.screen.typed import typed
from runner.training import shrink, threads
from runner.training.kinds import kind_of


def introduce(experiment: Experiment) -> None:
    """One line on what is trained, and one a note."""
    recipe, config = experiment.recipe, experiment.config
    shape = "-".join(str(width) for width in recipe.widths)
    rows = ", ".join(f"{n} {name}" for name, n in recipe.sizes.items())
    fault = "" if config["fault"]["name"] == "none" else f", fault {config['fault']['name']}"
    hidden = f" {experiment.activation}" if len(recipe.widths) > 2 else ""
    network = f"{shape}{hidden}, {experiment.output}, {experiment.loss}  init {config['init']['name']}"
    update = config["optimizer"]["name"]
    kind = kind_of(recipe)
    if not kind.known:
        network = f"{kind.title} {shape}, {kind.size} parameters"
    if kind.updates_itself:
        update = "its own step,"
    if not kind.known and not kind.in_memory:  # a script: all else is its own
        say(f"{kind.title}  {kind.size} parameters, its own steps, seed {recipe.seed}", bold=len(kind.title))
        for note in experiment.notes:
            say(note)
        return
    name = experiment.dataset.name
    trained = f"{name} ({rows})  {network}, {update} lr {config['optimizer']['lr']:g}"
    say(f"{trained}, {recipe.plan.iterations} iterations, seed {recipe.seed}{fault}", bold=len(name))
    if experiment.dataset.source != "made":
        say(survey.overview(experiment.dataset))
        for line in survey.schema(experiment.dataset):
            say(line)
    shrunk, blas = shrink.describe(recipe), threads.count(recipe)
    if shrunk or blas > 1:
        say(", ".join(filter(None, [shrunk, f"{blas} BLAS threads" if blas > 1 else None])))
    for note in experiment.notes:
        say(note)


def result(ended: Result) -> None:
    """How a run ended: its status, the last and best values, the cost's course, whether the target was reached."""
    out, experiment = console(), ended.experiment
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title, justify in (("", "left"), ("last", "right"), ("best", "right")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    metrics = kind_of(experiment.recipe).metrics
    for name in experiment.recipe.sets:
        for key in (f"{name}/cost", f"{name}/{experiment.recipe.scored}"):
            if key in metrics:  # a network of the user's own may have no predict(X)
                table.add_row(key, number(ended.last.get(key)), number(ended.best.get(key)))
    table.add_row("grad_norm", number(ended.last.get("grad_norm")), "")
    say(f"{ended.status} after {ended.step} iterations in {ended.seconds:.2f} s   {sparkline(ended.curve)}")
    out.print(table)
    for line in by_class.lines(ended.by_class):
        say(line)
    if ended.nonfinite:
        say(f"first non-finite value: {where(ended)}{came_back(ended)}")
    if ended.error:
        say(ended.error.rstrip())
    target = experiment.target
    relation = "<=" if target.metric.endswith("/cost") else ">="
    met, style = ("reached", "green") if ended.target_reached else ("missed", "red")
    constant = f"   (always answering the base rate costs {experiment.constant_cost:.6g})"
    if math.isnan(experiment.constant_cost):
        constant = ""  # the cost is the user's own
    say(f"target {target.metric} {relation} {target.value:.6g}: {met}{constant}", style)
    say(f"in {relative(ended.directory)}")


def findings(told: Sequence[Result], results: Sequence[Result]) -> None:
    """Why runs failed: of one run all of it, of a sweep's a line a cause, and what was not looked at."""
    if len(results) == 1:
        for result in told:
            for number, finding in enumerate(result.findings, 1):
                told_before = number > 1 and finding["meaning"] == result.findings[number - 2]["meaning"]
                _finding(number, finding, told_before)
        return
    kinds = failures.kinds(results)
    seen = [kind for kind in kinds if any(run.findings for run in kind)]
    counts: dict[str, list[Result]] = {}
    for result in told:
        counts.setdefault(headline(result.findings[0]), []).append(result)
    for cause, runs in counts.items():
        alike = sum(len(kind) for kind in kinds if any(run is one for run in runs for one in kind))
        many = f"{len(runs)} runs" if alike <= len(runs) else f"{len(runs)} looked at of {alike} runs that failed alike"
        say(f"diagnosis: {cause.rstrip('.')}: {many}, such as {runs[0].name}")
    if len(seen) < len(kinds):
        more = f"diagnosis.most={len(kinds)} diagnosis.seconds=600"
        say(f"{len(seen)} of {len(kinds)} kinds of failure were looked at; the others too: {more}")


def cure(failed: Result, run: Result | None) -> None:
    """The change that was found to reach the target, and its run; or what was tried."""
    found = failed.findings[0]["cure"]
    if run is not None and found["override"]:
        say(f"cured: {found['words']}, in {run.seconds:.2f} s each: {relative(run.directory)}")
        copied(typed(command(run.experiment.overrides)))
        return
    say(f"no cure: {found['words']}; the nearest:")
    for each in sorted(found["tried"], key=lambda each: -each["reached"])[:5]:
        say(f"  {each['reached']} of {each['of']} seeds with {' '.join(each['overrides'])}")


def _finding(number: int, finding: Mapping[str, Any], told_before: bool) -> None:
    failed = finding["symptom"] != WRONG_GRADIENT
    head = (
        "and then" if number > 1 else "why it failed" if failed else "the target was reached, and the gradient is wrong"
    )
    where = (
        f" (layer {finding['layer']}, {finding['array']})" if finding["layer"] and not finding.get("headline") else ""
    )
    when = f"; {finding['symptom']} at step {finding['step']}" if failed else ""
    say(f"{head}: {headline(finding).rstrip('.')}{where}{when}")
    for line in [*([] if told_before or not finding["meaning"] else [finding["meaning"]]), *finding["evidence"]]:
        if line.strip():
            say(f"  {line}")
    if finding["alternatives"]:
        names = ", ".join(_words(name) for name in finding["alternatives"])
        say(f"  the evidence does not rule out: {names}")
    if page := explained(finding):
        say(f"  about this cause: {page}")
    if finding["override"]:
        say(f"  {advice(finding)}: {' '.join(finding['override'])}")


def _words(name: str) -> str:
    return name.replace("_", " ")


def where(ended: Result) -> str:
    """The first non-finite value of a run, in words."""
    assert ended.nonfinite is not None
    return str(ended.nonfinite)


def came_back(ended: Result) -> str:
    """That a run went on after a value was not finite, and ended with finite ones; "" where it did not."""
    return "" if ended.nonfinite is None or ended.failed else "; it came back: what it ended with is finite"
