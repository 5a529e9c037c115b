"""Where configurations are looked up: our own yaml files, and what the command line adds to them."""

from collections.abc import Callable, Collection
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.experiment.overrides import one_line
from runner.experiment.schema import ConfigError, suggest

OURS, PRIMARY = "pkg://conf", "config"  # our yaml files, and the one that is composed where none is named
# Hydra says some mistakes (optimizer=null) by a plain ValueError.
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, ValueError)


class Sources(NamedTuple):
    """What a command line says of where yaml files are.

    `config_dir`: a folder of the user's, beside ours (--config-dir). `config_path`: the folder of the primary
    configuration, with ours behind it (--config-path). `config_name`: the primary configuration (--config-name).
    `searched`: overrides of hydra.searchpath.
    """

    config_dir: str | None = None
    config_path: str | None = None
    config_name: str | None = None
    searched: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return (self.config_name or PRIMARY).removesuffix(".yaml")

    def __str__(self) -> str:
        given = (("--config-path", self.config_path), ("--config-name", self.config_name))
        return " ".join(f"{flag} {value}" for flag, value in given if value)

    def opened(self) -> Hydra:
        """Hydra over these files. Raises ConfigError where a folder is not there."""
        version.setbase("1.3")
        places = create_config_search_path(_place("--config-path", self.config_path) if self.config_path else OURS)
        if self.config_dir:
            place = _place("--config-dir", self.config_dir)
            places.prepend("command-line", place, SearchPathQuery(provider="schema"))
        if self.config_path:  # behind the user's, which may therefore have files named like ours
            places.prepend("runner", OURS, SearchPathQuery(provider="schema"))
        return Hydra.create_main_hydra2("runner", places)

    def words(self, repository: Any) -> list[str]:
        """The word for Hydra's own main that puts our files behind those of --config-path; none where it is not given.

        It takes the place of what the primary configuration itself says of hydra.searchpath, so that is in it, too.
        """
        if self.config_path is None:
            return []
        primary = repository.load_config(self.name).config
        entries = list(OmegaConf.select(primary, "hydra.searchpath") or [])
        for override in OverridesParser.create().parse_overrides(list(self.searched)):
            value = override.value()
            entries = value if isinstance(value, list) else [value]
        return [f"hydra.searchpath=[{','.join(dict.fromkeys([*map(str, entries), OURS]))}]"]


BUILT_IN = Sources()


def of_job(about: Any) -> Sources:
    """What Hydra composed a job from, as its own node `about` says it: all that a worker of a launcher knows."""
    folders = {each.provider: each.path for each in about.runtime.config_sources if each.schema == "file"}
    name = about.job.config_name
    searched = tuple(text for text in about.overrides.hydra if text.startswith("hydra.searchpath="))
    return Sources(folders.get("command-line"), folders.get("main"), None if name == PRIMARY else name, searched)


def refuse_foreign(sources: Sources, loader: ConfigLoaderImpl, compose: Callable[[], Collection[Any]]) -> None:
    """Refuse a primary configuration that is not there, does not compose, or is not one of a runner."""
    try:
        composed = compose()
    except MissingConfigException as error:
        if error.missing_cfg_file != sources.name:
            raise ConfigError([f"{sources}: {one_line(error)}"]) from error
        names = [str(name) for name in loader.get_group_options("", ObjectType.CONFIG) if name[:1] != "_"]
        there = f" Available: {', '.join(names)}." + suggest(sources.name, names)
        raise ConfigError([f"{sources}: there is no configuration called {sources.name}.{there}"]) from error
    except COMPOSITION_ERRORS as error:
        where = str(sources) or f"--config-dir {sources.config_dir}"
        raise ConfigError([f"{where}: {one_line(error)}"]) from error
    ours = sorted(path.name for path in files("conf").iterdir() if path.is_dir() and path.name != "__pycache__")
    if missing := [group for group in ours if group not in composed and group != "experiment"]:
        way = "A configuration of your own takes the rest from ours by `defaults: [config, _self_]`."
        raise ConfigError([f"{sources}: this configuration has no {', '.join(missing)}. {way}"])


def _place(flag: str, folder: str) -> str:
    """A folder as Hydra's search path has it."""
    if "://" in folder:
        return folder
    if not Path(folder).is_dir():
        raise ConfigError([f"{flag} {folder}: there is no such directory."])
    return f"file://{Path(folder).resolve()}"
