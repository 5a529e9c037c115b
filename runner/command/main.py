"""`python -m runner`: the words are composed and checked; Hydra's main makes the directories and calls back."""

import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from runner.command import session
from runner.command.checked import Sweep, check_directory, ordered, words_for_hydra
from runner.command.conclude import conclude
from runner.command.session import Session, Whole
from runner.experiment.overrides import quoted
from runner.runs.names import run_name
from runner.screen import help
from runner.screen import run as screen
from runner.screen.door import refusals
from runner.sweeps import membership
from runner.sweeps.jobs import Job
from runner.sweeps.search.loop import Search, storage


def command(task: Callable[[], object]) -> int:
    """Run the command line; `task` is Hydra's main. 0 done, 1 diverged or failed, 130 interrupted."""
    # Flags may stand anywhere among the overrides; Hydra's own parser wants them at one end.
    arguments: Namespace = get_args_parser().parse_intermixed_args()
    flags = [word for word in sys.argv[1:] if word not in arguments.overrides]
    overrides = [quoted(text) for text in arguments.overrides]
    sys.argv[1:] = [*flags, *overrides]
    if arguments.help:
        print(help.text(arguments.config_dir))
        return 0
    if arguments.hydra_help or arguments.info or arguments.shell_completion:
        task()
        return 0
    here = session.begin(arguments.config_dir, sys.argv[1:])
    resumed = [text for text in overrides if text.startswith("resume=")]
    if resumed and not arguments.multirun and not arguments.cfg:
        directory = Path(resumed[-1].partition("=")[2])
        result = here.resume(directory, [text for text in overrides if text not in resumed])
        conclude(here, [result], [result])
        return here.finish()
    sys.argv[1:] = [*flags, *_checked(here, overrides, arguments.multirun)]
    task()
    return 0 if arguments.cfg else here.finish()


def _checked(here: Session, overrides: list[str], multirun: bool) -> list[str]:
    """Check all there is before Hydra writes anything; returns the words for Hydra's main."""
    order = ordered(here.checked, overrides, multirun)
    if isinstance(order, Search):
        storage(order.options)
    if isinstance(order, Sweep) and not any(text.startswith("hydra/launcher=") for text in overrides):
        here.connect(order.experiments[0])
    check_directory(overrides, "hydra.sweep.dir" if isinstance(order, Sweep | Search) else "hydra.run.dir")
    here.order = order
    return words_for_hydra(here.checked, order, overrides, multirun)


def run_task(config: DictConfig) -> float:
    """One run in the directory that Hydra has made; returns its objective, for Hydra's own sweepers."""
    about = HydraConfig.get()
    here = session.current()
    with refusals():
        experiment = here.checked.experiment(list(about.overrides.task))
        directory, tags = Path(about.runtime.output_dir), dict[str, str]()
        if about.mode == RunMode.MULTIRUN:
            sweep_dir = Path(about.sweep.dir).absolute()
            here.whole = Whole(f"{sweep_dir.parent.name}_{sweep_dir.name}", sweep_dir)
            tags = membership.tags(here.whole.id)
        screen.introduce(experiment)
        results = here.run([Job(experiment, directory, run_name(experiment), tags)])
        if not results:
            raise KeyboardInterrupt
        alone = about.mode == RunMode.RUN
        conclude(here, results, results if alone or experiment.sweep.artifacts == "all" else [])
    return results[0].objective
