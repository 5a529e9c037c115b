"""What people read of a sweep or a search: what is to be made, what would be, and the leaderboard."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner.experiment.experiment import Experiment
from runner.runs.files import hide
from runner.runs.provenance import command
from runner.runs.record import Result
from runner.screen.run import relative, where
from runner.screen.terminal import console, number, sparkline
from runner.sweeps.leaderboard import Fold, fold, ranked
from runner.sweeps.planning import Plan, estimate
from runner.sweeps.search.ledger import Trial
from runner.sweeps.search.loop import Search, best


def standing(results: Sequence[Result], most: int = 20) -> None:
    """A sweep's runs, the best first; where seeds or folds were swept, each setting once, with median and quartiles."""
    out = console()
    folded = fold(results)
    if len(folded) < len(results):
        _seeds(out, folded, most, len({run.experiment.config["dataset"].get("fold") for run in results}) > 1)
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
    recipe = results[0].experiment.recipe
    metric = recipe.plan.objective
    table = Table(box=None, pad_edge=False, header_style="dim")
    shown = [metric, *(f"{name}/{recipe.scored}" for name in recipe.sets)]
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


def _seeds(out: Console, folded: Sequence[Fold], most: int, by_fold: bool) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("setting", min_width=16, overflow="fold")
    for title in ("runs" if by_fold else "seeds", folded[0].metric, "quartiles", "reached", "failed"):
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
    place = hide(options.storage)
    if options.shared:
        place = f"study {options.study or hunt.id} of {place}"
    more = f", {before} done before in {place}" if before else f", kept as {place}" if options.shared else ""
    how = f", one in {options.pruning} going on at each of {options.rungs} rungs" if options.pruning else ""
    return (
        f"search={options.name} over {over}: {hunt.wanted} trials, {options.batch} at a time{how}, in "
        f"{relative(sweep_dir)}{more}"
    )


def search_so_far(hunt: Search, trials: Sequence[Trial]) -> str:
    """How far a search is, and the best of it."""
    ended = sum(trial.status is not None for trial in trials)
    front, objectives = best(trials), hunt.probe.objectives
    text = f"{ended} of {max(hunt.wanted, ended)}"
    if len(objectives) > 1:
        return f"{text}, {len(front)} on the front"
    if not front:
        return text
    value = number(objectives[0].sign * front[0].objectives[0], 4)
    return f"{text}, best {objectives[0].metric} {value}: {hunt.name(front[0])}"


def search_is_late(hunt: Search, trials: Sequence[Trial]) -> str:
    """That a search has stopped before it has all its trials."""
    ended = sum(trial.status is not None for trial in trials)
    return f"search.timeout={hunt.options.timeout:g}: {ended} of {hunt.wanted} trials; the same command goes on"


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


def announce(asked: int, to_run: int, done: int, sweep_dir: Path) -> None:
    """How many runs there are to make, and why not all."""
    more = f", {done} of {asked} done before and skipped (sweep.skip_done=false runs them again)" if done else ""
    same = asked - to_run - done
    more += f", {same} asked for twice" if same > 0 else ""
    console().print(f"{to_run} runs in {relative(sweep_dir)}{more}")


def rehearse(how: Plan | None, names: Sequence[str], experiments: Sequence[Experiment], skipped: Sequence[str]) -> None:
    """What a sweep would do (sweep.dry_run=true): its stacks with their jobs, what it would skip, the time."""
    out = console()
    total = 0.0
    for numbers in how.stacks if how else []:
        seconds = estimate([experiments[number] for number in numbers])
        total += seconds
        out.print(
            f"a stack of {len(numbers)}, about {seconds:.2g} s: ", ", ".join(names[n] for n in numbers), markup=False
        )
    for name in skipped:
        out.print(f"skipped, done before: {name}", markup=False)
    if how:
        out.print(str(how))
    out.print(f"{len(experiments)} runs, about {total:.2g} s of training. Nothing was run (sweep.dry_run=true).")
