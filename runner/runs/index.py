"""Which runs have been begun here, by their keys: what `sweep.skip_done` looks things up in.

One file beside the outputs, a line a run, appended as the run begins. Whether it ended, and how, is asked of its
journal: so nothing that is killed can leave a wrong answer behind.
"""

import json
import logging
import os
from collections.abc import Collection
from pathlib import Path

from runner.runs import journal

FILE = "runs.jsonl"
DETERMINISTIC = ("finished", "diverged")  # a pruned run was stopped for what its neighbours did


log = logging.getLogger(__name__)


class Index:
    """The index of the runs begun in the working directory."""

    def __init__(self, path: Path | None = None):
        self.path = path or Path(FILE).absolute()

    def add(self, key: str, directory: Path) -> None:
        """One write of one line: many processes may add at once."""
        line = json.dumps({"key": key, "directory": str(directory)}) + "\n"
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)

    def ended(self, keys: Collection[str], statuses: Collection[str] = DETERMINISTIC) -> dict[str, Path]:
        """Of each of `keys`, the directory of its last run that ended with one of `statuses` and is still there."""
        found: dict[str, Path] = {}
        for key, directory in reversed(self._lines()):
            wanted = key in keys and key not in found
            if wanted and (directory / "summary.json").exists() and journal.status(directory) in statuses:
                found[key] = directory
        log.debug("%d of %d jobs are in %s, ended as %s", len(found), len(keys), self.path, ", ".join(statuses))
        return found

    def _lines(self) -> list[tuple[str, Path]]:
        if not self.path.exists():
            return []
        lines = []
        for text in self.path.read_text().splitlines():
            try:
                line = json.loads(text)
                lines.append((line["key"], Path(line["directory"])))
            except (ValueError, KeyError, TypeError):
                continue  # torn by a crash
        return lines
