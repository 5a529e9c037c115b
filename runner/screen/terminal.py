"""What a terminal, a file or a pipe can show: not every one of them has all letters."""

import io
import sys

BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.:-=+*#"


def prepare() -> None:
    """Have a letter that standard output cannot show printed as a question mark; Python would stop with an error.

    For commands, before they print; who imports this package keeps the streams as they are.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def bars() -> str:
    """Eight signs from low to high that standard output can show."""
    try:
        BARS.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return PLAIN_BARS
    return BARS
