"""`hydra.verbose`: what is logged at debug, on stderr, without passwords. What is for people is printed."""

import logging
import sys
from collections.abc import Sequence

from runner.runs.files import hide

OURS = ("runner", "hydra")  # of hydra.verbose=true


def listen(verbose: bool | str | Sequence[str]) -> None:
    """Show what these loggers say from debug on; true: the program's own and Hydra's. Listening twice is once."""
    names = [verbose] if isinstance(verbose, str) else list(OURS if verbose is True else verbose or ())
    for name in names:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        if not any(isinstance(handler, _Shown) for handler in logger.handlers):
            logger.addHandler(_Shown())


class _Shown(logging.StreamHandler):
    """In Hydra's own format. The stream is looked up line by line: a progress line puts another one in its place."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))

    def format(self, record: logging.LogRecord) -> str:
        return hide(super().format(record))

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)
