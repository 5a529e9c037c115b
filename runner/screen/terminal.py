"""What a terminal, a file or a pipe can show: not every one of them has all letters."""

import io
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.:-=+*#"


def prepare() -> None:
    """Have a letter that standard output cannot show printed as a question mark; Python would stop with an error.

    And have each line go when it is said, into a pipe or a file too: who waits for `| tee` sees where it stands.

    For commands, before they print; who imports this package keeps the streams as they are.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace", line_buffering=True)


def bars() -> str:
    """Eight signs from low to high that standard output can show."""
    try:
        BARS.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return PLAIN_BARS
    return BARS


def console() -> "Console":
    """Standard output. Where it is not a terminal nothing is coloured, and lines are as long as they are."""
    from rich.console import Console  # late: every door comes by here, and many print plain lines only

    return Console(highlight=False, width=None if sys.stdout.isatty() else 160, soft_wrap=True)


def problems(sentences: Sequence[str]) -> None:
    """Every mistake on a line of its own, on standard error."""
    head = "1 mistake" if len(sentences) == 1 else f"{len(sentences)} mistakes"
    print(f"{head} in the configuration; nothing was run.", file=sys.stderr)
    for sentence in sentences:
        print(f"  {sentence}", file=sys.stderr)


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
