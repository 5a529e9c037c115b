"""A limit on how long somebody's code may take: what does not come back in time is refused, with where it was."""

import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from runner import Refusal
from runner.diagnosis.line.places import is_theirs


class TooLong(BaseException):
    """Raised in the midst of the code that took too long: nothing that catches Exception keeps it."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Refuse, with exit code 2, what takes longer; of code in C it is noticed when that comes back."""
    stack: list[str] = []

    def ring(number: int, frame: FrameType | None) -> None:
        lines = [each for each in traceback.extract_stack(frame) if is_theirs(each.filename)]
        stack.extend(traceback.format_list(lines[-3:]))
        raise TooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except TooLong:
        where = f"It was at\n{''.join(stack)}" if stack else ""
        says = f"No answer within {seconds:g} s: does it loop for ever? --seconds gives it longer.\n{where}"
        raise Refusal(says) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
