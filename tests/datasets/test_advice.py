"""Every override that a message prints is typed again here, and does what the message says."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datasets import Dataset
from tests.datasets.advice import loaded, printed, told
from tests.datasets.advice import test_printed_overrides_are_found_as_a_shell_parts_them as test_they_are_found  # noqa: F401
from tests.datasets.files.kinds import KINDS

N = 40
NUMBERS = np.random.default_rng(0).normal(size=(N, 2)).round(3)


def column(dataset: Dataset, name: str) -> np.ndarray:
    return dataset.train.X[:, dataset.inputs.index(name)]


def has(*names: str) -> Callable[[Dataset], bool]:
    return lambda dataset: dataset.inputs == names


def rows(n: int) -> Callable[[Dataset], bool]:
    return lambda dataset: len(dataset.train.y) == n


def classes(n: int) -> Callable[[Dataset], bool]:
    return lambda dataset: dataset.classes is not None and len(dataset.classes) == n


def regression(dataset: Dataset) -> bool:
    return dataset.classes is None


def filled(dataset: Dataset) -> bool:
    return column(dataset, "a missing").sum() == 4 and abs(column(dataset, "a")).max() < 10


def table(head: str, line: Callable[[int], str], n: int = N) -> str:
    return "\n".join([head, *(line(i) for i in range(n))] if head else map(line, range(n))) + "\n"


def number(i: int) -> str:
    return f"{NUMBERS[i, 0]},{NUMBERS[i, 1]}"


def label(i: int) -> str:
    return "xy"[i % 2]


CASES: dict[str, tuple[str, list[str], dict[str, Callable[[Dataset], bool]]]] = {
    "a number that stands for nothing": (
        table("a,b,y", lambda i: f"{-999 if i % 10 == 3 else NUMBERS[i, 0]},{NUMBERS[i, 1]},{label(i)}"),
        ["dataset.scaling=standardise"],
        {"dataset.na=[auto,-999]": filled},
    ),
    "the same, with other words for nothing, and a name in quotes": (
        table(
            "a,b,y", lambda i: f"{'-999.0' if i % 10 == 3 else NUMBERS[i, 0]},{'NA' if i == 3 else 1.5 * i},{label(i)}"
        ),
        ["dataset.scaling=standardise"],
        {"dataset.na=[auto,-999]": lambda found: filled(found) and column(found, "b missing").sum() == 1},
    ),
    "a column that counts the rows": (
        table("n,b c,y", lambda i: f"{i},{NUMBERS[i, 1]},{label(i)}"),
        ["dataset.scaling=none"],
        {'dataset.columns=["!n"]': has("b c")},
    ),
    "a column that is the target": (
        table('a,it\'s "it",y', lambda i: f"{NUMBERS[i, 1]},{i % 2},{label(i)}").replace(
            'it\'s "it"', '"it\'s ""it"""'
        ),
        [],
        {'dataset.columns=["!it\'s \\"it\\""]': has("a")},
    ),
    "words among numbers, in two columns": (
        table("a,b,c,y", lambda i: f"{'broken' if i == 4 else NUMBERS[i, 0]},{'out' if i == 5 else i},1.5,{label(i)}"),
        [],
        {
            'dataset.columns=["!a","!b"]': has("c"),
            "dataset.na=[auto,broken,out]": has("a", "a missing", "b", "b missing", "c"),
        },
    ),
    "infinity": (
        table("a,b,y", lambda i: f"{'inf' if i == 4 else NUMBERS[i, 0]},{NUMBERS[i, 1]},{label(i)}"),
        [],
        {'dataset.columns=["!a"]': has("b"), 'dataset.na=[auto,"inf"]': has("a", "a missing", "b")},
    ),
    "text, where only numbers are taken": (
        table("a,b,y", lambda i: f"{'uvw'[i % 3]},{NUMBERS[i, 1]},{label(i)}"),
        ["dataset.encode=none"],
        {'dataset.columns=["!a"]': has("b"), "dataset.encode=auto": has("a=u", "a=v", "a=w", "b")},
    ),
    "names, an id and one text": (
        table("id,who,same,b,y", lambda i: f"{i * 7 + 3},name {i},one,{NUMBERS[i, 1]},{label(i)}"),
        ["dataset.scaling=none"],
        {
            'dataset.columns=["*",id]': has("id", "b"),
            'dataset.columns=["*",who]': lambda found: len(found.inputs) == 1 + N,
            'dataset.columns=["*",same]': has("same=one", "b"),
        },
    ),
    "names, where columns are chosen": (
        table("who,a,b,y", lambda i: f"name {i},{number(i)},{label(i)}"),
        ['dataset.columns=["!b"]'],
        {'dataset.columns=["*","!b",who]': lambda found: len(found.inputs) == 1 + N and "a" in found.inputs},
    ),
    "nothing but names": (
        table("who,y", lambda i: f"name {i},{label(i)}"),
        [],
        {'dataset.columns=["*",who]': lambda found: len(found.inputs) == N},
    ),
    "a target that is missing": (
        table("a,b,y", lambda i: f"{number(i)},{'NA' if i == 4 else label(i)}"),
        [],
        {"dataset.missing=drop": rows(N - 1), 'dataset.na=[auto,"!NA"]': classes(3)},
    ),
    "a word among the targets": (
        table("a,b,y", lambda i: f"{number(i)},{'bad-1' if i == 4 else i + 0.5}"),
        [],
        {"dataset.na=[auto,bad-1] dataset.missing=drop": rows(N - 1), "dataset.task=classification": classes(N)},
    ),
    "as many classes as rows": (
        table("a,b,y", lambda i: f"{number(i)},name {i}"),
        [],
        {"dataset.task=classification": classes(N)},
    ),
    "amounts that look like classes": (
        table("a,b,y", lambda i: f"{number(i)},{i % 5}"),
        [],
        {"dataset.task=regression": regression},
    ),
    "classes that look like amounts": (
        table("a,b,y", lambda i: f"{number(i)},{i % 26}"),
        [],
        {"dataset.task=classification": classes(26)},
    ),
    "one class": (table("a,b,y", lambda i: f"{number(i)},3"), [], {"dataset.task=regression": regression}),
    "no header": (
        table("", lambda i: f"{number(i)},{label(i)}"),
        ["dataset.target=x"],
        {"dataset.target=2": classes(2), "dataset.header=true": rows(N - 1)},
    ),
    "a missing input, refused": (
        table("a,b,y", lambda i: f"{'' if i == 4 else NUMBERS[i, 0]},{NUMBERS[i, 1]},{label(i)}"),
        ["dataset.missing=refuse"],
        {"dataset.missing=auto": has("a", "a missing", "b"), "dataset.missing=drop": rows(N - 1)},
    ),
    "a missing value where none was trained on": (
        table("a,b,y", lambda i: f"{'' if i == N - 1 else NUMBERS[i, 0]},{NUMBERS[i, 1]},{label(i)}"),
        ["dataset.test_fraction=0.2", "dataset.split=time"],
        {"dataset.missing=median": lambda found: np.isfinite(found.test.X).all()},
    ),
    "columns far from 1": (
        table("a,b,y", lambda i: f"{NUMBERS[i, 0] * 1e4},{NUMBERS[i, 1]},{label(i)}"),
        [],
        {"dataset.scaling=none": lambda found: found.scaling is None},
    ),
    "the same, left as they are": (
        table("a,b,y", lambda i: f"{NUMBERS[i, 0] * 1e4},{NUMBERS[i, 1]},{label(i)}"),
        ["dataset.scaling=none"],
        {"dataset.scaling=standardise": lambda found: found.scaling is not None},
    ),
    "targets far from 1": (
        table("a,b,y", lambda i: f"{number(i)},{i * 1000.5}"),
        ["dataset.target_scaling=none"],
        {"dataset.target_scaling=standardise": lambda found: found.targets is not None},
    ),
    "a fold without folds": (
        table("a,b,y", lambda i: f"{number(i)},{label(i)}"),
        ["dataset.fold=1"],
        {"dataset.folds=5": lambda found: len(found.validation.y) == N // 5},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_printed_override_does_what_it_says(name: str, tmp_path: Path) -> None:
    text, words, expected = CASES[name]
    (tmp_path / "own.csv").write_text(text)
    typed = [f"dataset.path={tmp_path / 'own.csv'}", "dataset.target=y", *words]
    said, _ = told(typed)
    advice = {" ".join(found): found for found in printed(said) if not set(found) <= set(typed)}
    assert set(expected) == set(advice), said
    for shown, found in advice.items():
        assert expected[shown](loaded([*typed, *found])), shown


@pytest.mark.filterwarnings("ignore:.*openpyxl.*")
@pytest.mark.parametrize(
    "name", [name for name in KINDS if KINDS[name].__name__.startswith(("a_", "an_", "one_", "as_many"))]
)
def test_what_a_refusal_of_a_file_prints_gets_on(name: str, tmp_path: Path) -> None:
    kind = KINDS[name](tmp_path)
    typed = [f"dataset.path='{kind.path}'", f"dataset.target={kind.target}"]
    said, dataset = told(typed)
    assert dataset is None
    for found in printed(said):
        if not found[0].startswith("dataset.path="):  # of a pickle: that file is to be written first
            loaded([*typed, *found])
