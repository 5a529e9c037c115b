"""The door of `python -m runner [-m] OVERRIDES` (`runner.command.main`).

Hydra wants its decorator in the module that is run: it looks for the configurations from there.
"""

import hydra
from omegaconf import DictConfig

from runner.command.main import command, run_task
from runner.screen.door import door


@hydra.main(version_base="1.3", config_path="pkg://conf", config_name="config")
def task(config: DictConfig) -> float:
    """One run, in the directory that Hydra has made."""
    return run_task(config)


def main() -> None:
    """Exit codes: 0 done, 1 a run diverged or failed, 2 the configuration or the data is wrong, 130 interrupted."""
    door(lambda: command(task))


if __name__ == "__main__":
    main()
