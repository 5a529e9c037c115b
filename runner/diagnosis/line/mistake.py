"""A mistake with its line: what is printed, and what `--json` hands to editors and graders."""

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
