"""How well the gradient check finds and names mistakes: `python -m benchmarks.check` writes docs/gradient-check.md.

Every fault of the backward pass x 6 data sets x 4 architectures x 10 fresh starts, and the same networks without a
fault; every activation x output x loss x L2 x dropout x depth that is shipped, on the same data; and what it costs.
With CATS_DIR, the folder of the cats' two h5 files, those take part; otherwise five data sets do.
"""

import argparse
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

from runner.diagnosis.gradient.check import check_recipe
from runner.experiment.build import compose_with
from runner.experiment.compose import Composer
from runner.experiment.experiment import Experiment
from runner.experiment.schema import ConfigError, options
from runner.nn import activations, faults, losses
from runner.nn.faults import Meets

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "gradient-check.md"
BEGIN, END = "<!-- measured: python -m benchmarks.check -->", "<!-- end -->"
ARCHITECTURES = ("logistic", "shallow", "deep", "wide")
DATASETS = {
    "xor": ["dataset=xor"],
    "parity": ["dataset=parity"],
    "bits": ["dataset=parity", "dataset.code=bits", "dataset.n=5"],
    "flower": ["dataset=flower"],
    "spiral": ["dataset=spiral"],
}
# Where the defaults leave a fault no place: the L2 that is forgotten, layers of one width, an output to choose.
FURTHER = {
    "l2_left_out": ["architecture.l2=0.01"],
    "current_activation": ["architecture.hidden=[6,6,6]"],
    "softmax_over_rows": ["architecture.output=softmax"],
    "derivative_of_a_for_z": ["architecture.activation=tanh"],
    "derivative_of_z_for_a": ["architecture.activation=tanh"],
    "derivative_twice": ["architecture.activation=tanh"],
}


class Tally(NamedTuple):
    """Of one fault: `seen` networks, in how many it was `found`, its `layer` right, and what it was called."""

    seen: list[int]
    found: list[int]
    layer: list[int]
    kinds: Counter[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="fresh starts of each network (10)")
    arguments = parser.parse_args()
    cats = os.environ.get("CATS_DIR")
    datasets = DATASETS | ({"cats": ["dataset=cats", f"dataset.dir={cats}"]} if cats else {})
    composer, tallies = Composer(), defaultdict(lambda: Tally([], [], [], Counter()))
    known = {name: fault() for name, fault in options(faults, "Fault").items()}
    made = [name for name in known if name == "none" or (known[name].kind and _backward(name))]
    for dataset, chosen in datasets.items():
        for architecture in ARCHITECTURES:
            print(dataset, architecture, file=sys.stderr, flush=True)
            for name in made:
                experiment = _experiment(composer, [*chosen, f"architecture={architecture}", f"fault={name}"], name)
                if experiment is not None:
                    _look(experiment, known[name], tallies[name], arguments.seeds)
    parts = [_table(tallies, len(datasets), arguments.seeds), _shipped(composer, datasets), _cost(composer, datasets)]
    text = "\n\n".join(parts)
    print(text)
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}")


def _backward(name: str) -> bool:
    return options(faults, "Fault")[name].__module__.endswith(".backward")


def _experiment(composer: Composer, overrides: list[str], name: str) -> Experiment | None:
    """The network with the fault in it, or None where it cannot have it."""
    further = [] if "architecture=logistic" in overrides and name.startswith("current") else FURTHER.get(name, [])
    try:
        return compose_with(composer, [*overrides, *further])
    except ConfigError:
        return None


def _look(experiment: Experiment, fault: faults.Fault, tally: Tally, seeds: int) -> None:
    recipe = experiment.recipe
    meets = Meets(recipe.widths, experiment.activation, experiment.output, experiment.loss, recipe.l2)
    for seed in range(seeds):
        found = check_recipe(recipe, seed)
        mistake = found.mistake
        tally.seen.append(1)
        tally.found.append(int(not found.ok))
        tally.layer.append(int(mistake is not None and mistake.layer == fault.layer(meets)))
        tally.kinds[mistake.kind if mistake else "right"] += 1


