"""A mistake with its line: what is printed, and what `--json` hands to editors and graders."""

from pathlib import Path
from typing import NamedTuple


class LineMistake(NamedTuple):
    """One mistake: where it is made, its `kind`, a sentence, the corrected line where one was run, else ""."""

    file: str
    line: int
    function: str
    text: str
    layer: int | None
    array: str | None
    kind: str
    sentence: str
    correction: str

    @property
    def told(self) -> list[str]:
        """As compilers say it, so that editors can jump there: file:line: kind: sentence; what stands there; what
        should.
        """
        file = Path(self.file)
        near = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
        ran = [f"    {self.correction}    # as it was run, and all was right"] if self.correction else []
        return [f"{near}:{self.line}: {self.kind}: {self.sentence}", f"    {self.text}", *ran]
