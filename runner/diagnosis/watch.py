"""How far a diagnosis may look: so many seconds of computing, or until somebody stops it; and how far it has got."""

import math
from collections.abc import Callable

from runner.diagnosis.line.clock import now


class OutOfTime(Exception):
    """The seconds are over, or a stop was asked for: what has been shown until then stands, and no verdict is made."""


class Watch:
    """`seconds` of computing from its making on (a busy machine finds the same); `told` hears of each experiment.

    It decides how far is looked and never what is found: whoever runs out of it says so.
    """

    def __init__(
        self,
        seconds: float = math.inf,
        told: Callable[[int], None] = lambda experiments: None,
        stopped: Callable[[], bool] = lambda: False,
    ):
        self.until, self.told, self.stopped = now() + seconds, told, stopped
        self.experiments = 0
        self.ended, self._asked = False, 0

    @property
    def over(self) -> bool:
        self.ended = self.ended or self.stopped() or now() > self.until
        return self.ended

    def now_and_then(self) -> bool:
        """`over`, looked at every 100th time: to ask a clock at every step of a small network costs as much as it."""
        self._asked += 1
        return self.over if self._asked % 100 == 0 else self.ended

    def experiment(self) -> None:
        """One more training is about to be made. Raises OutOfTime where there is no time for it."""
        if self.over:
            raise OutOfTime
        self.experiments += 1
        self.told(self.experiments)