def _table(tallies: dict[str, Tally], datasets: int, seeds: int) -> str:
    known = options(faults, "Fault")
    lines = ["| fault | networks | found | layer right | called |", "| --- | --- | --- | --- | --- |"]
    totals = [0, 0, 0, 0]
    for name, tally in tallies.items():
        n, found, layer = len(tally.seen), sum(tally.found), sum(tally.layer)
        called = ", ".join(f"{kind} {count}" for kind, count in tally.kinds.most_common())
        if name == "none":
            lines.append(f"| none | {n} | {found} | - | {called} |")
            continue
        totals = [a + b for a, b in zip(totals, (n, found, layer, tally.kinds[known[name]().kind]), strict=True)]
        lines.append(f"| `{name}` | {n} | {found} | {layer} | {called} |")
    n, found, layer, kind = totals
    head = (
        f"{datasets} data sets x {len(ARCHITECTURES)} architectures x {seeds} fresh starts: {n} networks with a fault, "
        f"{found} found ({found / n:.2%}), the layer right in {layer / n:.2%}, the kind in {kind / n:.2%}. "
        f"A fault that an architecture cannot have is left out there."
    )
    return "\n".join([head, "", *lines])


def _shipped(composer: Composer, datasets: Mapping[str, list[str]]) -> str:
    """How far the gradients of all that is shipped are from the slopes of their costs."""
    alarms, seen, rhos, errors = 0, 0, [0.0], [0.0]
    for name, dataset in datasets.items():
        print("shipped", name, file=sys.stderr, flush=True)
        for combination in combinations():
            found = check_recipe(compose_with(composer, [*dataset, *combination]).recipe)
            seen, alarms = seen + 1, alarms + (not found.ok)
            rhos += [abs(layer.rho - 1) for layer in found.layers if layer.rho == layer.rho]
            errors.append(found.relative_error)
    return (
        f"All that is shipped ({len(combinations())} of activation x output x loss x L2 x dropout x depth, on "
        f"{len(datasets)} data sets: {seen} networks): {alarms} alarms, |rho - 1| at most {max(rhos):.1e}, relative "
        f"error at most {max(errors):.1e}."
    )


def combinations() -> list[list[str]]:
    """The overrides of every combination of functions, regularisation and depth that goes together."""
    return [
        [
            f"architecture.activation={activation}", f"architecture.output={output}", f"architecture.loss={loss}",
            f"architecture.l2={l2}", f"architecture.dropout={dropout}", f"architecture.hidden=[{hidden}]",
            "allow_unreachable_labels=true",
        ]
        for activation, output, loss, l2, dropout, hidden in product(
            options(activations, "Activation"), losses.OUTPUTS, options(losses, "Head"),
            (0.0, 0.1), (0.0, 0.4), ("4", "5,5,3"),
        )
        if output in losses.PROBABILITIES or not loss.startswith("cross_entropy")
    ]  # fmt: skip


def _cost(composer: Composer, datasets: Mapping[str, list[str]]) -> str:
    """The median time of a check, and that of one gradient of the same network."""
    lines = ["| check of | layers | ms | ms a layer |", "| --- | --- | --- | --- |"]
    made = {"xor 2-8-1": datasets["xor"]}
    if "cats" in datasets:
        made["cats 12288-20-7-5-1, features as they are"] = [*datasets["cats"], "architecture.hidden=[20,7,5]"]
    for name, overrides in made.items():
        recipe = compose_with(composer, overrides).recipe
        times = []
        for _ in range(15 if recipe.widths[0] < 100 else 3):
            began = perf_counter()
            check_recipe(recipe)
            times.append(1000 * (perf_counter() - began))
        layers = len(recipe.widths) - 1
        lines.append(f"| {name} | {layers} | {median(times):.1f} | {median(times) / layers:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
