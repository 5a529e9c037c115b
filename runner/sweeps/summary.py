"""A run for a sweep as a whole, in a journal of its own: the leaderboard, how many runs ended how, and why."""

import hashlib
import math
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.runs.findings import NOTE
from runner.runs.journal import FILE, Journal
from runner.runs.provenance import command, who
from runner.runs.record import Result
from runner.sweeps import leaderboard
from runner.sweeps.note import note


def sweep_id(keys: Sequence[str]) -> str:
    """The same jobs are the same sweep: what a killed sweep had made and what its repetition makes stand together."""
    return hashlib.sha256("".join(sorted(set(keys))).encode()).hexdigest()[:10]


def record(
    sweep: str,
    sweep_dir: Path,
    results: Sequence[Result],
    words: Sequence[str],
    params: Mapping[str, Any],
    home: Path,
) -> Path:
    """Record the sweep's own run; its directory. `words` are its command's, `params` what a search adds.

    The same sweep again, from the same working directory `home`, is the same run in MLflow, wherever it is recorded.
    """
    best, directory = leaderboard.ranked(results)[0], sweep_dir / leaderboard.SUMMARY_DIR
    files = leaderboard.write(results, sweep_dir)
    found = {"runs": len(results), "best": best.name, **params}
    # MLflow's parameters cannot change, its tags can, when the same sweep is updated.
    tags = {**who(), **{key: str(value) for key, value in found.items()}, "sweep_summary": sweep, NOTE: note(results)}
    tracking = best.experiment.tracking
    if (directory / FILE).exists():  # the same command again, or with more jobs, in a fixed directory
        opened = Journal.reopen(directory, tags)
    else:
        opened = Journal.create(
            directory,
            name=f"{tracking.run_name or 'sweep'} {sweep}",
            experiment=tracking.experiment,
            store={"experiment_id": tracking.experiment_id},
            uid=hashlib.sha256(f"{sweep} {socket.gethostname()} {home}".encode()).hexdigest()[:32],
            params=found,
            tags=tags,
            command=command(words),
        )
    with opened as journal:
        for file in files:
            file.replace(journal.directory / file.name)
            journal.artifact(file.name)
        journal.end("finished", _counts(results, best))
    return directory


def _counts(results: Sequence[Result], best: Result) -> dict[str, float]:
    """How many runs ended how, and the best objective where there is one."""
    counts = {
        f"runs/{status}": float(sum(result.status == status for result in results))
        for status in ("finished", "pruned", "diverged", "error")
    }
    counts["runs/target_reached"] = float(sum(result.target_reached for result in results))
    if not math.isnan(best.objective):
        counts[f"best/{best.experiment.recipe.plan.objective}"] = best.objective
    return counts
