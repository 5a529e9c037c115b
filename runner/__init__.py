"""Declarative experiments with from-scratch NumPy networks.

python -m runner dataset=xor optimizer.lr=0.1        # on the command line

from runner import load, run  # in Python
trace = run(["dataset=xor", "optimizer.lr=0.1"])
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["Refusal", "Runs", "Trace", "load", "plot", "run", "sweep"]

# The packages beside this one, whose names are common, and how their own __init__.py begins.
BESIDE = {"conf": '"""The configurations:', "datasets": '"""Data for the runner:'}


class Refusal(Exception):
    """What a command will not or cannot do, in words for its reader; `code` is what the command then exits with.

    2: the configuration, the data or what was named is wrong, and the reader can put it right. 1: it is not theirs, or
    code of their own has raised. Every error that this project raises on purpose is one.
    """

    code = 2

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it: its sentences, and not the way that they came."""
        return str(self).splitlines()


def __getattr__(name: str) -> Any:
    """`run`, `load` and the others on first use: the tracking process imports this package and needs none of them."""
    if name in __all__:
        from runner.command import python

        return getattr(python, name)
    raise AttributeError(f"module 'runner' has no attribute {name!r}")


def _strangers() -> list[str]:
    """A sentence for each package of somebody else's that stands where one of ours is looked for."""
    found = []
    for name, beginning in BESIDE.items():
        spec = find_spec(name)
        place = Path(spec.origin) if spec and spec.origin else None
        if place is None or not place.read_text(encoding="utf-8", errors="replace").startswith(beginning):
            here = "is missing" if place is None else f"is another one here: {place}"
            found.append(f"The runner has a package called `{name}`, and `{name}` {here}.")
    return found


if _problems := _strangers():
    _message = "\n".join(_problems) + (
        "\nA file or folder of yours: rename it, or work in another directory. An installed package: give the runner "
        "an environment of its own (python -m venv own && own/bin/pip install PATH, the folder of its pyproject.toml)."
    )
    if sys.argv[:1] == ["-m"] or [Path(word).name for word in sys.argv[:1]] == ["runner"]:
        print(_message, file=sys.stderr)  # a command says it and ends
        sys.exit(2)
    raise ImportError(_message)
