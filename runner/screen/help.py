"""What `python -m runner --help` prints: the groups with their options, the presets, examples, and the other keys.

Nothing here is a list of its own: a line about an option is the first of its function's docstring, or the comment of
its yaml, where the yaml is a choice of values (architecture=deep, a preset) or the user's own.
"""

import inspect
import json
import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import yaml

from runner.experiment import samplers
from runner.experiment.compose import Composer
from runner.experiment.data import dataset_function
from runner.experiment.groups import MODULES
from runner.experiment.schema import options
from runner.experiment.sources import BUILT_IN, Sources
from runner.nn import activations, losses

TITLES = {
    "dataset": "the data to learn from",
    "architecture": "the network's shape, output and loss",
    "init": "how weights begin",
    "optimizer": "how a step is made of a gradient",
    "schedule": "what the learning rate is multiplied by as training goes",
    "training": "see the keys below",
    "fault": "a mistake to plant",
    "diagnosis": "what a failed run is told at its end",
    "search": "who chooses the values of ranges",
    "tracking": "where the record goes",
}
HEAD = """\
python -m runner [-m] [OPTIONS] [GROUP=OPTION ...] [KEY=VALUE ...]

Trains a from-scratch NumPy network as a configuration says, and records every number in MLflow.

Examples
  python -m runner                                             the default: the flower
  python -m runner dataset=xor optimizer=gd optimizer.lr=2     anything from the command line
  python -m runner -m init=normal,he_normal 'seed=range(5)'    a sweep
  python -m runner experiment=posts/xor                        a preset: a network that failed, as it was posted
  python -m runner dataset=csv dataset.path=my.csv dataset.target=label     your own data

Options
  -m                      a sweep: every combination of the lists, range() and glob() given as values
  --cfg job               print the configuration, every key with its value, and stop
  --config-dir DIR        yaml files of your own, in folders named like the groups: DIR/experiment/mine.yaml
  --info [searchpath]     where configurations are looked for, and more about the composition
  -sc install=bash        shell completion, for the installed command: eval "$(runner -sc install=bash)"
  --hydra-help            the rest of Hydra's own"""
FOOT = """\
Beside it: python -m runner.check, .replay, .sync, .plots, .report, .predict, each with --help.
Exit codes: 0 done, 1 a run diverged or failed, 2 the configuration or the data is wrong, 130 Ctrl-C."""


def text(sources: Sources = BUILT_IN) -> str:
    """All of it; `sources` are where the user's own yaml files are.

    >>> "he_normal" in text()
    True
    """
    composer = Composer(sources)
    groups = [group for group in TITLES if group in composer.groups]
    groups += [group for group in composer.groups if group not in (*groups, "experiment") and "/" not in group]
    parts = [HEAD]
    for group in groups:
        lines = [(f"{name}", _line(composer, group, name)) for name in composer.options(group)]
        title = f": {TITLES[group]}" if group in TITLES else ""
        shared, own = _keys_of({name: _config(composer, group, name) for name in composer.options(group)})
        lines = [(name, f"{said} [{own[name]}]" if own[name] else said) for name, said in lines]
        parts.append(_table(f"{group}=...{title}", [*lines, *([(f"{group}.*", shared)] if shared else [])]))
        if group == "architecture":
            parts += _names()
    presets = [(name, _comment(composer, "experiment", name)) for name in composer.options("experiment")]
    parts.append(_table("experiment=...: presets, each a choice in all groups", presets))
    parts.append(_table("Keys beside those of the groups' options", list(_keys())))
    return "\n\n".join([*parts, FOOT])


def _line(composer: Composer, group: str, name: str) -> str:
    """What an option is: its function's docstring, or the comment that its yaml begins with."""
    function = None
    if group == "dataset":
        function = dataset_function(name)
    elif group == "search":
        function = samplers.SAMPLERS.get(name)
    elif group in MODULES:
        function = options(*MODULES[group]).get(name)
    said = (inspect.getdoc(function) or "") if function else ""
    return said.split("\n")[0].replace("`", "") or _comment(composer, group, name)


