"""What people read of a sweep or a search: what is to be made, what would be, and the leaderboard."""

import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner.experiment.experiment import Experiment
from runner.runs.files import hide, relative
from runner.runs.provenance import command
from runner.runs.record import Result
from runner.screen.terminal import command as copied
from runner.screen.terminal import console, number, say, sparkline
from runner.screen.typed import typed
from runner.sweeps.leaderboard import Fold, fold, ranked
from runner.sweeps.planning import Plan, estimate
from runner.sweeps.search.ledger import Trial
from runner.sweeps.search.loop import Search, best


def standing(results: Sequence[Result], most: int = 20) -> None:
    """A sweep's runs, the best first; where seeds or folds were swept, each setting once, with median and quartiles.
    Then what went wrong: a reason each, with how many runs had it and the command of one of them.
    """
    out = console()
    folded = fold(results)
    if len(folded) < len(results):
        _seeds(out, folded, most, len({run.experiment.config["dataset"].get("fold") for run in results}) > 1)
    else:
        _runs(out, results, most)
    reasons = failures(results)
    for reason, failed in list(reasons.items())[:most]:
        say(f"{len(failed)} {reason}, such as {failed[0].name}", "red")
        copied(typed(command(failed[0].experiment.overrides)))
    if len(reasons) > most:
        say(f"... and {len(reasons) - most} more reasons")


def failures(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The runs that failed by reason: errors first, then what diverged; of each kind the most frequent first."""
    found: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if result.failed:
            found.setdefault((result.status or "", _reason(result)), []).append(result)
    ordered = sorted(found.items(), key=lambda item: (item[0][0] != "error", -len(item[1])))
    return {_words(*kind, failed): failed for kind, failed in ordered}


def _reason(result: Result) -> str:
    """What runs that failed alike have in common: the error, or the array that was first not finite."""
    if result.nonfinite is not None:
        return result.nonfinite.what
    return ((result.error or "").strip().splitlines() or ["no reason is recorded"])[-1]


def _words(status: str, reason: str, failed: Sequence[Result]) -> str:
    """A reason with the steps at which it came up: `diverged: Z of layer 2 at steps 1 to 7`."""
    steps = sorted({run.nonfinite.step for run in failed if run.nonfinite is not None})
    when = f" at step {steps[0]}" if len(steps) == 1 else f" at steps {steps[0]} to {steps[-1]}" if steps else ""
    return f"{'failed' if status == 'error' else status}: {reason}{when}"


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
            Text("reached", style="green") if run.target_reached else Text("missed", style="red" * run.failed),
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
        spread = "" if math.isnan(setting.quartiles[1]) else f"{low} .. {high}"
        middle = middle if spread else "none"  # none of them ended with a value
        bad = Text(str(setting.failed or ""), style="red")
        table.add_row(Text(setting.name), str(setting.n), middle, spread, f"{setting.reached}", bad)
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
        say("No trial ran to its end with a finite objective.")
    elif len(objectives) == 1:
        copied(typed(command(hunt.space.overrides(front[0].drawn))), "the best again: ")
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
    say(f"{to_run} runs in {relative(sweep_dir)}{more}")


def rehearse(how: Plan | None, names: Sequence[str], experiments: Sequence[Experiment], skipped: Sequence[str]) -> None:
    """What a sweep would do (sweep.dry_run=true): its stacks with their jobs, what it would skip, the time."""
    total = 0.0
    for numbers in how.stacks if how else []:
        seconds = estimate([experiments[number] for number in numbers])
        total += seconds
        say(f"a stack of {len(numbers)}, about {seconds:.2g} s:  {', '.join(names[n] for n in numbers)}")
    for name in skipped:
        say(f"skipped, done before: {name}")
    if how:
        say(str(how))
    say(f"{len(experiments)} runs, about {total:.2g} s of training. Nothing was run (sweep.dry_run=true).")
