"""The gradient checks of a command: each network once, however many jobs train it, and nothing of a run changes by it.

The check has an instance of its own, and every generator is put back. So costs and weights are the same bits with it.
"""

import contextlib
import io
import json
import random
from collections.abc import Iterator
from time import perf_counter
from typing import NamedTuple

import numpy as np

from runner import Refusal
from runner.diagnosis.gradient.check import check_recipe
from runner.diagnosis.gradient.measure import Check
from runner.experiment.experiment import Experiment
from runner.training.kinds import kind_of
from runner.training.recipe import Recipe

SECONDS = 5.0  # the search for the line of a wrong gradient takes no longer
OF_A_NETWORK = ("dataset", "architecture", "fault", "dtype")  # what of a configuration decides how the check goes out


class Checked(NamedTuple):
    """How the check of a network went out; without a `check`, `why` it could not be made."""

    network: str
    check: Check | None
    why: str
    seconds: float

    @property
    def wrong(self) -> bool:
        return self.check is not None and self.check.mistake is not None and not self.check.unsteady


class GradientChecks:
    """The checks that a command has made so far."""

    def __init__(self) -> None:
        self._made: dict[str, Checked] = {}

    @property
    def wrong(self) -> int:
        """How many networks have a wrong gradient."""
        return sum(each.wrong for each in self._made.values())

    def of(self, experiment: Experiment) -> Checked | None:
        """What was found of an experiment's network, where it was looked at."""
        return self._made.get(_key(experiment))

    def look(self, experiment: Experiment) -> Checked | None:
        """Check an experiment's network, if that is asked for and was not done: None where not."""
        key = _key(experiment)
        if key in self._made or not wanted(experiment):
            return None
        self._made[key] = _checked(experiment.recipe)
        return self._made[key]


def wanted(experiment: Experiment) -> bool:
    """Whether `diagnosis.check_gradients` asks for a check: `auto` does of networks that are not ours."""
    kind, asked = kind_of(experiment.recipe), experiment.diagnosis.check_gradients
    return kind.in_memory and (asked is True or (asked == "auto" and not kind.known))


def _checked(recipe: Recipe) -> Checked:
    start, title = perf_counter(), kind_of(recipe).title
    check, why = None, ""
    with _left_alone():
        try:
            check = check_recipe(recipe, seconds=SECONDS)
        except Refusal as refusal:  # their code raises at other parameters: that says nothing of the run
            why = str(refusal).splitlines()[-1]
    return Checked(title, check, why, perf_counter() - start)


@contextlib.contextmanager
def _left_alone() -> Iterator[None]:
    """The global generators are put back, and what the user's code prints is printed by the run, not twice."""
    numpys, pythons = np.random.get_state(), random.getstate()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        np.random.set_state(numpys)
        random.setstate(pythons)


def _key(experiment: Experiment) -> str:
    """Experiments with the same key have the same network, of the same shapes: in ours the update is part of it."""
    kind = kind_of(experiment.recipe)
    of = (*OF_A_NETWORK, "optimizer") if kind.known else OF_A_NETWORK
    config = {name: experiment.config.get(name) for name in of}
    return json.dumps([config, experiment.recipe.widths, kind.digest], sort_keys=True, default=str)
