"""`python -m runner.check OVERRIDES`: is the gradient of what `python -m runner OVERRIDES` would train right?

    layer       rho         W         b    error  verdict
    1      1.000000  1.000000  1.000000  3.1e-10  right
    2      1.000000  1.000000  1.000000  8.8e-11  right
    the gradient is the slope of the cost in every layer

On a scratch copy: fresh Xavier weights, standardised inputs, all rows, float64, dropout off. Nothing is written. Of a
network of your own, what is wrong is said with its line: file:line: what stands there, and what should.
"""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator

from runner.diagnosis.gradient.check import check_recipe
from runner.diagnosis.gradient.measure import Check
from runner.diagnosis.line.diagnose import SECONDS
from runner.experiment.build import compose_with
from runner.experiment.compose import Composer
from runner.experiment.experiment import Experiment
from runner.experiment.overrides import quoted
from runner.experiment.sources import Sources
from runner.screen.deadline import deadline
from runner.screen.gradient import as_json, show


def check_experiment(experiment: Experiment, seconds: float = SECONDS) -> Check:
    """The gradient check of an experiment: rho and relative error of every layer, the mistake where there is one.

    >>> from runner.experiment.experiment import compose
    >>> check_experiment(compose(["dataset=xor", "fault=output_sign"])).mistake.kind
    'sign'
    """
    return check_recipe(experiment.recipe, experiment.recipe.seed, seconds)


def main() -> int:
    """Exit codes: 0 right, 1 wrong, 2 it could not be looked at: the configuration, the data, or no answer in time."""
    usage = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m runner.check", description=__doc__, formatter_class=usage)
    parser.add_argument("overrides", nargs="*", help="as of python -m runner: dataset=xor architecture.hidden=[4] ...")
    parser.add_argument("--config-dir", "-cd", help="a directory with yaml files of your own")
    parser.add_argument("--config-path", "-cp", help="the directory of a primary configuration of your own")
    parser.add_argument("--config-name", "-cn", help="a primary configuration of your own")
    parser.add_argument("--json", action="store_true", help="one object on standard output, for editors and graders")
    parser.add_argument("--seconds", type=float, default=60, help="your code must answer within (60)")
    arguments = parser.parse_intermixed_args()
    os.environ.setdefault("MPLBACKEND", "Agg")  # plots of theirs wait for nobody
    aside = contextlib.redirect_stdout(sys.stderr) if arguments.json else contextlib.nullcontext()
    with deadline(arguments.seconds), aside, _no_input():
        composer = Composer(Sources(arguments.config_dir, arguments.config_path, arguments.config_name))
        experiment = compose_with(composer, [quoted(text) for text in arguments.overrides])
        found = check_experiment(experiment, 0.4 * arguments.seconds)
    if arguments.json:
        print(json.dumps(as_json(found)))
    else:
        show(found, experiment)
    return 0 if found.ok else 1


@contextlib.contextmanager
def _no_input() -> Iterator[None]:
    """Whoever asks for input gets none, and says so with a traceback of their own."""
    kept = sys.stdin
    with open(os.devnull) as nothing:
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = kept
