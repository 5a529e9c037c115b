"""How well diagnosis does: `python -m benchmarks.diagnosis.evaluate`, on a corpus of networks that were made to fail.

Every cell of `benchmarks.diagnosis.corpus` is trained on a few seeds. A run with a fault in it that misses its target
has failed, one that reaches it is latent: the fault did not matter. The failed are diagnosed, the first answer compared
with the fault, the overrides that are proposed re-run on fresh seeds, and three simple advices beside them. Runs
without a fault must have no finding. This is a command, so unlike its neighbours it composes configurations.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np

from benchmarks.diagnosis import corpus, scores
from benchmarks.diagnosis.corpus import Cell
from runner.diagnosis import cures, diagnose, failed
from runner.diagnosis.case import Case, Course, Finding, Overrides, merged
from runner.diagnosis.causes import fresh_init_of
from runner.diagnosis.trials import courses, outcomes
from runner.experiment.build import compose_with
from runner.experiment.compose import Composer
from runner.experiment.experiment import Experiment
from runner.experiment.schema import ConfigError
from runner.nn.faults import Meets
from runner.runs import findings
from runner.training import threads
from runner.training.stack import Stack

UNSEEN = range(5001, 5006)  # seeds that neither the corpus nor the trials of diagnosis have


class Advice(NamedTuple):
    """What is proposed without looking at the run, as others do."""

    name: str
    overrides: Overrides


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["training", "held-out", "healthy"], default="held-out")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each cell (3)")
    parser.add_argument("--cells", type=int, default=None, help="so many cells, drawn at random (all)")
    parser.add_argument("--only", default="", help="cells whose name has this in it")
    parser.add_argument("--search", action="store_true", help="search a cure where the first override is none")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (all cores)")
    parser.add_argument("--out", type=Path, default=None, help="a file for the runs, a line of JSON each")
    asked = parser.parse_args()
    cells = corpus.healthy() if asked.part == "healthy" else corpus.faulty(held_out=asked.part == "held-out")
    cells = [cell for cell in cells if asked.only in cell.name]
    if asked.cells is not None:
        cells = Random(0).sample(cells, min(asked.cells, len(cells)))
    runs = list(judged(cells, asked.seeds, asked.search, asked.workers))
    if asked.out:
        asked.out.write_text("".join(json.dumps(run) + "\n" for run in runs))
    print(scores.report(runs))


def judged(cells: Sequence[Cell], seeds: int, search: bool = False, workers: int = 1) -> Iterator[dict[str, Any]]:
    """A row of facts of each run of each cell, by several processes; cells that cannot be made are left out."""
    with tempfile.TemporaryDirectory() as folder:
        corpus.draw(Path(folder))
        with ProcessPoolExecutor(workers, get_context("spawn"), os.chdir, (folder,)) as pool:
            waiting = [pool.submit(look, cell.name, seeds, search) for cell in cells]
            for number, future in enumerate(waiting, 1):
                rows = future.result()
                if number % 20 == 0 or number == len(cells):
                    print(f"{number} of {len(cells)} cells", file=sys.stderr, flush=True)
                yield from rows


def look(name: str, seeds: int, search: bool) -> list[dict[str, Any]]:
    """The rows of a cell, by its name: its functions do not travel to another process."""
    cell = next(cell for cell in everything() if cell.name == name)
    composer = Composer()
    try:
        experiment = compose_with(composer, cell.overrides)
    except ConfigError:
        return []
    case = findings.case_of(experiment, composer)
    proof = _Proof(case)
    with threads.limited(case.recipe), np.errstate(all="ignore"):
        ended = courses([replace(case.recipe, seed=seed) for seed in range(seeds)])
    rows = []
    for seed, course in enumerate(ended):
        own = case._replace(recipe=replace(case.recipe, seed=seed))
        row = {"cell": name, "base": cell.base.name, "seed": seed, "failed": failed(own, course)}
        if cell.fault:
            row |= {"fault": cell.fault.name, "held_out": cell.fault.held_out, "truth": cell.fault.cause}
        found = diagnose(own, course, experiment.diagnosis.causes) if row["failed"] else []
        row["causes"] = [finding.cause for finding in found]
        if row["failed"] and cell.fault and found:
            row |= _facts(cell, experiment, own, course, found)
            row |= proof.of(own, course, found, search)
        rows.append(row)
    return rows


def everything() -> list[Cell]:
    """All cells there are."""
    return [*corpus.healthy(), *corpus.faulty(held_out=False), *corpus.faulty(held_out=True)]


def _facts(cell: Cell, experiment: Experiment, case: Case, course: Course, found: Sequence[Finding]) -> dict[str, Any]:
    """What of the first finding can be held against the truth: its layer, and the first iteration that broke."""
    first, recipe = found[0], case.recipe
    facts: dict[str, Any] = {"symptom": first.symptom, "step": first.step}
    meets = Meets(recipe.widths, experiment.activation, experiment.output, experiment.loss, recipe.l2)
    layer = recipe.fault.layer(meets)
    if layer is not None and cell.fault and first.cause == cell.fault.cause:
        facts |= {"layer": first.layer, "true_layer": layer}
    if course.nonfinite:
        facts["true_step"] = broken_at(case)
    return facts


def broken_at(case: Case) -> int:
    """The first step at which the cost, a gradient or a weight is no number, every step of the run being looked at."""
    stack = Stack.start([case.recipe])
    while stack.step < case.recipe.plan.iterations:
        measured = stack.measure()
        if not all(np.isfinite(array).all() for array in (measured.values["train/cost"], measured.g, stack.theta)):
            break
        stack.advance(stack.gradient())
    return stack.step


class _Proof:
    """What the proposals for the runs of one cell come to, on seeds that nobody has seen; none is trained twice."""

    def __init__(self, case: Case):
        self.case = case
        self.reached: dict[Overrides, int] = {}

    def of(self, case: Case, course: Course, found: Sequence[Finding], search: bool) -> dict[str, Any]:
        """On how many of the unseen seeds each proposal reaches the target: the findings', the searched, the advice."""
        first = tuple(found[0].override)
        rows: dict[str, Any] = {"override": list(first), "first": self.count(first) if first else None}
        whole: Overrides = ()
        for finding in found:
            whole = merged(whole, finding.override)
        rows["all"] = self.count(whole) if whole else None
        if search and max(rows["first"] or 0, rows["all"] or 0) < len(UNSEEN):
            best = cures.search(case, found, 5).best
            rows["searched"] = self.count(best.overrides) if best else 0
        for advice in advices(case):
            rows[advice.name] = self.count(advice.overrides)
        return rows

    def count(self, change: Overrides) -> int:
        if change not in self.reached:
            changed = self.case.changed(*change)
            with threads.limited(self.case.recipe), np.errstate(all="ignore"):
                outcome = outcomes([changed], UNSEEN)[0] if changed else None
            self.reached[change] = int(outcome.reached.sum()) if outcome else 0
        return self.reached[change]


def advices(case: Case) -> list[Advice]:
    """Always a lower rate, always a fresh init, and one of the usual changes at random."""
    lower = (f"optimizer.lr={case.configured_lr * 0.1:.3g}",)
    fresh = fresh_init_of(case.activation)
    drawn = Random(case.recipe.seed).choice(cures.further(case, ()))
    return [Advice("lower rate", lower), Advice("fresh init", fresh), Advice("random override", drawn)]


if __name__ == "__main__":
    main()
