"""Writes docs/reference.md from the code: `python -m docs.reference`. A test holds the page to what this returns.

Keys, types and bounds are the signatures that check a configuration; defaults and comments are those of the yaml files;
the line about an option is the first of its docstring, as in `python -m runner --help`.
"""

import ast
import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from datasets.preparation import prepare
from runner.diagnosis import causes, dynamics, settings
from runner.experiment import samplers
from runner.experiment.data import dataset_function
from runner.experiment.experiment import DiagnosisOptions, SweepOptions
from runner.experiment.groups import MODULES, general, training
from runner.experiment.objectives import objective
from runner.experiment.schema import FILLED_IN, describe, options, show
from runner.experiment.tracking import tracking
from runner.nn import activations, losses

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
HEAD = """\
# Reference

<!-- written by `python -m docs.reference`: change the code, not this page -->

Every group, option and key, as the code has them. `GROUP=OPTION` chooses, `GROUP.KEY=VALUE` sets a key. A key is
refused where it is not of its type or outside of its bounds. `null` stands for nothing. The same on the command line:
`python -m runner --help`, and `--cfg job` for every key with its value.
"""
SECTIONS = {
    "The keys at the top": (general, "config.yaml", ""),
    "training": (training, "training/default.yaml", "training."),
    "objective": (objective, "config.yaml", "objective."),
    "sweep": (SweepOptions, "config.yaml", "sweep."),
    "tracking": (tracking, "tracking/mlflow.yaml", "tracking."),
    "diagnosis": (DiagnosisOptions, "diagnosis/default.yaml", "diagnosis."),
}
COMMANDS = {  # what each does, or the source whose docstring says so
    "python -m runner": "train a run, a sweep (`-m`) or a search (`search=NAME`) as configured, and record it",
    "python -m runner.explain": "a script or a folder of scripts: which line is wrong, and which patch helps",
    "python -m runner.check": "runner/command/check.py",
    "python -m runner.predict": "runner/command/predict.py",
    "python -m runner.replay": "runner/command/replay.py",
    "python -m runner.sync": "bring journals into an MLflow store, as often as you like",
    "python -m runner.query": "runner/command/query.py",
    "python -m runner.compare": "runner/command/compare.py",
    "python -m runner.plots": "runner/plots/__main__.py",
    "python -m runner.report": "runner/report/__main__.py",
}
METRICS = {
    "SET/cost": "the cost of a set, `train`, `val` or `test`, without L2",
    "SET/accuracy": "the share of rows answered right, where there are classes",
    "SET/r2": "R² of a regression: 1 is exact, 0 is the mean",
    "train/objective": "what training makes smaller: the cost with L2",
    "grad_norm": "the norm of the whole gradient",
    "grad_norm/layer_N": "of one layer's gradient, weights and bias together",
    "weight_norm/layer_N": "of one layer's weights",
    "update_ratio/layer_N": "how far the last update moved a layer's weights, over their norm",
}
CODES = """\
## Exit codes

| code | meaning |
|---|---|
| 0 | done; of `runner.check` and `runner.explain`: nothing wrong |
| 1 | a run diverged or failed; of `runner.check` and `runner.explain`: something is wrong; code has raised |
| 2 | the configuration, the data or a name is wrong: all mistakes are printed, nothing is written |
| 130 | Ctrl-C: the rows so far are kept, and the run can be resumed |
"""


def text() -> str:
    """The whole page."""
    parts = [HEAD, _commands(), CODES, "## Keys of every run\n"]
    for title, (function, file, prefix) in SECTIONS.items():
        parts.append(f"### {title}\n\n{_keys(function, _written(file, prefix.rstrip('.')), prefix)}")
    parts += [_group(group) for group in MODULES]
    parts += [_datasets(), _searches(), _names(), _metrics()]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _commands() -> str:
    said = {
        name: _first(ast.get_docstring(_parsed(file))) if file.endswith(".py") else file
        for name, file in COMMANDS.items()
    }
    rows = [f"| `{name}` | {about} |" for name, about in said.items()]
    return "\n".join(["## Commands\n", "Each has `--help`.\n", "| command | |", "|---|---|", *rows])


