"""`python -m runner.replay RUN`: run a recorded run again and compare every number.

    bit-identical: 204 rows and the final weights

What is not as it was recorded is noted first: code, data, versions, the machine. Nothing is written. The configuration
is the resolved one of the run; what looks like an interpolation in it is only text, and names in it are looked up in
the runner's own modules and nowhere else.
"""

import argparse
import math
from collections.abc import Mapping, Sequence

import numpy as np

from runner.command.python import recorded_run
from runner.experiment.build import build_plain
from runner.experiment.identity import code_digest
from runner.runs import journal, trace
from runner.runs.provenance import machines_of, versions
from runner.runs.resume import stored_config
from runner.training.kinds import kind_of
from runner.training.machine import differing, machine, said
from runner.training.trainable import Kind


def compare(recorded: trace.Trace, again: trace.Trace, resumed: bool) -> str | None:
    """The first difference between two runs, in a sentence; None where there is none.

    A run that was resumed with more iterations has the rows of its earlier end beside the others, the last of them
    without an update: those are left out.
    """
    where = {int(step): row for row, step in enumerate(recorded.steps)}
    for row, step in enumerate(again.steps.tolist()):
        if step not in where:
            return f"step {step}: the recorded run has no such row"
        for key, column in again.values.items():
            old = float(recorded.values[key][where[step]]) if key in recorded.values else math.nan
            new = float(column[row])
            earlier_end = resumed and math.isnan(old) and key.startswith("update_ratio")
            if old != new and not (math.isnan(old) and math.isnan(new)) and not earlier_end:
                return f"step {step}, {key}: recorded {old!r}, now {new!r}"
    surplus = sorted(set(where) - set(again.steps.tolist()))
    if surplus and not resumed:
        return f"step {surplus[0]}: recorded, and now there is no such row"
    for name, array in recorded.arrays.items():
        if name not in again.arrays or not np.array_equal(array, again.arrays[name], equal_nan=True):
            return f"final weights: {name} differs"
    return None


def changes(tags: Mapping[str, str], data: str, kind: Kind | None = None) -> list[str]:
    """What is not as it was when the run was recorded: code, data, package versions."""
    found = []
    if tags.get("code.sha256") != code_digest():
        commit = f" (commit {tags['git.commit'][:10]})" if "git.commit" in tags else ""
        found.append(f"the code that computes results is not the recorded one{commit}")
    if kind is not None and tags.get("network.sha256", "") != kind.digest:
        found.append(f"{kind.title} is not the recorded one")
    if tags.get("data.sha256") != data:
        found.append("the data is not the recorded one")
    for name, now in versions().items():
        before = tags.get(f"version.{name}")
        if before != now:
            found.append(f"{name} is {now}, it was {before}")
    return found


def reason(moved: Sequence[str], machines: int, repeats: bool) -> str:
    """Why the numbers differ though code, data and versions are the recorded ones.

    `moved` is what of the machine is not; `machines` made the run's rows; `repeats`: it gives the same numbers each
    time here. By what is left, then: training is a function of all these and of nothing else.
    """
    if not repeats:
        return "It gives other numbers each time it is run here, too: something in its code draws what no seed sets."
    if moved:
        why = "another one adds in another order and rounds elsewhere"
        return f"The machine is why, for code, data and versions are the recorded ones: {why}."
    if machines > 1:
        return "It was made on more than one machine, and was replayed on one of them."
    if not machines:
        return "Code, data and versions are the recorded ones. On which machine it was made the record does not say."
    return "Code, data, versions and machine are the recorded ones."


def main() -> int:
    """Exit codes: 0 bit-identical, 1 not, 2 there is no such run."""
    parser = argparse.ArgumentParser(prog="python -m runner.replay", description=str(__doc__).split("\n")[0])
    parser.add_argument("run", help="a run's directory, or the id of its run in MLflow")
    recorded = recorded_run(parser.parse_args().run)
    directory = recorded.directory
    assert directory is not None
    experiment = build_plain(stored_config(directory))
    start = journal.first(directory)
    kind = kind_of(experiment.recipe)
    changed = changes(start["tags"], experiment.data_digest, kind)
    engine, before = experiment.recipe.engine, start["tags"].get("engine", "numpy")
    if engine != before:
        changed.append(f"the engine is {engine}, it was {before}")
    machines, here = machines_of(directory), said(experiment.recipe, machine())
    moved = list(dict.fromkeys(word for there in machines for word in differing(there, here)))
    for note in changed + moved:
        print(f"note: {note}")
    resumed = any(record["kind"] == "resume" for record, _ in journal.read(directory))
    again = trace.traced(experiment)
    difference = compare(recorded, again, resumed)
    if difference:
        print(f"different: {difference}")
        if not changed:
            repeats = kind.known or compare(again, trace.traced(experiment), resumed=False) is None
            print(reason(moved, len(machines), repeats))
        return 1
    print(f"bit-identical: {len(recorded.steps)} rows and the final weights")
    return 0
