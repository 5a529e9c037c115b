"""In which iterations of a loop sites fire that its first ones do not have: a cost that is printed now and then."""

from collections.abc import Callable
from typing import Any


class Visits:
    """Watches the first `most` iterations of a loop; afterwards `late` holds those with something new, in order.

    Args:
        loop: its key.
        most: after so many iterations the process ends.
    """

    root: str = ""
    stop: Callable[[], None]

    def __init__(self, loop: str, most: int) -> None:
        self.loop, self.most = loop, most
        self.count = 0
        self.inside = False
        self.known: set[str] = set()
        self.late: list[int] = []

    def at(self, file: str, line: int) -> None:
        return

    def see(self, key: str, value: Any) -> Any:
        if self.inside and key not in self.known:
            self.known.add(key)
            if self.count > 3 and (not self.late or self.late[-1] != self.count - 1):
                self.late.append(self.count - 1)
        return value

    def begin(self, key: str) -> None:
        if key == self.loop:
            self.inside = True
            self.count += 1
            if self.count > self.most:
                self.stop()

    def leave(self, key: str) -> None:
        if key == self.loop:
            self.inside = False

    def result(self) -> dict[str, Any]:
        return {"late": self.late}
