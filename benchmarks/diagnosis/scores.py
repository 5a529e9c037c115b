"""The figures that diagnosis is judged by, from the rows of an evaluation: shares with Wilson's intervals."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from runner.diagnosis.case import UNDETERMINED

FRESH = 5  # unseen seeds
ENOUGH = 4  # of them, that make a cure
Row = Mapping[str, Any]


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n). Source: Wilson (1927).

    >>> low, high = wilson(9, 10)
    >>> round(low, 3), round(high, 3)
    (0.596, 0.982)
    """
    if of == 0:
        return 0.0, 1.0
    p = hits / of
    middle, spread = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return (middle - spread) / (1 + z * z / of), (middle + spread) / (1 + z * z / of)


def share(hits: int, of: int) -> str:
    """A share as the tables have it.

    >>> share(9, 10)
    '9 of 10 = .900 (.596 .. .982)'
    """
    if of == 0:
        return "none"
    low, high = wilson(hits, of)
    return f"{hits} of {of} = {_digits(hits / of)} ({_digits(low)} .. {_digits(high)})"


def report(rows: Sequence[Row]) -> str:
    """All tables, in Markdown."""
    faulty = [row for row in rows if "fault" in row]
    parts = []
    if len(faulty) < len(rows):
        parts.append(healthy([row for row in rows if "fault" not in row]))
    if faulty:
        parts += [totals(faulty), by_fault(faulty), confusion(faulty), cures(faulty)]
    return "\n\n".join(parts)


def healthy(rows: Sequence[Row]) -> str:
    """How many runs without a fault have a finding, and of which bases."""
    alarms = [row for row in rows if row["causes"]]
    lines = ["| runs without a fault | with a finding |", "| --- | --- |"]
    for base in dict.fromkeys(row["base"] for row in rows):
        own = [row for row in rows if row["base"] == base]
        found = Counter(row["causes"][0] for row in own if row["causes"])
        causes = "".join(f", {cause} {count}" for cause, count in found.items())
        lines.append(f"| {base}: {len(own)} | {sum(found.values())}{causes} |")
    return "\n".join([*lines, f"| all | {share(len(alarms), len(rows))} |"])


def totals(rows: Sequence[Row]) -> str:
    """The figures of all failed runs, and of those whose fault the training part has not."""
    lines = ["| | all faults | faults that the training part has not |", "| --- | --- | --- |"]
    sides = [rows, [row for row in rows if row["held_out"]]]
    figures = [figures_of(side) for side in sides]
    return "\n".join([*lines, *(f"| {name} | {figures[0][name]} | {figures[1][name]} |" for name in figures[0])])


def figures_of(rows: Sequence[Row]) -> dict[str, str]:
    """The figures of some runs with faults, by name."""
    bad = [row for row in rows if row["failed"]]
    named = [row for row in bad if cause_of(row) != UNDETERMINED]
    known = [row for row in bad if row["truth"] != UNDETERMINED]
    shares = {fault: (hits, of) for fault, (hits, of) in right_by_fault(known).items()}
    macro = sum(hits / of for hits, of in shares.values()) / max(1, len(shares))
    least = min(shares, key=lambda fault: shares[fault][0] / shares[fault][1]) if shares else ""
    worst = f"worst {least} {shares[least][0]} of {shares[least][1]}" if least else "none"
    layers = [row for row in bad if "true_layer" in row]
    steps = [row for row in bad if "true_step" in row]
    return {
        "runs; failed, latent": f"{len(rows)}; {len(bad)}, {len(rows) - len(bad)}",
        "failures with a finding": share(sum(bool(row["causes"]) for row in bad), len(bad)),
        "cause, first answer": share(sum(right(row) for row in known), len(known)),
        "the same, mean over faults": f"{_digits(macro)}; {worst}",
        "cause, among the first two": share(sum(row["truth"] in row["causes"][:2] for row in known), len(known)),
        "precision of a named cause": share(sum(right(row) for row in named), len(named)),
        "layer, where the cause is right": share(sum(row["layer"] == row["true_layer"] for row in layers), len(layers)),
        "first iteration exact": share(sum(row["step"] == row["true_step"] for row in steps), len(steps)),
    }


def right_by_fault(rows: Sequence[Row]) -> dict[str, tuple[int, int]]:
    """By fault: (first answers that are right, failed runs)."""
    found: dict[str, tuple[int, int]] = {}
    for row in rows:
        if row["failed"]:
            hits, of = found.get(row["fault"], (0, 0))
            found[row["fault"]] = hits + right(row), of + 1
    return found


def by_fault(rows: Sequence[Row]) -> str:
    """A line a fault: what became of its runs, and what they were told."""
    lines = ["| fault | should be told | failed of | right | told instead |", "| --- | --- | --- | --- | --- |"]
    for fault in dict.fromkeys(row["fault"] for row in rows):
        own = [row for row in rows if row["fault"] == fault]
        bad = [row for row in own if row["failed"]]
        wrong = Counter(cause_of(row) for row in bad if not right(row))
        instead = ", ".join(f"{cause} {count}" for cause, count in wrong.most_common())
        hits = sum(right(row) for row in bad)
        lines.append(f"| {fault} | {own[0]['truth']} | {len(bad)} of {len(own)} | {hits} | {instead} |")
    return "\n".join(lines)


def confusion(rows: Sequence[Row]) -> str:
    """Which cause was told for which."""
    bad = [row for row in rows if row["failed"]]
    lines = ["| cause | failed runs | told |", "| --- | --- | --- |"]
    for truth in dict.fromkeys(row["truth"] for row in bad):
        told = Counter(cause_of(row) for row in bad if row["truth"] == truth)
        lines.append(
            f"| {truth} | {sum(told.values())} | " + ", ".join(f"{k} {v}" for k, v in told.most_common()) + " |"
        )
    return "\n".join(lines)


def cures(rows: Sequence[Row]) -> str:
    """How often a proposal reaches the target on at least ENOUGH of FRESH unseen seeds: ours, and the usual advice."""
    bad = [row for row in rows if row["failed"] and row["truth"] != UNDETERMINED]
    lines = [f"| proposal | reaches the target on {ENOUGH} of {FRESH} unseen seeds |", "| --- | --- |"]

    def cured(row: Row, *names: str) -> bool:
        return any((row.get(name) or 0) >= ENOUGH for name in names)

    proposals = {"the first override": ["first"], "the first, or all of them together": ["first", "all"]}
    if any("searched" in row for row in bad):
        proposals["the same, or the cure that was searched"] = ["first", "all", "searched"]
    proposals |= {name: [name] for name in ("random override", "lower rate", "fresh init")}
    lines += [f"| {name} | {share(sum(cured(row, *of) for row in bad), len(bad))} |" for name, of in proposals.items()]
    return "\n".join(lines)


def cause_of(row: Row) -> str:
    """The first answer; `undetermined` where there is none."""
    return str(row["causes"][0]) if row["causes"] else UNDETERMINED


def right(row: Row) -> bool:
    return cause_of(row) == row["truth"]


def _digits(value: float) -> str:
    return f"{value:.3f}".lstrip("0") if value < 1 else f"{value:.3f}"