def _names() -> Iterator[str]:
    """What architecture.activation, .output and .loss can be, a table each."""
    said: dict[str, Mapping[str, Any]] = {
        "output": losses.OUTPUTS,
        "activation": options(activations, "Activation"),
        "loss": options(losses, "Head"),
    }
    auto = {
        "output": [("auto", "what fits the labels: sigmoid for two classes, softmax for more, identity for numbers")],
        "loss": [("auto", "cross_entropy where the outputs are probabilities of classes, else mean_squared_error")],
    }
    for key in ("activation", "output", "loss"):
        lines = [(name, _said(one)) for name, one in said[key].items()]
        yield _table(f"architecture.{key}=...", [*auto.get(key, []), *lines])


def _said(one: Any) -> str:
    """A function's first line, or the numbers that an output gives."""
    if isinstance(one, losses.Output):
        return f"gives numbers in ({one.low:g}, {one.high:g})"
    return (inspect.getdoc(one) or "").split("\n")[0].replace("`", "")


def _config(composer: Composer, group: str, name: str) -> dict[str, Any]:
    """The keys of an option with their values."""
    found = yaml.safe_load(_yaml(composer, group, name)) or {}
    return {str(key): value for key, value in found.items() if key not in ("name", "defaults")}


def _keys_of(configs: Mapping[str, Mapping[str, Any]]) -> tuple[str, dict[str, str]]:
    """The keys that all options of a group have, with the values that they share, and those that only some have."""
    first, *more = configs.values()
    every = [key for key in first if all(key in config for config in more)]
    same = {key for key in every if all(config[key] == first[key] for config in more)}
    shared = ", ".join(_key(key, first[key]) if key in same else key for key in every)
    return shared, {
        name: ", ".join(_key(key, value) for key, value in config.items() if key not in every)
        for name, config in configs.items()
    }


def _key(key: str, value: Any) -> str:
    """A key with its value as it is typed; of a section only the key."""
    return f"{key}.*" if isinstance(value, dict) else f"{key}={json.dumps(value).replace(' ', '')}".replace('"', "")


def _comment(composer: Composer, group: str, name: str) -> str:
    """The comment that a yaml begins with, without what is there for Hydra and the command that it belongs to."""
    lines = []
    for line in _yaml(composer, group, name).splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith(("# @package", "# python -m runner")):
            lines.append(line.lstrip("# "))
    return " ".join(lines)


def _yaml(composer: Composer, group: str, name: str) -> str:
    """The file of an option, as it is."""
    place = urlparse(str(composer.repository.load_config(f"{group}/{name}").path))
    folder: Any = files(place.netloc) if place.scheme == "pkg" else Path(place.path)
    return str((folder / f"{group}/{name}.yaml").read_text(encoding="utf-8"))


def _keys() -> Iterator[tuple[str, str]]:
    """The keys of the configuration's own file, and of training, that a comment explains, with their values."""
    training = (files("conf") / "training/default.yaml").read_text(encoding="utf-8").split("\n", 1)[1]
    own = (files("conf") / "config.yaml").read_text(encoding="utf-8").split("\n\n", 1)[1].split("\nhydra:")[0]
    section = ""
    for line in ("training:\n" + textwrap.indent(training, "  ") + own).splitlines():
        found = re.fullmatch(r"( *)(\w+):(?: ([^#]*?))?(?: +# (.*))?", line)
        if found is None:
            continue
        indent, key, value, comment = found.groups(default="")
        section = section if indent else key
        if comment and not value:
            yield f"{key}.*", comment
        elif comment:
            yield f"{section}.{key}={value}" if indent else f"{key}={value}", comment


def _table(title: str, lines: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in lines) + 4
    columns = shutil.get_terminal_size((120, 24)).columns
    rows = [title]
    for name, said in lines:
        gap = " " * width
        first = f"  {name}".ljust(width)
        rows.append(
            textwrap.fill(first + said, max(columns, width + 40), subsequent_indent=gap, break_on_hyphens=False)
        )
    return "\n".join(rows)
