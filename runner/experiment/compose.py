"""Composition: overrides in, one DictConfig out, or every mistake at once and nothing written.

Hydra stops at the first mistake, exits 1 and leaves a directory behind. So the door composes here first, in one go;
only when that fails, override by override, to collect all that is wrong. A sweep composes each distinct choice of
groups once and sets the values on copies, by Hydra's own function: the same configuration, fifty times faster.
"""

import contextlib
import copy
import logging
import pickle
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple, cast
from uuid import uuid4

from hydra import compose
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from runner.experiment import grids
from runner.experiment.conditions import without
from runner.experiment.overrides import as_override, as_written, keys_of, one_line, override_of, plain_value
from runner.experiment.samplers import ELSEWHERE
from runner.experiment.schema import ConfigError, show, suggest
from runner.experiment.sources import BUILT_IN, COMPOSITION_ERRORS, PRIMARY, Sources, refuse_foreign

log = logging.getLogger(__name__)
OmegaConf.register_new_resolver("unique", lambda: uuid4().hex[:8], use_cache=True, replace=True)

# Keys of a preset that only make sense with the data that it was made for.
TIED_TO_DATA = ("training.target", "architecture.output", "allow_unreachable_labels")


class Composed(NamedTuple):
    """`config` without Hydra's own node, and `hydra`, that node.

    `overrides` are those asked for and, at their end, the `extra` ones that undo a preset's leftovers; `notes` tell
    of them.
    """

    config: DictConfig
    hydra: DictConfig
    overrides: list[str]
    extra: list[str]
    notes: list[str]


