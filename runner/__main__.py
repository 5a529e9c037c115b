"""The door: `python -m runner [-m] OVERRIDES`.

It composes and checks everything first (a mistake: exit 2, nothing written), hands over to Hydra's own main for
directories and sweeps, and leaves with 0, or 1 where a run diverged or failed, or 130 after Ctrl-C.
"""

import os
import sys
from argparse import Namespace
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from runner.command import session
from runner.experiment.compose import quoted
from runner.experiment.schema import ConfigError
from runner.runs.journal import JournalError
from runner.runs.names import run_name
from runner.screen import help, terminal
from runner.screen import run as screen
from runner.sweeps import membership
from runner.sweeps.jobs import Job
from runner.sweeps.search.loop import storage
from runner.training.own.network import NetworkError


@hydra.main(version_base="1.3", config_path="pkg://conf", config_name="config")
def task(config: DictConfig) -> float:
    """One run in the directory that Hydra has made; returns its objective, for Hydra's own sweepers."""
    about = HydraConfig.get()
    here = session.current()
    experiment = here.experiment(list(about.overrides.task))
    directory, tags = Path(about.runtime.output_dir), dict[str, str]()
    if about.mode == RunMode.MULTIRUN:
        sweep_dir = Path(about.sweep.dir).absolute()
        here.sweep, here.sweep_dir = f"{sweep_dir.parent.name}_{sweep_dir.name}", sweep_dir
        tags = membership.tags(here.sweep)
    screen.introduce(experiment)
    results = here.run([Job(experiment, directory, run_name(experiment), tags)])
    if not results:
        raise KeyboardInterrupt
    screen.result(results[0])
    kept = results if about.mode == RunMode.RUN or results[0].experiment.sweep.artifacts == "all" else []
    here.hand_on(kept, results[0])
    here.diagnose(results)
    here.draw(kept)
    return results[0].objective


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 diverged or failed, 2 wrong configuration, 130 interrupted."""
    terminal.prepare()
    # Flags may stand anywhere among the overrides; Hydra's own parser wants them at one end.
    arguments: Namespace = get_args_parser().parse_intermixed_args()
    flags = [word for word in sys.argv[1:] if word not in arguments.overrides]
    arguments.overrides = [quoted(text) for text in arguments.overrides]
    sys.argv[1:] = [*flags, *arguments.overrides]
    only_hydra = arguments.hydra_help or arguments.info or arguments.shell_completion
    try:
        if arguments.help:
            print(help.text(arguments.config_dir))
            return
        if only_hydra:
            task()
            return
        here = session.open_session(arguments.config_dir)
        here.words = sys.argv[1:]
        resumed = [text for text in arguments.overrides if text.startswith("resume=")]
        if resumed and not arguments.multirun and not arguments.cfg:
            others = [text for text in arguments.overrides if text not in resumed]
            result = here.resume(Path(resumed[-1].partition("=")[2]), others)
            screen.result(result)
            here.diagnose([result])
            here.hand_on([result], result)
            here.draw([result])
            sys.exit(here.finish())
        sys.argv[1:] = [*flags, *_checked(here, arguments)]
        task()
        if arguments.cfg:
            return
        sys.exit(here.finish())
    except ConfigError as error:
        screen.problems(error.problems)
        sys.exit(2)
    except (JournalError, NetworkError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(session.INTERRUPTED)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _checked(here: session.Session, arguments: Namespace) -> list[str]:
    """Check all there is before Hydra writes anything; returns the words that Hydra's main is to be called with."""
    overrides = list(arguments.overrides)
    tasks = [text for text in overrides if not text.lstrip("+~").startswith(("hydra.", "hydra/"))]
    searching = here.composer.searching(overrides)
    swept = here.composer.sweeping(overrides, arguments.multirun or searching)
    if swept is None:
        experiment = here.experiment(tasks)
        _check_directory(overrides, "hydra.run.dir")
        assert experiment.composed is not None
        return [*overrides, *experiment.composed.extra]
    multirun = [] if arguments.multirun else ["-m"]
    if searching:
        if others := [text for text in overrides if text.startswith(("hydra/launcher=", "hydra/sweeper="))]:
            raise ConfigError([f"{text}: a search trains its trials as stacks itself." for text in others])
        here.search = here.prepare_search([text for text in swept if text in tasks or text not in overrides])
        storage(here.search.options)
        _check_directory(overrides, "hydra.sweep.dir")
        return [*multirun, *here.composer.for_hydra(overrides)]
    here.jobs = here.composer.expand([text for text in swept if text in tasks or text not in overrides])
    experiments = here.check(here.jobs)
    if not any(text.startswith("hydra/launcher=") for text in overrides):
        here.connect(experiments[0])
    _check_directory(overrides, "hydra.sweep.dir")
    ours = not any(text.startswith("hydra/sweeper=") for text in overrides)
    return [*multirun, *(here.composer.for_hydra(overrides) if ours else overrides)]


def _check_directory(overrides: list[str], key: str) -> None:
    """A directory that was asked for can be made, and holds no run yet."""
    for text in overrides:
        name, _, value = text.partition("=")
        if name != key or "$" in value:
            continue
        if session.holds_a_run(Path(value)):
            raise ConfigError([f"{text} holds a run already. Choose another directory."])
        try:
            Path(value).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError([f"{text}: it cannot be made ({error.strerror})."]) from error


if __name__ == "__main__":
    main()
