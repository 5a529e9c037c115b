"""The files of a run's directory: their names, and how they are written. Imports nothing of the project, no NumPy."""

from __future__ import annotations

import os
import re
from pathlib import Path

FOLDER = "plots"  # of the pictures


def hide(text: str) -> str:
    """``text`` with the passwords in the URIs in it left out."""
    return re.sub(r"(\w+://[^\s:/@]*):[^\s/@]*@", r"\1@", text)


def replace_file(path: Path, text: str) -> None:
    """Put ``text`` into the file at ``path`` so that every reader finds the old or the new, never a part."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    os.replace(fresh, path)
