"""The runner's sweeper and launcher, as Hydra's plugins: Hydra 1.3 accepts plugins from this namespace only.

The sweeper expands the grid in Hydra's own grammar; the launcher hands all jobs to runner.sweeps.jobs in one call,
where they are trained as stacks. `hydra/sweeper=basic hydra/launcher=basic` runs the same jobs one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class GridConf:
    _target_: str = "hydra_plugins.stacked.GridSweeper"
    params: dict[str, str] | None = None


@dataclass
class StackedConf:
    _target_: str = "hydra_plugins.stacked.StackedLauncher"


ConfigStore.instance().store(group="hydra/sweeper", name="grid", node=GridConf, provider="runner")
ConfigStore.instance().store(group="hydra/launcher", name="stacked", node=StackedConf, provider="runner")


class GridSweeper(Sweeper):
    """Every combination of the swept values, handed to the launcher at once.

    `params` are what a preset sweeps over by itself; the door has put them before the command line's. Where a search is
    chosen (search=tpe), the values are asked of it.
    """

    def __init__(self, params: dict[str, str] | None = None):
        self.params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from hydra.core.plugins import Plugins

        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        from runner.command import multirun, search
        from runner.screen.door import refusals

        with refusals():
            if search.searching():
                return [search.search(self.config)]
            return [self.launcher.launch(multirun.expand(arguments), initial_job_idx=0)]


class StackedLauncher(Launcher):
    """Trains all jobs that it is given in this process, as stacks."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config, self.task_function, self.callbacks = config, task_function, hydra_context.callbacks

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from runner.command import multirun
        from runner.screen.door import refusals

        with refusals():
            return multirun.launch(self.config, job_overrides, initial_job_idx, self.callbacks, self.task_function)
