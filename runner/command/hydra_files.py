"""The files that Hydra itself would leave of a sweep and its jobs."""

import copy
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import get_overrides_dirname
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from runner.experiment.compose import Composed
from runner.experiment.experiment import Experiment
from runner.experiment.schema import ConfigError
from runner.runs import journal
from runner.runs.files import hide
from runner.runs.record import write_config


def save_master(master: DictConfig, sweep_dir: Path) -> None:
    """The configuration that Hydra's own main has composed for the sweep as a whole."""
    sweep_dir.mkdir(parents=True, exist_ok=True)
    (sweep_dir / "multirun.yaml").write_text(hide(OmegaConf.to_yaml(master)))


def directories(
    experiments: Sequence[Experiment], master: DictConfig, sweep_dir: Path, numbers: Sequence[int]
) -> list[Path]:
    """Where the jobs with these numbers go: `hydra.sweep.subdir`, or beside it where that holds a run already.

    Raises ConfigError where two of them would share one.
    """
    found: dict[Path, int] = {}
    for experiment, number in zip(experiments, numbers, strict=True):
        directory = sweep_dir / _subdir(experiment, master, number)
        if directory in found:
            raise ConfigError(
                [
                    f"hydra.sweep.subdir={master.hydra.sweep.subdir} must be another directory for each job. Got "
                    f"{directory.name} for the jobs {found[directory]} and {number}."
                ]
            )
        found[directory] = number
    return [_free(directory) for directory in found]


def prepare(experiment: Experiment, master: DictConfig, directory: Path, number: int) -> Path:
    """The job's directory, with Hydra's own record of its configuration in it."""
    composed = _composed(experiment)
    if master.hydra.output_subdir is not None:
        folder = directory / str(master.hydra.output_subdir)
        folder.mkdir(parents=True, exist_ok=True)
        write_config(folder / "config.yaml", OmegaConf.to_container(composed.config, resolve=False))
        write_config(folder / "hydra.yaml", {"hydra": hydra_node(composed, master, number)})
        write_config(folder / "overrides.yaml", list(experiment.overrides))
    return directory


def job_config(experiment: Experiment, master: DictConfig, number: int) -> DictConfig:
    """The configuration of job `number` with Hydra's own node in it, as Hydra's launcher would have it."""
    composed = _composed(experiment)
    config = copy.deepcopy(composed.config)
    with read_write(config), open_dict(config):
        config.hydra = hydra_node(composed, master, number)
    OmegaConf.copy_cache(from_config=master, to_config=config)
    return config


def _composed(experiment: Experiment) -> Composed:
    assert experiment.composed is not None
    return experiment.composed


def _free(directory: Path) -> Path:
    """The directory, or the first beside it, `NAME_1`, `NAME_2` ..., that holds no run: what was recorded stays."""
    again = (directory.with_name(f"{directory.name}_{count}") for count in itertools.count(1))
    return next(each for each in itertools.chain([directory], again) if not (each / journal.FILE).exists())


def _subdir(experiment: Experiment, master: DictConfig, number: int) -> str:
    """`hydra.sweep.subdir` of job `number`: it may speak of anything in the job's configuration."""
    plain = OmegaConf.to_container(master.hydra.sweep, resolve=False)
    assert isinstance(plain, dict)
    if plain["subdir"] == "${hydra.job.num}":
        return str(number)
    return str(job_config(experiment, master, number).hydra.sweep.subdir)


def hydra_node(composed: Composed, master: DictConfig, number: int) -> dict[str, Any]:
    """Hydra's own node for job `number` of a sweep, as Hydra's launcher would have it, in plain containers."""
    if _node_of[0] is not master:
        _node_of[:] = master, OmegaConf.to_container(master.hydra, resolve=False, enum_to_str=True)
    node = dict(_node_of[1])
    how = node["job"]["config"]["override_dirname"]
    parsed = OverridesParser.create().parse_overrides(list(composed.overrides))
    dirname = get_overrides_dirname(parsed, how["exclude_keys"], how["item_sep"], how["kv_sep"])
    node["job"] = node["job"] | {"id": number, "num": number, "override_dirname": dirname}
    node["overrides"] = node["overrides"] | {"task": list(composed.overrides)}
    choices = OmegaConf.to_container(composed.hydra.runtime.choices)
    node["runtime"] = node["runtime"] | {"choices": choices}
    return node


_node_of: list[Any] = [None, None]  # the last sweep's node: it is the same for all of its jobs
