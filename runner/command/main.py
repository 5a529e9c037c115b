"""`python -m runner`: the words are composed and checked; Hydra's main makes the directories and calls back."""

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hydra._internal.utils import run_and_report
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from runner.command import multirun, session
from runner.command.checked import Order, Single, Sweep, check_directory, ordered, words_for_hydra
from runner.command.conclude import conclude
from runner.command.flags import meant, parsed, sources
from runner.command.hydra_files import directories
from runner.command.session import Session
from runner.experiment.compose import Composer
from runner.experiment.overrides import plain_value
from runner.experiment.schema import ConfigError
from runner.runs.files import hide
from runner.runs.names import run_name
from runner.screen import help, logs
from runner.screen import run as screen
from runner.screen.door import refusals
from runner.sweeps.jobs import Job
from runner.sweeps.search import storage
from runner.sweeps.search.loop import Search

log = logging.getLogger(__name__)
VERBOSE = "hydra.verbose="


def command(task: Callable[[], object]) -> int:
    """Run the command line; `task` is Hydra's main. 0 done, 1 diverged or failed, 130 interrupted."""
    words = parsed(sys.argv[1:])
    given = words.arguments
    if given.help:
        print(help.text(sources(words)))
        return 0
    if given.hydra_help or given.info or given.shell_completion:
        task()
        return 0
    here = session.begin(sources(words), sys.argv[1:])
    overrides, notes = meant(words, here.checked.composer)
    _listen(here.checked.composer, overrides)
    for note in notes:
        print(note, file=sys.stderr)
    resumed = [text for text in overrides if text.startswith("resume=")]
    if resumed and not given.multirun and not given.cfg:
        directory = Path(resumed[-1].partition("=")[2])
        result = here.resume(directory, [text for text in overrides if text not in resumed])
        conclude(here, [result], [result])
        return here.finish()
    checked = _checked(here, overrides, given.multirun)
    if not (given.cfg or given.resolve or given.experimental_rerun):
        _launch(here, checked)
    else:
        swept = ["-m"] * (not isinstance(here.order, Single) and not given.multirun)
        sys.argv[1:] = [*words.flags, *swept, *checked]
        task()
    if given.cfg:
        return 0
    if isinstance(here.order, Sweep) and not here.order.experiments[0].sweep.dry_run:
        multirun.conclude(here, here.order)
    return here.finish()


def _launch(here: Session, overrides: list[str]) -> None:
    """What Hydra's main does with a run or a sweep, over yaml files that are open already.

    It would open and compose them all once more, to learn which of the two it is.
    """
    composer, swept = here.checked.composer, not isinstance(here.order, Single)
    with composer.opened() as hydra:
        start = hydra.multirun if swept else hydra.run
        words = [*overrides, f"hydra.mode={'MULTIRUN' if swept else 'RUN'}"]
        run_and_report(lambda: start(composer.sources.name, run_task, words))


def _listen(composer: Composer, overrides: Sequence[str]) -> None:
    """Show what is logged, where `hydra.verbose` wants it and no handlers of Hydra's do it already."""
    if not any(text.startswith("hydra/job_logging=") for text in overrides):
        for text in (text for text in overrides if text.lstrip("+").startswith(VERBOSE)):
            value = plain_value(composer.parsed(text).value())
            names = value if isinstance(value, list) else [value]
            if not isinstance(value, bool) and not all(isinstance(name, str) for name in names):
                raise ConfigError([f"{text} must be true, false, the name of a logger or a list of them."])
            logs.listen(value)
    log.debug("words: %s", " ".join(map(hide, overrides)))


def _checked(here: Session, overrides: list[str], multirun: bool) -> list[str]:
    """Check all there is before Hydra writes anything; returns the words for Hydra's main."""
    overrides = here.checked.guarded(overrides)
    order = ordered(here.checked, overrides, multirun)
    if isinstance(order, Search):
        storage.check(order.options)
    theirs = any(text.startswith("hydra/launcher=") for text in overrides)
    if isinstance(order, Sweep) and theirs:
        _check_subdirs(here.checked.composer, order, overrides)
    elif isinstance(order, Sweep):
        here.connect(order.experiments[0])
    check_directory(overrides, "hydra.sweep.dir" if isinstance(order, Sweep | Search) else "hydra.run.dir")
    here.order = order
    log.debug("checked: %s", _asked(order))
    return words_for_hydra(here.checked, order, overrides)


def _check_subdirs(composer: Composer, order: Sweep, overrides: Sequence[str]) -> None:
    """Hydra's own launchers would find out in the middle of a sweep that two jobs have one directory."""
    if any(text.startswith("hydra.sweep.subdir=") for text in overrides):
        master = composer.whole(overrides)
        directories(order.experiments, master, Path(str(master.hydra.sweep.dir)), range(len(order.experiments)))


def _asked(order: Order) -> str:
    if isinstance(order, Search):
        return f"a search, {order.id}"
    return f"{len(order.jobs)} jobs of a sweep" if isinstance(order, Sweep) else f"a run, {order.experiment.key()[:10]}"


def run_task(config: DictConfig) -> float:
    """One run in the directory that Hydra has made; returns its objective, for Hydra's own sweepers."""
    about = HydraConfig.get()
    with refusals():
        here = session.current(about)
        experiment = here.checked.experiment(list(about.overrides.task))
        screen.introduce(experiment)
        results = here.run([Job(experiment, Path(about.runtime.output_dir), run_name(experiment))])
        if not results:
            raise KeyboardInterrupt
        if about.mode == RunMode.RUN:
            conclude(here, results, results)
        else:  # a sweep by Hydra's own launchers, perhaps in another process: what is common comes at its end
            screen.result(results[0])
            here.made[experiment.key()] = results[0]
    return results[0].objective
