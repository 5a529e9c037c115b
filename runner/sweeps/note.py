"""What the page of a sweep's own run shows first in MLflow: the best runs, the best settings, and why others failed."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from runner.runs.result import Result
from runner.sweeps.leaderboard import fold, ranked

MOST = 10  # lines of a table


def note(results: Sequence[Result]) -> str:
    """The note of a sweep with these runs, in Markdown."""
    ranking, settings = ranked(results), fold(results)
    objective = ranking[0].experiment.recipe.plan.objective
    ended = Counter(str(result.status) for result in results)
    parts = [f"**{len(results)} runs**: " + ", ".join(f"{count} {status}" for status, count in ended.most_common())]
    rows = (
        [str(rank), _code(run.name), str(run.status), _number(run.objective)] for rank, run in enumerate(ranking, 1)
    )
    parts.append(_table(["rank", "run", "status", objective], rows, len(ranking)))
    if 1 < len(settings) < len(results):
        quartiles = ([_code(one.name), str(one.n), *map(_number, one.quartiles), str(one.failed)] for one in settings)
        parts.append(
            _table(["setting", "runs", "25 %", f"median {objective}", "75 %", "failed"], quartiles, len(settings))
        )
    if (kept := ranking[0].experiment.tracking.layers_every) > 1:
        parts.append(
            f"Of each run's layer metrics one row in {kept} is in MLflow; `tracking.layers_every=1` keeps all."
        )
    if causes := _causes(ranking):
        parts.append("\n".join(["### Why runs failed", *causes]))
    return "\n\n".join(parts)


def _causes(ranking: Sequence[Result]) -> list[str]:
    """A line for each cause: how many runs have it as the first of theirs, and the best of them."""
    found: dict[str, list[Result]] = {}
    for run in ranking:
        if run.findings:
            found.setdefault(str(run.findings[0]["cause"]).replace("_", " "), []).append(run)
    lines = []
    for cause, runs in found.items():
        first = runs[0].findings[0]
        also = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
        lines.append(f"- **{cause}**: {_code(runs[0].name)}{also}. {first['symptom']} at step {first['step']}.")
    return lines


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], count: int) -> str:
    lines = [head, ["---"] * len(head), *(row for row, _ in zip(rows, range(MOST), strict=False))]
    more = f"\n\nand {count - MOST} more: leaderboard.csv" if count > MOST else ""
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + more


def _code(name: str) -> str:
    """A name as Markdown leaves it, in a table too."""
    return "`" + name.replace("|", "\\|").replace("`", "'") + "`"


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "-"