class Composer:
    """Hydra's composition over conf/, and over what the command line adds to it. Every yaml is read once.

    Raises ConfigError where the sources are not there, or hold no configuration of a runner.
    """

    def __init__(self, sources: Sources = BUILT_IN):
        self.sources = sources
        GlobalHydra.instance().clear()
        self._global: Any = copy.copy(sources.opened())
        GlobalHydra.instance().clear()  # opening has set it, and Hydra's own main and others want it free
        self.loader = cast(ConfigLoaderImpl, self._global.config_loader)
        if sources != BUILT_IN:  # ours is whole: composing it once more for nothing is a tenth of a short command
            refuse_foreign(sources, self.loader, lambda: self._compose([]))
        # Where a yaml is looked up: the loader's own repository does not know what hydra.searchpath adds.
        parse = self.loader._parse_overrides_and_create_caching_repo
        self.repository: Any = parse(sources.name, list(sources.searched))[1]
        self.groups = [str(group) for group in self.loader.list_groups("") if group != "hydra"]
        self._chosen: dict[tuple[str, str], Any] = {}
        self._bases: dict[tuple[str, ...], tuple[bytes, DictConfig]] = {}

    @contextlib.contextmanager
    def opened(self) -> Iterator[Hydra]:
        """Hydra over these files, for a run or a sweep of its own."""
        GlobalHydra.instance().clear()
        GlobalHydra.instance().initialize(self._global)
        try:
            yield self._global
        finally:
            GlobalHydra.instance().clear()

    def words(self) -> list[str]:
        """What Hydra must be told besides, so that it composes over the same files."""
        return self.sources.words(self.repository)

    def compose(self, overrides: Sequence[str]) -> Composed:
        """Compose, and fix what a preset leaves behind where another option stands in for its own.

        Raises ConfigError with every mistake: unknown groups, options and keys, and overrides that do not parse.
        """
        try:
            config, hydra = self._fast(overrides)
            extra, notes = self._leftovers(hydra.runtime.choices, overrides)
            if extra:
                config, hydra = self._fast([*overrides, *extra])
        except COMPOSITION_ERRORS as first:
            problems, good = self._all_mistakes(overrides)
            raise ConfigError(problems or [one_line(first)], good if problems else []) from first
        return Composed(config, hydra, [*overrides, *extra], extra, notes)

    def varied(self, plain: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
        """A resolved configuration with `overrides` applied to it: a group's choice puts that option's own values.

        Raises ConfigError where a key is not there.
        """
        config = copy.deepcopy(plain)
        for text in overrides:
            override = override_of(text)
            *path, name = override.key_or_group.split(".")
            if not self._is_value(override):
                config[name] = copy.deepcopy(self._option(name, str(override.value())))
                continue
            section = config
            for part in path:
                section = section.get(part, {})
            if name not in section:
                raise ConfigError([f"{override.key_or_group}: there is no such key."])
            section[name] = plain_value(override.value())
        return config

    def _option(self, group: str, option: str) -> Any:
        """The values of a group's option, resolved."""
        if (group, option) not in self._chosen:
            self._chosen[group, option] = self._written(group, option) or self._resolved(group, option)
        return self._chosen[group, option]

    def _written(self, group: str, option: str) -> Any:
        """An option of ours whose yaml is all there is to it: a hundred times faster than composing. Else None."""
        source = self.repository.load_config(f"{group}/{option}") if self.sources == BUILT_IN else None
        if source is None or source.defaults_list or source.header["package"] or "${" in str(source.config):
            return None
        return OmegaConf.to_container(source.config)

    def _resolved(self, group: str, option: str) -> Any:
        config = OmegaConf.to_container(self.compose([f"{group}={option}"]).config, resolve=True)
        return config[group]  # type: ignore[index, call-overload]

    def sweeping(self, overrides: Sequence[str], asked: bool) -> list[str] | None:
        """What is swept over, or None where this is a single run.

        A sweep is `asked` for by -m, or by a preset (`hydra: {mode: MULTIRUN, sweeper: {params: {seed: range(5)}}}`),
        whose own parameters come before those of the command line.
        """
        try:
            hydra = self._fast([text for text in overrides if self._is_plain_choice(text)])[1]
        except COMPOSITION_ERRORS:
            return list(overrides) if asked else None  # what is wrong is said when the jobs are composed
        if not asked and str(hydra.mode) != "RunMode.MULTIRUN":
            return None
        given = {key for override in overrides for key in grids.keys(override)}
        own = [f"{key}={value}" for key, value in (hydra.sweeper.get("params") or {}).items() if key not in given]
        return [*own, *overrides]

    def written(self, overrides: Sequence[str], key: str) -> Any:
        """A value as it stands in the yaml files that are chosen; None where they do not compose."""
        try:
            return as_written(self._fast([text for text in overrides if self._is_plain_choice(text)])[0], key)
        except COMPOSITION_ERRORS:
            return None  # what is wrong is said when the run is composed

    def searching(self, overrides: Sequence[str]) -> bool:
        """Whether a search is chosen, by the command line (a right one or not) or by a preset."""
        chosen = [text.partition("=")[2] for text in overrides if text.startswith("search=")]
        if not chosen:
            try:
                hydra = self._fast([text for text in overrides if self._is_plain_choice(text)])[1]
            except COMPOSITION_ERRORS:
                return False  # what is wrong is said when the run is composed
            chosen = [str(hydra.runtime.choices.get("search", "none"))]
        return chosen[-1] != "none"

    def parsed(self, override: str) -> Override:
        """An override in Hydra's grammar. Raises ConfigError where it is none."""
        try:
            return OverridesParser.create(config_loader=self.loader).parse_overrides([override])[0]
        except HydraException as error:
            message = f"{override}: an override is KEY=VALUE or KEY=VALUE,VALUE. {one_line(error)}"
            raise ConfigError([message]) from error

    def whole(self, overrides: Sequence[str]) -> DictConfig:
        """What Hydra's own main would compose for a sweep as a whole, Hydra's own node in it."""
        return self._compose([text for text in self.for_hydra(overrides) if not self.parsed(text).is_sweep_override()])

    def for_hydra(self, overrides: Sequence[str]) -> list[str]:
        """The overrides of a sweep that Hydra's own main must see: its own, and the choices of groups.

        It composes them all at once, and a key of a swept group (optimizer=momentum,nesterov optimizer.momentum=0.5)
        would be none to it.
        """
        return [
            text for text in overrides if self._is_choice(text) or text.lstrip("+~").startswith(("hydra.", "hydra/"))
        ]

    def _is_plain_choice(self, override: str) -> bool:
        try:
            parsed = OverridesParser.create(config_loader=self.loader).parse_override(override)
        except HydraException:
            return False
        return not self._is_value(parsed) and not parsed.is_sweep_override()

    def expand(self, overrides: Sequence[str]) -> list[list[str]]:
        """The jobs of a sweep, in the order of Hydra's own grammar: the last list varies fastest.

        Beside that grammar it knows what `runner.experiment.grids` does, and leaves out what sweep.exclude says. Raises
        ConfigError for what does not parse, for ranges that only a search takes, for empty ones, and for no job at all.
        """
        given, left_out = self._own(overrides, grids.FILE), self._own(overrides, grids.EXCLUDE)
        words = [text for text in overrides if text.partition("=")[0] not in (grids.FILE, grids.EXCLUDE)]
        problems, axes = grids.twice(words), []
        for text in words:
            try:
                axes.append(grids.alternatives(text, self._values))
            except ConfigError as error:
                problems += error.problems
        if given is not None:
            try:
                axes.append(grids.read(given, self._values))
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)
        jobs = [[text for one in chosen for text in one] for chosen in product(*axes)]
        if left_out is None:
            return jobs
        return without(jobs, left_out, self.compose, [*self.keys(""), *self.groups])

    def _own(self, overrides: Sequence[str], key: str) -> str | None:
        """The value of a key of the sweep itself: it is no job's."""
        texts = [text for text in overrides if text.partition("=")[0] == key]
        value = plain_value(self.parsed(texts[-1]).value()) if texts else self.written(overrides, key)
        return None if value is None else str(value)

    def _values(self, text: str) -> list[str]:
        """The overrides that one of Hydra's stands for. Raises ConfigError."""
        override = self.parsed(text)
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise ConfigError(
                [
                    f"{text}: an interval is for a search: add search=random (or tpe). "
                    "A sweep takes a list, range() or choice()."
                ]
            )
        if override.is_sweep_override() and not list(override.sweep_string_iterator()):
            raise ConfigError([f"{text}: there is nothing in that range."])
        return [one for (one,) in BasicSweeper.split_arguments([override], None)[0]]

    def _fast(self, overrides: Sequence[str]) -> tuple[DictConfig, DictConfig]:
        """Hydra's composition, with the part that depends on groups alone done once for each choice of them."""
        parsed = [override_of(text) for text in overrides]
        values = [override for override in parsed if self._is_value(override)]
        structure = tuple(str(override.input_line) for override in parsed if not self._is_value(override))
        if structure not in self._bases:
            whole = self._compose(structure)
            config = OmegaConf.masked_copy(whole, [str(key) for key in whole if key != "hydra"])
            OmegaConf.set_struct(config, True)
            self._bases[structure] = pickle.dumps(config), whole.hydra
        base, hydra = self._bases[structure]
        config = pickle.loads(base)  # a copy, six times faster than by deepcopy
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
        return config, hydra

    def _is_value(self, override: Override) -> bool:
        key = override.key_or_group
        if override.is_sweep_override():
            return False  # Hydra says what it thinks of that
        return key not in self.groups and not override.package and key.split(".")[0] != "hydra"

    def _compose(self, overrides: Sequence[str]) -> DictConfig:
        log.debug("composing %s with %s", self.sources.name, list(overrides))
        with self.opened():
            return compose(self.sources.name, overrides=[*self.sources.searched, *overrides], return_hydra_config=True)

    def _all_mistakes(self, overrides: Sequence[str]) -> tuple[list[str], list[str]]:
        """Add the overrides one at a time: what is wrong with each that does not compose, and those that do."""
        good: list[str] = []
        problems: list[str] = []
        bad_groups: list[str] = []
        # Choices of groups first: which keys there are depends on them.
        for override in sorted(overrides, key=lambda text: not self._is_choice(text)):
            if any(override.lstrip("+~").startswith(f"{group}.") for group in bad_groups):
                continue  # its group's choice is wrong already: whether the key is right cannot be said
            try:
                self._compose([*good, override])
                good.append(override)
            except COMPOSITION_ERRORS as error:
                problems.append(self._explain(override, error, good))
                if self._is_choice(override):
                    bad_groups.append(override.split("=")[0].lstrip("+~"))
        return problems, good

    def _is_choice(self, override: str) -> bool:
        return override.split("=")[0].lstrip("+~").split("@")[0] in self.groups

    def _explain(self, override: str, error: Exception, good: list[str]) -> str:
        """One sentence on why `override` does not compose: what, where, what was expected, the nearest valid name."""
        try:
            parsed: Override = OverridesParser.create().parse_overrides([override])[0]
        except HydraException:
            return f"{override}: an override is KEY=VALUE, like optimizer.lr=0.1. {one_line(error)}"
        if parsed.is_sweep_override():
            if parsed.is_interval_sweep():
                return f"{override}: an interval is for a search. Add search=random (or tpe)."
            return f"{override}: several values are a sweep. Add -m to run one job for each."
        key, value = parsed.key_or_group, parsed.value()
        if self._is_choice(override):
            there = self.options(key)
            more = ELSEWHERE.get(str(value)) if key == "search" else None
            near = f" {more}" if more else suggest(value, there)
            return f"{key}={value}: there is no such {key}. Available: {', '.join(there)}.{near}"
        keys = keys_of(self._compose(good))
        if key in keys:
            return f"{override}: {one_line(error)}"
        same_name = [known for known in keys if known.split(".")[-1] == key.split(".")[-1]]
        near = f" Did you mean {' or '.join(same_name)}?" if same_name else suggest(key, [*keys, *self.groups])
        siblings = [known for known in keys if known.rpartition(".")[0] == key.rpartition(".")[0]]
        listing = f" There are: {', '.join(siblings)}." if siblings and not near else ""
        return f"{key}: there is no such key.{near}{listing}"

    @property
    def chosen(self) -> list[str]:
        """The groups that have an option chosen for them, or null, where the command line chooses none."""
        return [str(group) for group in self._fast([])[1].runtime.choices]

    def keys(self, ending: str) -> list[str]:
        """Every dotted key; with `ending`, those whose last part it is, or that are it."""
        return [key for key in keys_of(self._fast([])[0]) if not ending or f".{key}".endswith(f".{ending}")]

    def options(self, group: str) -> list[str]:
        """Every option of a group, those in folders (experiment=posts/xor) too."""
        found = [str(option) for option in self.repository.get_group_options(group)]
        for folder in self.repository.get_group_options(group, results_filter=ObjectType.GROUP):
            found += [f"{folder}/{option}" for option in self.options(f"{group}/{folder}")]
        return found

    def _leftovers(self, choices: Any, overrides: Sequence[str]) -> tuple[list[str], list[str]]:
        """Overrides that undo what a preset set for an option that is not used, and one line that names them.

        `experiment=posts/cats dataset=xor` must not train XOR with the cats' divisor, nor `optimizer=adam` take the
        rate that the preset meant for gd.
        """
        preset = choices.get("experiment")
        if not preset:
            return [], []
        source = self.repository.load_config(f"experiment/{preset}")
        made_for = {entry.group.lstrip("/"): entry.value for entry in source.defaults_list if entry.override}
        replaced = {group for group, option in made_for.items() if choices.get(group) != option}
        given = {override.split("=")[0].lstrip("+") for override in overrides} - set(self.groups)
        body = keys_of(source.config)
        keys = [key for key in body if "." in key and key.split(".")[0] in replaced]
        if "dataset" in replaced:
            keys += [key for key in TIED_TO_DATA if key in body and key not in keys]
        keys = [key for key in keys if not any(key == name or key.startswith(f"{name}.") for name in given)]
        if not keys:
            return [], []
        dropped = ", ".join(f"{key}={show(as_written(source.config, key))}" for key in keys)
        instead = ", ".join(f"{group}={choices[group]}" for group in sorted(replaced))
        note = f"experiment={preset} is used with {instead}: what it sets for its own choice is left out ({dropped})."
        return [self._undo(key, choices) for key in keys], [note]

    def _undo(self, key: str, choices: Any) -> str:
        """The override that gives `key` the value it would have had without the preset."""
        group, _, name = key.partition(".")
        path, name = (f"{group}/{choices[group]}", name) if group in choices else (PRIMARY, key)
        source = self.repository.load_config(path).config
        return f"{key}={as_override(as_written(source, name))}" if name in keys_of(source) else f"~{key}"
