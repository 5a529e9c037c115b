"""The sweep language beside Hydra's: what one word of a sweep gives to its jobs.

    optimizer.lr=geomspace(1e-4,1,9)     nine rates, each the same factor above the one before
    training.iterations=linspace(100,1000,10)
    zip(optimizer.lr=0.1,0.01 | training.iterations=100,1000)           the first with the first: two jobs
    union(optimizer=gd optimizer.lr=1,0.1 | optimizer=adam)             one grid after the other: three jobs
    sweep.file=settings.csv              a job a row, a column a key; what is empty is not set

Each word is read into its alternatives, each some overrides; the jobs are all combinations, as in Hydra's own grammar.
"""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from runner.experiment.schema import ConfigError

FILE, EXCLUDE = "sweep.file", "sweep.exclude"
JOINED = re.compile(r"(zip|union)\(")
SPACED = re.compile(r"([^=\s]+)=(geomspace|linspace)\((.*)\)")
OPEN, CLOSED, QUOTES = "([{", ")]}", "'\""
Alternatives = list[tuple[str, ...]]
Values = Callable[[str], list[str]]


def is_joined(word: str) -> bool:
    """Whether a word joins several keys: zip(...) or union(...)."""
    return JOINED.match(word) is not None


def spelled_out(word: str) -> str:
    """`geomspace` and `linspace` as the list that they stand for, also inside zip and union. Raises ConfigError.

    Twelve digits of each number, so that the same numbers can be typed.

    >>> spelled_out("optimizer.lr=geomspace(0.001,10,5)"), spelled_out("seed=linspace(0,6,3)")
    ('optimizer.lr=0.001,0.01,0.1,1,10', 'seed=0,3,6')
    """
    if is_joined(word) and word.endswith(")"):
        name, inner = word[:-1].split("(", 1)
        return f"{name}({_mapped(inner)})"
    found = SPACED.fullmatch(word)
    if not found:
        return word
    key, name, inner = found.groups()
    try:
        first, last, count = (float(part) for part in inner.split(","))
        if count != int(count) or count < 1 or not np.isfinite([first, last]).all():
            raise ValueError
    except ValueError:
        example = f"{key}={name}(1e-4,1,9)"
        raise ConfigError([f"{word} must be two numbers and how many there are to be, like {example}."]) from None
    if name == "geomspace" and not first * last > 0:
        raise ConfigError([f"{word}: the ends must be both above 0. Got {first:g} and {last:g}; linspace takes any."])
    space = np.geomspace if name == "geomspace" else np.linspace
    return f"{key}={','.join(f'{number:.12g}' for number in space(first, last, int(count)))}"


def _mapped(inner: str) -> str:
    return " | ".join(" ".join(spelled_out(word) for word in split(part, " ")) for part in split(inner, "|"))


def alternatives(word: str, values: Values) -> Alternatives:
    """What a word gives to the jobs; `values` gives the overrides that a word of Hydra's stands for."""
    if not is_joined(word):
        return [(text,) for text in values(word)]
    if not word.endswith(")"):
        raise ConfigError([f"{word}: its last sign must be the parenthesis that closes {word.split('(')[0]}("])
    name, inner = word[:-1].split("(", 1)
    parts = [split(part, " ") for part in split(inner, "|")]
    if len(parts) < 2 or not all(parts):
        raise ConfigError([f"{word}: {name} must have two or more parts, with | between them."])
    return _zipped(word, parts, values) if name == "zip" else [one for part in parts for one in _grid(part, values)]


def _grid(words: Sequence[str], values: Values) -> Alternatives:
    """Every combination of what some words give."""
    axes = [alternatives(word, values) for word in words]
    return [tuple(text for one in chosen for text in one) for chosen in product(*axes)]


def _zipped(word: str, parts: Sequence[Sequence[str]], values: Values) -> Alternatives:
    """The first of each part together, then the second of each."""
    columns = [_grid(part, values) for part in parts]
    if len({len(column) for column in columns}) > 1:
        lengths = ", ".join(f"{len(column)} of {_key(part[0])}" for column, part in zip(columns, parts, strict=True))
        raise ConfigError([f"{word}: the parts of zip must be equally long. Got {lengths}."])
    return [tuple(text for one in row for text in one) for row in zip(*columns, strict=True)]


def read(place: str, values: Values) -> Alternatives:
    """The settings in a csv file: its head names keys, each row is what one job sets. Raises ConfigError."""
    try:
        with Path(place).open(newline="", encoding="utf-8-sig") as file:
            head, *rows = [row for row in csv.reader(file, skipinitialspace=True) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError([f"{FILE}={place}: it cannot be read ({why})."]) from None
    except ValueError:
        raise ConfigError([f"{FILE}={place}: it is empty. Its first line must name keys, like optimizer.lr."]) from None
    problems, found = [], []
    for number, row in enumerate(rows, 2):
        if len(row) != len(head):
            problems.append(f"{FILE}={place}, row {number} must have {len(head)} cells, as the head. Got {len(row)}.")
            continue
        texts = [f"{key.strip()}={cell.strip()}" for key, cell in zip(head, row, strict=True) if cell.strip()]
        try:
            told = [(text, values(text)) for text in texts]
            problems += [
                f"{FILE}={place}, row {number}: {text} must be one value." for text, single in told if len(single) != 1
            ]
            found.append(tuple(single[0] for _, single in told))
        except ConfigError as error:
            problems += [f"{FILE}={place}, row {number}: {problem}" for problem in error.problems]
    if not rows:
        problems = [f"{FILE}={place}: it has no row below its head."]
    if problems:
        raise ConfigError(problems)
    return found


def keys(word: str) -> list[str]:
    """The keys that a word sets.

    >>> keys("zip(optimizer.lr=1,2 | seed=0,1)"), keys("seed=range(3)")
    (['optimizer.lr', 'seed'], ['seed'])
    """
    if not is_joined(word):
        return [_key(word)]
    inner = word.removesuffix(")").split("(", 1)[1]
    return list(dict.fromkeys(key for part in split(inner, "|") for one in split(part, " ") for key in keys(one)))


def twice(words: Sequence[str]) -> list[str]:
    """A sentence for each key that a zip or union sets, and another word too."""
    setters: dict[str, list[str]] = {}
    for word in words:
        for key in keys(word):
            setters.setdefault(key, []).append(word)
    return [
        f"{key} is set by {' and by '.join(found)}. Leave one of them out."
        for key, found in setters.items()
        if len(found) > 1 and any(map(is_joined, found))
    ]


def refused(words: Iterable[str], why: str) -> list[str]:
    """A sentence for each word of this language that stands where it has no meaning."""
    own = [word for word in words if is_joined(word) or _key(word) in (FILE, EXCLUDE)]
    return [f"{word}: {why}" for word in own if word.partition("=")[2] != "null"]


def split(text: str, at: str) -> list[str]:
    """Parts of a text, parted where a sign stands outside of all brackets and quotes; empty ones are left out.

    >>> split("a=[1,2] b='x y'  c=3", " ")
    ['a=[1,2]', "b='x y'", 'c=3']
    """
    parts, depth, quote = [""], 0, ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in QUOTES:
            quote = sign
        depth += 0 if quote else (sign in OPEN) - (sign in CLOSED)
        if sign == at and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts if part.strip()]


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]
