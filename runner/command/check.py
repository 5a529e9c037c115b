"""`python -m runner.check OVERRIDES`: is the gradient of what `python -m runner OVERRIDES` would train right?

    layer    rho        relative error  verdict
    1        1.000000   3.1e-10         right
    2        1.000000   8.8e-11         right
    the gradient is the slope of the cost in every layer

On a scratch copy: fresh Xavier weights, standardised inputs, all rows, float64, dropout off. Nothing is written.
"""

import argparse

from runner.diagnosis.gradient.check import check_recipe
from runner.diagnosis.gradient.measure import Check
from runner.experiment.build import compose
from runner.experiment.experiment import Experiment
from runner.experiment.overrides import quoted
from runner.screen.gradient import show


def check_experiment(experiment: Experiment) -> Check:
    """The gradient check of an experiment: rho and relative error of every layer, the mistake where there is one.

    >>> from runner.experiment.experiment import compose
    >>> check_experiment(compose(["dataset=xor", "fault=output_sign"])).mistake.kind
    'sign'
    """
    return check_recipe(experiment.recipe, experiment.recipe.seed)


def main() -> int:
    """Exit codes: 0 right, 1 wrong, 2 the configuration or the data is wrong."""
    usage = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m runner.check", description=__doc__, formatter_class=usage)
    parser.add_argument("overrides", nargs="*", help="as of python -m runner: dataset=xor architecture.hidden=[4] ...")
    parser.add_argument("--config-dir", "-cd", help="a directory with yaml files of your own")
    arguments = parser.parse_intermixed_args()
    experiment = compose([quoted(text) for text in arguments.overrides], arguments.config_dir)
    found = check_experiment(experiment)
    show(found, experiment)
    return 0 if found.ok else 1
