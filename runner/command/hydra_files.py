"""The files that Hydra itself would leave of a sweep and its jobs."""

import copy
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from runner.experiment.compose import Composed
from runner.experiment.experiment import Experiment
from runner.runs.record import write_config


def save_master(master: DictConfig, sweep_dir: Path) -> None:
    """The configuration that Hydra's own main has composed for the sweep as a whole."""
    sweep_dir.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(master, sweep_dir / "multirun.yaml")


def prepare(experiment: Experiment, master: DictConfig, sweep_dir: Path, number: int) -> Path:
    """The job's directory, with Hydra's own record of its configuration in it."""
    composed = experiment.composed
    assert composed is not None
    directory = sweep_dir / _subdir(composed, master, number)
    if master.hydra.output_subdir is not None:
        folder = directory / str(master.hydra.output_subdir)
        folder.mkdir(parents=True, exist_ok=True)
        write_config(folder / "config.yaml", OmegaConf.to_container(composed.config, resolve=False))
        write_config(folder / "hydra.yaml", {"hydra": hydra_node(composed, master, number)})
        write_config(folder / "overrides.yaml", list(experiment.overrides))
    return directory


def _subdir(composed: Composed, master: DictConfig, number: int) -> str:
    """`hydra.sweep.subdir` of job `number`: it may speak of anything in the job's configuration."""
    plain = OmegaConf.to_container(master.hydra.sweep, resolve=False)
    assert isinstance(plain, dict)
    if plain["subdir"] == "${hydra.job.num}":
        return str(number)
    config = copy.deepcopy(composed.config)
    with read_write(config), open_dict(config):
        config.hydra = hydra_node(composed, master, number)
    OmegaConf.copy_cache(from_config=master, to_config=config)
    return str(config.hydra.sweep.subdir)


def hydra_node(composed: Composed, master: DictConfig, number: int) -> dict[str, Any]:
    """Hydra's own node for job `number` of a sweep, as Hydra's launcher would have it, in plain containers."""
    if _node_of[0] is not master:
        _node_of[:] = master, OmegaConf.to_container(master.hydra, resolve=False, enum_to_str=True)
    node = dict(_node_of[1])
    dirname = ",".join(sorted(composed.overrides))
    node["job"] = node["job"] | {"id": number, "num": number, "override_dirname": dirname}
    node["overrides"] = node["overrides"] | {"task": list(composed.overrides)}
    choices = OmegaConf.to_container(composed.hydra.runtime.choices)
    node["runtime"] = node["runtime"] | {"choices": choices}
    return node


_node_of: list[Any] = [None, None]  # the last sweep's node: it is the same for all of its jobs
