"""An override in Hydra's grammar: read, and written; and the keys of a configuration."""

from functools import lru_cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from runner.experiment.schema import show


@lru_cache(maxsize=4096)
def override_of(override: str) -> Override:
    """An override as Hydra's grammar has it; the jobs of a sweep share most of theirs."""
    return OverridesParser.create().parse_overrides([override])[0]


def quoted(override: str) -> str:
    """The override with quotes around a name that Hydra's grammar does not know as one: dataset.target=Größe.

    Only where it says what a file, a column or a run is called, and would not parse otherwise.
    """
    if override.startswith("script.set."):
        override = f"++{override}"  # which names there are, the script says
    key, _, value = override.partition("=")
    read = ("dataset.", "tracking.", "search.", "sweep.", "script.")
    if not key.lstrip("+").startswith(read) or value[:1] in (
        "",
        "[",
        "{",
        "'",
        '"',
        "$",
    ):
        return override
    try:
        override_of(override)
    except HydraException:
        return f"{key}={as_override(value)}"
    return override


def keys_of(config: DictConfig) -> list[str]:
    """Every key of a configuration, dotted, but Hydra's own."""

    def walk(node: Any, prefix: str) -> list[str]:
        found = []
        for name, value in node.items():
            found.append(f"{prefix}{name}")
            if isinstance(value, dict):
                found += walk(value, f"{prefix}{name}.")
        return found

    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    return walk({key: value for key, value in plain.items() if key != "hydra"}, "")


def as_written(config: DictConfig, key: str) -> Any:
    """A value as it is written: containers as such, interpolations unresolved."""
    node: Any = OmegaConf.to_container(config, resolve=False)
    for part in key.split("."):
        node = node[part]
    return node


def plain_value(value: Any) -> Any:
    """A parsed override's value in plain containers."""
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, dict):
        return {str(key): plain_value(part) for key, part in value.items()}
    return [plain_value(part) for part in value] if isinstance(value, list) else value


def as_override(value: Any) -> str:
    """A value in Hydra's override grammar."""
    if isinstance(value, str):
        return "'" + value.replace("'", "\\'") + "'"
    if isinstance(value, list):
        return "[" + ",".join(as_override(part) for part in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{as_override(part)}" for key, part in value.items()) + "}"
    return show(value)


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
