"""A run's MLflow model: the folder `model` in its directory, as `mlflow.pyfunc.save_model` would write it.

    MLmodel             what it is: signature with shapes and names, code, environment
    model_code.py       a copy of runner/runs/model_code.py: models from code, no pickle
    artifacts/          weights.npz; network.json, what is computed, of which columns, and what the answers are called;
                        a copy of datasets/encoding.py, which reads the columns
    input_example.json  a row or two as in the data, and serving_input_example.json, the same as a request
    requirements.txt    mlflow, NumPy and SciPy as in training; conda.yaml and python_env.yaml say so too

Written here and not by MLflow because training never imports it, and its import alone takes longer than many a run. The
tests hold the two against each other. `runner.tracking.store` brings the folder into the store, as a logged model of
the run.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from datasets import Dataset
from datasets import encoding as tables
from datasets.fitting import decoded
from runner.experiment.experiment import Experiment
from runner.runs import journal, model_code
from runner.runs.files import MODEL, SUMMARY, WEIGHTS
from runner.runs.journal import Journal, JournalError
from runner.runs.result import Result
from runner.training.kinds import kind_of

_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml where there is one: ten times faster
FEW = 100  # columns of which two rows make a short example


def write(directory: Path, experiment: Experiment, register: str | None = None) -> Path | None:
    """Write the model of a run that has its weights and its summary; None where it has no model.

    That is where there are no weights (it was killed), some are not finite (it diverged), or the network is of the
    user's own code. `register` is the name that the store shall register it by.
    """
    summary = json.loads((directory / SUMMARY).read_text())
    network = summary["network"]
    if not (directory / WEIGHTS).exists() or not kind_of(experiment.recipe).known:
        return None
    layers, _ = model_code.arrays_of(directory / WEIGHTS)
    if not all(np.isfinite(part).all() for layer in layers for part in layer):
        return None
    folder = directory / MODEL
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(directory / WEIGHTS, folder / "artifacts" / WEIGHTS)
    _write_json(folder / "artifacts" / "network.json", network)
    shutil.copyfile(model_code.__file__, folder / "model_code.py")
    shutil.copyfile(tables.__file__, folder / "artifacts" / "encoding.py")
    encoding = experiment.dataset.encoding
    names = [column.name for column in encoding.columns] if encoding else summary["dataset"]["inputs"]
    _environment(folder, summary["versions"])
    kind = _example(folder, example(experiment.dataset), names)
    about = {
        "flavors": {"python_function": _flavor(summary["versions"]["python"])},
        "is_signature_from_type_hint": False,
        "metadata": {"register": register} if register else None,
        "mlflow_version": summary["versions"]["mlflow"],
        "saved_input_example_info": kind,
        "signature": signature(network, names, _learned(summary["dataset"], network)),
        "type_hint_from_example": False,
        "utc_time_created": str(datetime.now(UTC).replace(tzinfo=None)),
    }
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and file.name != "MLmodel")
    _write_yaml(folder / "MLmodel", {**about, "model_size_bytes": size})
    return folder


def hand_on(kept: Sequence[Result], best: Result) -> list[Path]:
    """Write the models of these runs, which have ended, and have their journals say so; their directories.

    Only that of the `best` is registered. A run that has its model already keeps it.
    """
    given = []
    for result in kept:
        register = result.experiment.tracking.register if result is best else None
        if _is_there(result.directory, register):
            continue
        try:
            with Journal.supplement(result.directory) as run:
                if folder := write(result.directory, result.experiment, register):
                    run.artifact(folder)
                    given.append(result.directory)
        except (JournalError, OSError):
            pass  # another command is adding to it, or it may not be written here: the run has no model
    return given


def _is_there(directory: Path, register: str | None) -> bool:
    """Whether the run's model is written, of the weights that it has now (it may have been resumed)."""
    own, copy = directory / WEIGHTS, directory / MODEL / "artifacts" / WEIGHTS
    if not copy.exists() or not own.exists() or own.read_bytes() != copy.read_bytes():
        return False
    about = yaml.safe_load((directory / MODEL / "MLmodel").read_text(encoding="utf-8"))
    said = (record["path"] for record, _ in journal.read(directory) if record["kind"] == "artifact")
    return MODEL in said and (register is None or (about["metadata"] or {}).get("register") == register)


