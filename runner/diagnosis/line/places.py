"""Where in the user's code an operation is: not NumPy's, an installed package's or this project's code."""

import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

HERE = str(Path(__file__).parents[2])
NOT_THEIRS = tuple({str(Path(np.__file__).parent), HERE, sysconfig.get_path("stdlib"), "<__array_function__"})


def line_of(code: Any, instruction: int) -> int:
    """The line on which the expression of an instruction begins."""
    return position_of(code, instruction)[0]


def position_of(code: Any, instruction: int) -> tuple[int, int, int, int]:
    """(line, last line, column, last column) of an instruction's expression."""
    first, last, column, end = _positions(code)[instruction // 2]
    return first or code.co_firstlineno, last or 0, column or 0, end or 0


@lru_cache(maxsize=512)
def _positions(code: Any) -> tuple[tuple[int | None, ...], ...]:
    return tuple(code.co_positions())


_THEIRS: dict[str, bool] = {}


def is_theirs(file: str) -> bool:
    """Whether a file is the user's: not NumPy's, the standard library's, an installed package's, or this project's."""
    if file not in _THEIRS:
        _THEIRS[file] = not (file.startswith(NOT_THEIRS) or "site-packages" in file or "<frozen" in file)
    return _THEIRS[file]


def theirs(depth: int) -> tuple[tuple[Any, int], ...]:
    found: list[tuple[Any, int]] = []
    frame = sys._getframe(2)
    while frame is not None and len(found) < depth:
        if is_theirs(frame.f_code.co_filename):
            found.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back  # type: ignore[assignment]
    return tuple(found)
