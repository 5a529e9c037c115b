"""The words of a command line: which are flags, which overrides, and what people mean by some that are neither."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hydra._internal.utils import get_args_parser

from runner.experiment.compose import Composer
from runner.experiment.overrides import quoted
from runner.experiment.schema import ConfigError, suggest
from runner.experiment.sources import Sources
from runner.runs.files import hide
from runner.runs.passwords import without_password

SEARCHED = "hydra.searchpath="


class Words(NamedTuple):
    """`flags` are for Hydra's own main, `arguments` what its parser reads in them; `options` are `--name value` pairs
    that are no flags of anybody's.
    """

    flags: list[str]
    overrides: list[str]
    options: list[tuple[str, str | None]]
    arguments: Namespace


def parsed(words: Sequence[str]) -> Words:
    """Flags may stand anywhere among the overrides; Hydra's own parser wants them at one end."""
    arguments, unknown = get_args_parser().parse_known_intermixed_args(list(words))
    overrides, options, taken = list(arguments.overrides), [], set[str]()
    for word in (word for word in unknown if word.startswith("-")):
        name, sign, value = word.lstrip("-").partition("=")
        behind = list(words)[list(words).index(word) + 1 :][:1]
        if not sign and behind and "=" not in behind[0] and not behind[0].startswith("--"):
            value = behind[0]
            taken.add(value)
        options.append((name, value or None))
    overrides = [text for text in (*overrides, *unknown) if text not in taken and not text.startswith("-")]
    kept = [word for word in words if word not in arguments.overrides and word not in unknown and word not in taken]
    if arguments.config_path and Path(arguments.config_path).is_dir():
        # Hydra would look beside the runner's own sources; who types a folder means one of theirs.
        place = str(Path(arguments.config_path).resolve())
        own = arguments.config_path
        kept = [word.removesuffix(own) + place if word in (own, f"--config-path={own}") else word for word in kept]
    return Words(kept, [quoted(without_password(text)) for text in overrides], options, arguments)


def sources(words: Words) -> Sources:
    """Where the command line says that yaml files are."""
    given, searched = words.arguments, tuple(text for text in words.overrides if text.startswith(SEARCHED))
    return Sources(given.config_dir, given.config_path, given.config_name, searched)


def meant(words: Words, composer: Composer) -> tuple[list[str], list[str]]:
    """The overrides as they are meant, and a sentence for each that was written otherwise.

    `+experiment=NAME` chooses like `experiment=NAME`: the group is there already. `--lr 0.1` is `optimizer.lr=0.1`,
    where one key alone ends so. Raises ConfigError for other options.
    """
    overrides, notes, problems = [], [], []
    for text in words.overrides:
        group = text.partition("=")[0]
        overrides.append(text[1:] if group[:1] == "+" and group[1:] in composer.chosen else text)
    for name, value in words.options:
        keys = composer.keys(name.replace("-", "_"))
        if value is not None and len(keys) == 1:
            overrides.append(quoted(without_password(f"{keys[0]}={value}")))
            notes.append(f"--{name} {hide(value)} is read as {overrides[-1]}")
            continue
        far = [key.rpartition(".")[2] for key in composer.keys("")]
        texts = [f"{key}={'...' if value is None else value}" for key in keys]
        near = f" Did you mean {' or '.join(texts)}?" if texts else ""
        problems.append(f"--{name}: there is no such option; a value is set by KEY=VALUE.{near or suggest(name, far)}")
    if problems:
        raise ConfigError(problems)
    return overrides, notes
