"""What all commands share at their door: what is refused is printed as it is, and every end has its exit code."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runner import Refusal
from runner.screen import terminal

INTERRUPTED = 130


def door(main: Callable[[], int | None]) -> None:
    """Run a command and end the process: 0 or what `main` returns, the code of a refusal, 130 after Ctrl-C."""
    terminal.prepare()
    with refusals():
        try:
            code = main() or 0
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            code = INTERRUPTED
        except BrokenPipeError:  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        sys.exit(code)


@contextmanager
def refusals() -> Iterator[None]:
    """End the process with what is refused in here, in its own words and without a traceback.

    Also for what Hydra calls: it would print a traceback and exit with 1, but lets SystemExit pass.
    """
    try:
        yield
    except Refusal as refusal:
        print(terminal.folded(str(refusal), sys.stderr), file=sys.stderr)
        sys.exit(refusal.code)
