"""What moves in a notebook: one output of the cell that is being run, which is written over again and again."""

import html
import sys
import time
from typing import Any, Self

EVERY = 0.2  # seconds between two writings: each is a message to the browser


class Cell:
    """An output of the cell that is being run: a bar and a line of words. What was shown last stays when it is left."""

    def __init__(self, display: Any):
        self._display = display
        self._handle: Any = None  # of the output, once there is one
        self._shown, self._waiting = -EVERY, dict[str, str]()

    @classmethod
    def of_notebook(cls) -> Self | None:
        """One of the notebook that this process is the kernel of; None where it is none."""
        IPython = sys.modules.get("IPython")  # a notebook has imported it; nobody else needs it
        shell = IPython.get_ipython() if IPython else None
        return cls(IPython.display.display) if IPython and hasattr(shell, "kernel") else None

    def show(self, done: int, of: int, words: str) -> None:
        """So much is done, in words; at most a few times a second it is written."""
        bar = f"<progress value='{max(done, 0)}' max='{max(of, 1)}'></progress> {html.escape(words)}"
        self._waiting = {"text/plain": words, "text/html": bar}
        if time.monotonic() - self._shown >= EVERY:
            self._write()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._waiting:
            self._write()

    def _write(self) -> None:
        if self._handle is None:
            self._handle = self._display(self._waiting, raw=True, display_id=True)
        else:
            self._handle.update(self._waiting, raw=True)
        self._shown, self._waiting = time.monotonic(), {}
