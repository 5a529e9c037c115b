"""The overrides that messages print, as a user would type them again; and what they give."""

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from datasets import DataError, Dataset
from datasets.survey import overview, schema, warnings
from runner.experiment.data import dataset_problems, load
from runner.experiment.overrides import override_of, plain_value

CONF = Path(__file__).parents[2] / "conf" / "dataset"
WORD = r"""(?:'dataset\.(?:[^']|'"'"')*'|dataset=\w+|dataset\.\w+=[^\s;,()']+)"""
ADVICE = re.compile(rf"{WORD}(?: {WORD})*")


def printed(text: str) -> list[list[str]]:
    """Every override in a text, as the words that a shell makes of it; those that stand together are one advice."""
    return [[word.rstrip(".") for word in shlex.split(found)] for found in ADVICE.findall(text)]


def test_printed_overrides_are_found_as_a_shell_parts_them() -> None:
    text = (
        """x 'dataset.columns=["!a b"]' leaves it out; dataset.na=[] dataset.missing=drop does. dataset.header=auto."""
    )
    assert printed(text) == [
        ['dataset.columns=["!a b"]'],
        ["dataset.na=[]", "dataset.missing=drop"],
        ["dataset.header=auto"],
    ]


@cache
def _yaml(name: str) -> str:
    return (CONF / f"{name}.yaml").read_text(encoding="utf-8")


def loaded(words: list[str]) -> Dataset:
    """What `python -m runner WORDS` would train on."""
    name = next((word.partition("=")[2] for word in reversed(words) if word.startswith("dataset=")), "csv")
    section: dict[str, Any] = yaml.safe_load(_yaml(name))
    for word in words:
        if not word.startswith("dataset="):
            override = override_of(word)
            section[override.key_or_group.removeprefix("dataset.")] = plain_value(override.value())
    assert not dataset_problems(section), dataset_problems(section)
    return load(section)


def told(words: list[str]) -> tuple[str, Dataset | None]:
    """All that is printed of the data: the refusal, or what is said of what was read."""
    try:
        dataset = loaded(words)
    except DataError as error:
        return str(error), None
    return "\n".join([overview(dataset), *schema(dataset), *warnings(dataset)]), dataset
