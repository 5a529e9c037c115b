"""What a terminal, a file or a pipe can show: not every one of them has all letters."""

import io
import math
import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

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
    """Standard output. Where it is not a terminal nothing is coloured, and lines are as long as they are.

    Brackets and colons are what they are: a path may have both.
    """
    from rich.console import Console  # late: every door comes by here, and many print plain lines only

    wide = None if sys.stdout.isatty() else 160
    return Console(highlight=False, markup=False, emoji=False, width=wide, soft_wrap=True)


def say(line: str, style: str = "", bold: int = 0) -> None:
    """A line on standard output, folded between words where that is a terminal; `bold`: so many letters of it are."""
    from rich.text import Text

    text = Text(folded(line), style=style)
    text.stylize("bold", 0, bold)
    console().print(text)


def command(line: str, indent: str = "  ") -> None:
    """A command to be copied, in one line; on a narrow terminal in several that a shell takes as one."""
    from rich.text import Text

    console().print(Text(indent + continued(line, sys.stdout, indent), style="bold"))


def folded(text: str, stream: TextIO | None = None) -> str:
    """Text for a stream: on a terminal its lines end between words, and go on below where they began.

    A word that is longer than a line is left whole: who copies a path or an address gets all of it.
    """
    if not (stream or sys.stdout).isatty():
        return text
    return "\n".join(_folded(line, shutil.get_terminal_size().columns) for line in text.split("\n"))


def _folded(line: str, width: int) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    if len(line) <= width:
        return line
    more = indent + "  "
    return textwrap.fill(line, width, subsequent_indent=more, break_long_words=False, break_on_hyphens=False)


def continued(line: str, stream: TextIO, indent: str = "") -> str:
    """A command as one line, or where that is too long for a terminal as several, each but the last with a backslash.

    >>> continued("python -m runner dataset=xor", sys.stdout)
    'python -m runner dataset=xor'
    """
    width = shutil.get_terminal_size().columns if stream.isatty() else sys.maxsize
    lines = [""]
    for word in map(shlex.quote, shlex.split(line)):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and len(indent) + len(longer) + 2 > width:
            lines.append(f"  {word}")
        else:
            lines[-1] = longer
    return f" \\\n{indent}".join(lines)


def problems(sentences: Sequence[str]) -> None:
    """Every mistake on a line of its own, on standard error."""
    head = "1 mistake" if len(sentences) == 1 else f"{len(sentences)} mistakes"
    print(f"{head} in the configuration; nothing was run.", file=sys.stderr)
    for sentence in sentences:
        print(folded(f"  {sentence}", sys.stderr), file=sys.stderr)


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
