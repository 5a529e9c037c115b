"""What people read of a comparison: the settings, what is proved of each, and what is not."""

import math
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from runner.screen.terminal import console, number
from runner.sweeps.compare.intervals import Interval
from runner.sweeps.compare.matched import Matched
from runner.sweeps.compare.verdict import Standing, needed

MOST = 20  # settings shown


def compared(given: Matched, found: Sequence[Standing]) -> None:
    """The table, the verdict in a sentence, and what the runs do not show."""
    out = console()
    less = "less is better" if given.objective.mode == "min" else "more is better"
    over = ", ".join([*given.repeats, *given.others]) or "nothing"
    out.print(f"{given.objective.metric} ({less}), paired over {over}", markup=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(given.by[0] if len(given.by) == 1 else "setting", min_width=12, overflow="fold")
    titles = ("runs", "diverged", "median", "best is better: P", "95 %", "worse by", "95 %", "effect", "")
    for title in titles:
        table.add_column(title, justify="left" if not title else "right", no_wrap=True)
    for one in found[:MOST]:
        table.add_row(Text(one.name), *_cells(one), "may be the best" if one.contends else "")
    out.print(table)
    if len(found) > MOST:
        out.print(f"... and {len(found) - MOST} more")
    for sentence in sentences(given, found):
        out.print(sentence, markup=False)


def _cells(one: Standing) -> list[str]:
    about = [str(one.runs), str(one.diverged or ""), number(one.median, 4)]
    if one.better is None or one.difference is None or one.effect is None:
        return [*about, "", "", "", "", ""]
    return [
        *about,
        f"{one.better.at:.2f}",
        _span(one.better, 2),
        number(one.difference.at, 3),
        _span(one.difference, 3),
        f"{one.effect:.2f}",
    ]


def _span(interval: Interval, digits: int) -> str:
    low, high = (f"{end:.{digits}g}" for end in (interval.low, interval.high))
    return f"{low} .. {high}"


def sentences(given: Matched, found: Sequence[Standing]) -> list[str]:
    """The verdict, and what to know of it."""
    first, among = found[0], [one.name for one in found if one.contends]
    units, said = len(given.values[0]), []
    if len(among) == 1:
        said.append(f"{first.name} is the best of {len(found)}, with 95 % confidence.")
    else:
        names = ", ".join(among[:6]) + (f" and {len(among) - 6} more" if len(among) > 6 else "")
        said.append(f"{len(among)} of {len(found)} may be the best, with 95 % confidence: {names}.")
    if units < 6:
        said.append(
            f"{units} {_unit(given)} cannot tell any two settings apart with 95 % confidence: 6 are the fewest."
        )
    if any(one.diverged for one in found):
        said.append("Runs that diverged rank worst.")
    if not all(one.pairs for one in found[1:]):
        said.append("Settings without a pair have no run with the same seed and other keys as the best.")
    if given.left_out:
        said.append(f"{given.left_out} runs are left out: they were stopped or pruned, or failed.")
    return said


def power(given: Matched, found: Sequence[Standing]) -> None:
    """How many more seeds would tell the best from the one that is hardest to tell from it."""
    out, units = console(), len(given.values[0])
    answer = needed(found, units)
    if answer is None:
        out.print("No more are needed: the best is told from all others.")
        return
    nearest, more = answer
    assert nearest.better is not None
    p = f"{found[0].name} and {nearest.name}: P {nearest.better.at:.2f} of {units} {_unit(given)}."
    if more is None or math.isnan(nearest.better.at):
        out.print(f"{p} If they are as even as that, no number would tell them apart.", markup=False)
    else:
        text = f"{p} If it stays so, {more} more would tell these two apart with probability 0.8."
        out.print(text, markup=False)


def _unit(given: Matched) -> str:
    if not given.repeats:
        return "choices of the other keys"
    return "folds" if given.repeats == ["dataset.fold"] else "seeds" if given.repeats == ["seed"] else "seeds and folds"
