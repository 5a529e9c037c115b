"""`python -m runner.check OVERRIDES`: is the gradient of what `python -m runner OVERRIDES` would train right?

    layer    rho        relative error  verdict
    1        1.000000   3.1e-10         right
    2        1.000000   8.8e-11         right
    the gradient is the slope of the cost in every layer

On a scratch copy: fresh Xavier weights, standardised inputs, all rows, float64, dropout off. Nothing is written.
"""

import argparse
import sys
from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from runner.diagnosis.gradient.check import check_recipe
from runner.diagnosis.gradient.measure import Check, LayerCheck
from runner.experiment.compose import quoted
from runner.experiment.experiment import Experiment, compose
from runner.experiment.schema import ConfigError
from runner.screen import run as screen
from runner.screen import terminal
from runner.training.own.network import NetworkError, NetworkProblem


def check_experiment(experiment: Experiment) -> Check:
    """The gradient check of an experiment: rho and relative error of every layer, the mistake where there is one.

    >>> from runner.experiment.experiment import compose
    >>> check_experiment(compose(["dataset=xor", "fault=output_sign"])).mistake.kind
    'sign'
    """
    return check_recipe(experiment.recipe, experiment.recipe.seed)


def remedy(experiment: Experiment) -> str:
    """What would mend it: the override, where the mistake was asked for; else where to look."""
    name = experiment.config["fault"]["name"]
    return "" if name == "none" else f"it was asked for: fault={name}; fault=none is without it"


def show(found: Check, experiment: Experiment) -> None:
    """The table of layers, the worst coordinates of those that are wrong, the mistake."""
    out, recipe = screen.console(), experiment.recipe
    shape = "-".join(str(width) for width in recipe.widths)
    network = f"{shape}, {experiment.output}, {experiment.loss}"
    if recipe.own is not None:
        network = f"{recipe.own.options.network} {shape}"
    rows = len(recipe.sets["train"].X)
    fault = experiment.config["fault"]["name"]
    asked = "" if fault == "none" else f", fault {fault}"
    out.print(f"[bold]{experiment.dataset.name}[/] ({rows} rows)  {network}{asked}")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title, justify in (("layer", "left"), ("rho", "right"), ("W", "right"), ("b", "right"), ("error", "right")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    table.add_column("verdict")
    for layer in found.layers:
        of = {each.part.kind: each.rho for each in layer.parts}
        verdict = "right" if layer.ok else "wrong"
        error = f"{layer.relative_error:.1e}"
        names = f" ({', '.join(each.part.name for each in layer.parts)})" if recipe.own is not None else ""
        table.add_row(f"{layer.layer}{names}", _rho(layer.rho), _rho(of.get("W")), _rho(of.get("b")), error, verdict)
    out.print(table)
    for layer in found.layers:
        if not layer.ok and layer.worst:
            out.print(Text(worst(layer)))
    if found.mistake is None:
        out.print("the gradient is the slope of the cost in every layer")
        return
    out.print(Text(f"{found.mistake.kind}: {found.mistake.sentence}"), style="bold")
    numbers: Mapping[str, float] = found.mistake.evidence
    if numbers:
        out.print(Text("  " + ", ".join(f"{key} = {value:.6g}" for key, value in numbers.items())))
    if remedy(experiment):
        out.print(Text(f"  {remedy(experiment)}"))


def worst(layer: LayerCheck) -> str:
    """The coordinate of a layer that is furthest off."""
    one = layer.worst[0]
    place = ", ".join(str(i) for i in one.place)
    return f"  worst of layer {layer.layer}: {one.part}[{place}] is {one.analytic:.6g}, measured {one.numeric:.6g}"


def _rho(value: float | None) -> str:
    return "" if value is None else "no slope" if value != value else f"{value:.6f}"


def main() -> None:
    """Exit codes: 0 right, 1 wrong, 2 the configuration or the data is wrong."""
    terminal.prepare()
    usage = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m runner.check", description=__doc__, formatter_class=usage)
    parser.add_argument("overrides", nargs="*", help="as of python -m runner: dataset=xor architecture.hidden=[4] ...")
    parser.add_argument("--config-dir", "-cd", help="a directory with yaml files of your own")
    arguments = parser.parse_intermixed_args()
    try:
        experiment = compose([quoted(text) for text in arguments.overrides], arguments.config_dir)
    except ConfigError as error:
        screen.problems(error.problems)
        sys.exit(2)
    except NetworkError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    try:
        found = check_experiment(experiment)
    except (NetworkError, NetworkProblem) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    show(found, experiment)
    sys.exit(0 if found.ok else 1)


if __name__ == "__main__":
    main()
