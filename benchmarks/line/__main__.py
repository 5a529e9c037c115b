"""How often the line is right: `python -m benchmarks.line` mutates right networks and asks where the mistake is.

Counted are the mistakes that change the gradient and leave the network running. A line is exact if it is the one that
was changed; a sentence is false if its line is not, and a correction is printed all the same.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np

from benchmarks.line.mutations import mutations
from benchmarks.line.networks import Network, networks
from runner.diagnosis.gradient.measure import scratch
from runner.diagnosis.line.diagnose import Diagnosis, diagnose
from runner.diagnosis.line.protocol import Point
from runner.nn.architectures import Own
from runner.training.own.load import load
from runner.training.own.network import NetworkError, NetworkProblem
from runner.training.own.parts import parts_of


class Outcome(NamedTuple):
    """Of one mistake: whether it can be seen, the line given, whether that is the one, what is said."""

    network: str
    kind: str
    line: int
    seen: bool
    exact: bool
    found: Diagnosis | None
    seconds: float


def looked_at(network: Network, text: str, folder: Path, seconds: float) -> tuple[bool, Diagnosis | None]:
    """(whether the gradients can be seen to be wrong or right, what is said of the network)."""
    name = f"net_{abs(hash((network.name, text))) % 10**12}"
    (folder / f"{name}.py").write_text(text)
    own = Own(f"{name}:{network.target}" if network.target else name)

    def fresh():  # type: ignore[no-untyped-def]
        return load(own, network.inputs, network.outputs, 0, "float64")

    try:
        layout = fresh().layout
        parts = parts_of(layout, network.inputs, network.outputs)
        points = [point(parts, network, seed) for seed in (0, 1)]
        with np.errstate(all="ignore"):
            found = diagnose(fresh, points, {part.name: part.layer for part in parts}, seconds)
    except (NetworkError, NetworkProblem):
        return False, None
    finally:
        sys.modules.pop(name, None)
    return not found.ok and all(np.isfinite(each.error) for each in found.arrays), found


def point(parts, network: Network, seed: int) -> Point:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    theta = scratch(parts, seed, bias=0.3)
    X = rng.normal(size=(7, network.inputs))
    Y = (
        np.eye(network.outputs)[rng.integers(0, network.outputs, 7)]
        if network.outputs > 1
        else rng.integers(0, 2, (7, 1))
    )
    return Point(theta, X, Y.astype(float), seed)


def measured(chosen: list[Network], most: int, seconds: float, folder: Path) -> tuple[list[Outcome], list[str]]:
    """The outcomes of all mistakes, and the right networks that gave an alarm."""
    outcomes, alarms = [], []
    for number, network in enumerate(chosen):
        _, right = looked_at(network, network.text, folder, seconds)
        if right is None or not right.ok:
            alarms.append(network.name)
            continue
        for mutation in mutations(network.text, network.backward, number, most):
            start = perf_counter()
            seen, found = looked_at(network, mutation.text, folder, seconds)
            given = found.mistakes[0].line if found is not None and found.mistakes else 0
            outcome = Outcome(
                network.name, mutation.kind, mutation.line, seen, given == mutation.line, found, perf_counter() - start
            )
            outcomes.append(outcome)
            if seen and not outcome.exact:
                _show(network, mutation.text, outcome)
        print(number + 1, network.name, file=sys.stderr, flush=True)
    return outcomes, alarms


def _show(network: Network, text: str, outcome: Outcome) -> None:
    lines = text.splitlines()
    print(f"{network.name}: {outcome.kind}, line {outcome.line}: {lines[outcome.line - 1].strip()}")
    if outcome.found is not None:
        for mistake in outcome.found.mistakes:
            print(f"    said: line {mistake.line}: {mistake.text} | {mistake.kind} | {mistake.sentence}")
        print(f"    {outcome.found.why or ''}")


def table(outcomes: list[Outcome], alarms: list[str], right: int) -> str:
    seen = [each for each in outcomes if each.seen]
    exact = [each for each in seen if each.exact]
    mended = [
        each for each in seen if each.found is not None and each.found.mistakes and each.found.mistakes[0].correction
    ]
    false = [each for each in mended if not each.exact]
    rows = [
        f"{right} right networks, {len(alarms)} alarms; {len(outcomes)} mistakes, {len(seen)} of them in the gradient: "
        f"line exact in {len(exact)} ({len(exact) / max(len(seen), 1):.1%}), with a corrected line that was run in "
        f"{len(mended)} ({len(mended) / max(len(seen), 1):.1%}), of those at another line {len(false)} "
        f"({len(false) / max(len(seen), 1):.2%}); median {np.median([each.seconds for each in seen] or [0]):.2f} s.",
        "",
        "| mistake | seen | line exact |",
        "| --- | --- | --- |",
    ]
    kinds = Counter(each.kind for each in seen)
    for kind, count in kinds.most_common():
        rows.append(f"| {kind} | {count} | {sum(each.exact for each in seen if each.kind == kind)} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="each so many-th network only (1)")
    parser.add_argument("--most", type=int, default=12, help="mistakes of each network (12)")
    parser.add_argument("--seconds", type=float, default=10, help="of the search for a change (10)")
    parser.add_argument("--name", default="", help="only networks with this in their name")
    arguments = parser.parse_args()
    chosen = [each for each in networks(arguments.every) if arguments.name in each.name]
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        outcomes, alarms = measured(chosen, arguments.most, arguments.seconds, Path(folder))
    print(table(outcomes, alarms, len(chosen)))
    for name in alarms:
        print("ALARM", name)


if __name__ == "__main__":
    main()
