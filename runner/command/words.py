"""What is typed in Python instead of behind `python -m runner`: one text or a list of words, read as a shell would."""

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from runner.experiment.overrides import quoted
from runner.experiment.schema import ConfigError, show
from runner.runs.passwords import without_password

COMMANDS = (["python", "-m", "runner"], ["uv", "run", "python", "-m", "runner"], ["runner"])
MULTIRUN = ("-m", "--multirun")


class Words(NamedTuple):
    """`overrides`, quoted where Hydra's grammar wants it; whether a sweep is asked for; the user's own yaml files."""

    overrides: list[str]
    multirun: bool
    config_dir: str | None


def words(given: str | Sequence[str]) -> Words:
    """Take apart what `run` and `sweep` were given. Raises ConfigError with all that is no word for Python.

    A text is parted as a shell parts it; a command that was copied with its `python -m runner` will do.

    >>> words("python -m runner dataset=csv 'dataset.path=my data (1).csv'").overrides
    ['dataset=csv', "dataset.path='my data (1).csv'"]
    """
    texts = _parted(given) if isinstance(given, str) else list(given)
    if others := [text for text in texts if not isinstance(text, str)]:
        raise ConfigError(f"Overrides must be texts such as 'optimizer.lr=0.1'. Got {show(other)}." for other in others)
    config_dir, multirun, problems, overrides = None, False, [], []
    rest = iter(texts)
    for text in rest:
        if text in MULTIRUN:
            multirun = True
        elif text.partition("=")[0] in ("--config-dir", "-cd"):
            config_dir = text.partition("=")[2] or next(rest, "")
        elif text.startswith("-"):
            problems.append(f"{text} is for the command line; from Python there are -m and --config-dir.")
        else:
            overrides.append(quoted(without_password(text)))
    if problems:
        raise ConfigError(problems)
    return Words(overrides, multirun, config_dir)


def _parted(text: str) -> list[str]:
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise ConfigError([f"{text}: a quote has no partner ({error})."]) from error
    command = next((command for command in COMMANDS if parts[: len(command)] == command), [])
    return parts[len(command) :]