def _parsed(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def _group(group: str) -> str:
    functions = options(*MODULES[group])
    parts = [f"## {group}\n"]
    files = sorted((CONF / group).glob("*.yaml"))
    for file in files:
        written = _written(f"{group}/{file.stem}.yaml")
        function = functions[written["name"][0]]
        about = _first(inspect.getdoc(function)) if function.__name__ == file.stem else _comment(file)
        parts += [f"### {group}={file.stem}\n", f"{about}\n", _keys(function, written, f"{group}.")]
    return "\n".join(parts)


def _datasets() -> str:
    parts = ["## dataset\n"]
    shared: dict[str, tuple[Any, str]] = {}
    for file in sorted((CONF / "dataset").glob("*.yaml")):
        written = _written(f"dataset/{file.stem}.yaml")
        shared |= {key: said for key, said in written.items() if key not in shared or not shared[key][1]}
        function = dataset_function(file.stem)
        assert function is not None
        about = _first(inspect.getdoc(function))
        parts += [f"### dataset={file.stem}\n", f"{about}\n", _keys(function, written, "dataset.")]
    title = "### Keys of every data set\n\nSome have other defaults: `dataset=NAME --cfg job` shows them.\n"
    return "\n".join([*parts, title, _keys(prepare, shared, "dataset.")])


def _searches() -> str:
    parts = [
        "## search\n",
        "### Keys of every search\n",
        _keys(samplers.SearchOptions, _written("search/tpe.yaml"), "search."),
    ]
    for name, function in samplers.SAMPLERS.items():
        about = _first(inspect.getdoc(function)) or _comment(CONF / f"search/{name}.yaml")
        parts += [f"### search={name}\n", f"{about}\n", _keys(function, _written(f"search/{name}.yaml"), "search.")]
    return "\n".join(parts)


def _names() -> str:
    parts = ["## Names that keys take\n"]
    tables = {
        "architecture.activation": options(activations, "Activation"),
        "architecture.loss": options(losses, "Head"),
        "diagnosis.causes": {
            name: each for room in (causes, dynamics, settings) for name, each in options(room, "Verdict").items()
        },
    }
    for key, functions in tables.items():
        rows = [f"| {_cause(name, key)} | {_cell(_first(inspect.getdoc(each)))} |" for name, each in functions.items()]
        parts += [f"### {key}\n", "| name | |", "|---|---|", *rows, ""]
    outputs = ", ".join(f"`{name}`" for name in losses.OUTPUTS)
    return "\n".join([*parts, f"`architecture.output` takes `auto`, {outputs}."])


def _cause(name: str, key: str) -> str:
    return f"[`{name}`](causes.md#{name.replace('_', '-')})" if key == "diagnosis.causes" else f"`{name}`"


def _metrics() -> str:
    rows = [f"| `{name}` | {about} |" for name, about in METRICS.items()]
    more = "Each has its best beside its last: `best/train/cost` in MLflow. A network of your own has the names of its "
    more += (
        "arrays in place of `layer_N`. Where classes are unequal, the end of a run also has `SET/balanced_accuracy`, "
    )
    more += "`SET/f1_macro`, `SET/auc` and `SET/recall/CLASS`."
    return "\n".join(["## Metrics\n", f"{more}\n", "| metric | |", "|---|---|", *rows])


def _keys(function: Callable[..., Any], written: Mapping[str, tuple[Any, str]], prefix: str) -> str:
    """The table of what a function takes from its section."""
    hints = get_type_hints(function, include_extras=True)
    rows = []
    for parameter in inspect.signature(function).parameters.values():
        annotation = hints[parameter.name]
        if annotation in FILLED_IN or parameter.name in ("name", "sampler"):
            continue
        value, comment = written.get(parameter.name, (parameter.default, ""))
        default = "" if value is parameter.empty else "required" if value == "???" else f"`{show(value)}`"
        if isinstance(value, list) and len(value) > 5:
            default = "all of them"
        cells = (f"`{prefix}{parameter.name}`", describe(annotation), default, comment)
        rows.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(["| key | must be | default | |", "|---|---|---|---|", *rows, ""]) if rows else "No keys.\n"


def _written(file: str, section: str = "") -> dict[str, tuple[Any, str]]:
    """The keys of a yaml with their values and the comments behind them; of one section, where it is named."""
    source = (CONF / file).read_text(encoding="utf-8")
    loaded = yaml.safe_load(source)
    if section and file == "config.yaml":
        loaded, source = loaded[section], re.split(rf"^{section}:.*\n", source, flags=re.MULTILINE)[1]
    return {key: (value, _behind(source, key)) for key, value in loaded.items()}


def _behind(source: str, key: str) -> str:
    found = re.search(rf"^\s*{key}:[^#\n]*# (.*)$", source, re.MULTILINE)
    return found[1].strip() if found else ""


def _comment(file: Path) -> str:
    """The comment that a yaml begins with."""
    lines = [line.lstrip("# ") for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    return lines[0] if lines else ""


def _first(said: str | None) -> str:
    return re.sub(r"^`[^`]+`: ", "", (said or "").split("\n\n")[0].replace("\n", " "))


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


if __name__ == "__main__":
    (ROOT / "docs" / "reference.md").write_text(text(), encoding="utf-8")
