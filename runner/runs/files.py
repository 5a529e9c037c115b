"""The files of a run's directory: their names, and how they are written. Imports nothing of the project, no NumPy."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SUMMARY, WEIGHTS, CONFIG, CHECKPOINT = "summary.json", "weights.npz", "config.yaml", "checkpoint.npz"
FOLDER = "plots"  # of the pictures
MODEL = "model"  # the folder that runner.runs.model writes


def hide(text: str) -> str:
    """``text`` with the passwords in the URIs in it left out.

    >>> hide("postgresql://me:word@host/db")
    'postgresql://me@host/db'
    """
    return re.sub(r"(\w+://[^\s:/@]*):[^\s/@]*@", r"\1@", text)


def replace_file(path: Path, text: str) -> None:
    """Put ``text`` into the file at ``path`` so that every reader finds the old or the new, never a part."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    os.replace(fresh, path)


def spelled(value: Any) -> Any:
    """JSON has no infinities: non-finite numbers become the words "nan", "inf" and "-inf".

    >>> spelled({"cost": float("inf"), "rows": (1, 2.5)})
    {'cost': 'inf', 'rows': [1, 2.5]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {key: spelled(part) for key, part in value.items()}
    return [spelled(part) for part in value] if isinstance(value, list | tuple) else value


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """libyaml where there is one: ten times sooner, and a sweep writes thousands of small files."""


def _text(dumper: Any, text: str) -> Any:
    """Quotes around what OmegaConf would read as a number ('1e-3' is none to yaml 1.1, and one to it)."""
    style = "'" if text[:1] in "+-.0123456789" and text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def write_config(path: Path, config: Any) -> None:
    """A configuration of plain containers as yaml, in its own order."""
    path.write_text(yaml.dump(config, Dumper=_Dumper, sort_keys=False, allow_unicode=True))