def _learned(said: Mapping[str, Any], network: Mapping[str, Any]) -> list[str]:
    """The names of what is predicted."""
    return list(network.get("targets") or said.get("targets") or [str(said["target"] or "prediction")])


def example(dataset: Dataset) -> list[list[Any]]:
    """A row or two to train on, in the units of the data, to six digits; of a table as it was before its encoding."""
    X = dataset.first(2 if dataset.n_features <= FEW else 1)
    if dataset.scaling is not None:
        X = X * dataset.scaling.scale + dataset.scaling.shift
    rows = X.tolist() if dataset.encoding is None else decoded(dataset.encoding, X)
    return [[float(f"{value:.6g}") if isinstance(value, float) else value for value in row] for row in rows]


def signature(network: Mapping[str, Any], names: Sequence[str], targets: Sequence[str]) -> dict[str, str | None]:
    """What goes in and what comes out, as MLflow writes it: arrays (-1, d); a table's columns the model reads itself.

    MLflow's numbers refuse whole numbers in a column of fractions, and a value that is missing; its type `any` takes
    them, but then its server reads no csv. The model names what is missing, and what it cannot use, as `runner.predict`
    does; which columns it takes is shown by its example.
    """
    shape = [-1, network["widths"][0]]
    inputs = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": shape}}]
    text = network["classes"] is not None and isinstance(network["classes"][0], str)
    kind = "string" if text else "double"
    outputs = [{"type": kind, "name": target, "required": True} for target in targets]
    params = [{"name": "outputs", "default": False, "shape": None, "type": "boolean"}]
    said = {"outputs": json.dumps(outputs), "params": json.dumps(params)}
    return {"inputs": None if names else json.dumps(inputs), **said}


def _flavor(python: str) -> dict[str, Any]:
    files = {"weights": WEIGHTS, "network": "network.json", "encoding": "encoding.py"}
    return {
        "artifacts": {name: {"path": f"artifacts/{file}", "uri": file} for name, file in files.items()},
        "code": None,
        "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        "loader_module": "mlflow.pyfunc.loaders.code_model",
        "model_code_path": "model_code.py",
        "python_version": python,
        "streamable": False,
    }


def _environment(folder: Path, versions: Mapping[str, str]) -> None:
    pinned = [f"{package}=={versions[package]}" for package in ("mlflow", "numpy", "scipy")]
    (folder / "requirements.txt").write_text("\n".join(pinned))
    python = {"python": versions["python"], "build_dependencies": ["pip", "setuptools", "wheel"]}
    _write_yaml(folder / "python_env.yaml", {**python, "dependencies": ["-r requirements.txt"]})
    needed = [f"python={versions['python']}", "pip", {"pip": pinned}]
    conda = {"name": "mlflow-env", "channels": ["conda-forge"], "dependencies": needed}
    _write_yaml(folder / "conda.yaml", conda)


def _example(folder: Path, data: list[list[Any]], names: Sequence[str]) -> dict[str, str]:
    """The example in its two files, and where they are."""
    table = {"columns": list(names), "data": data}
    _write_json(folder / "input_example.json", table if names else data)
    _write_json(folder / "serving_input_example.json", {"dataframe_split": table} if names else {"inputs": data})
    kind = {"type": "dataframe", "pandas_orient": "split"} if names else {"type": "ndarray"}
    return {"artifact_path": "input_example.json", "serving_input_path": "serving_input_example.json", **kind}


def _write_yaml(path: Path, value: Any) -> None:
    path.write_text(yaml.dump(value, Dumper=_DUMPER, allow_unicode=True), encoding="utf-8")


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
