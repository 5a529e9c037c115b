"""Commands as they have to be typed where this one was; records say `python -m runner`, however it was begun."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from runner.runs.files import relative


def typed(command: str) -> str:
    """A command of ours or of MLflow's, for the terminal that this one was typed into.

    `uv run` leaves its trace in the environment; elsewhere the words work as they are if the PATH leads to this
    Python, and else they begin with its path.
    """
    first, *more = shlex.split(command)
    return shlex.join([*_as_started(first), *more])


def _as_started(program: str) -> list[str]:
    """What stands for `python` or `mlflow`."""
    project = Path(sys.prefix).parent
    if "UV_RUN_RECURSION_DEPTH" in os.environ and (project / "pyproject.toml").exists():
        inside = Path.cwd().is_relative_to(project)
        return ["uv", "run", *([] if inside else ["--project", str(project)]), program]
    if shutil.which(program) == str(Path(sys.executable).parent / program):
        return [program]
    name = Path(sys.executable).name
    python = name if shutil.which(name) == sys.executable else relative(Path(sys.executable))
    return [python] if program == "python" else [python, "-m", program]
