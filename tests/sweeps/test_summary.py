"""A sweep's own run: one however often the sweep is repeated, with a note that says how it went and why."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from runner import sweep
from runner.experiment.build import compose
from runner.runs import journal
from runner.runs.findings import NOTE
from runner.runs.names import short_name, title

SWEEP = "dataset=xor training.iterations=300 optimizer=gd optimizer.lr=1,30 seed=0,1,2 fault=none,ascent plots=false"


@pytest.fixture
def twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A sweep and its repetition, each recorded in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_RUN_NAME", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    sweep(SWEEP, tmp_path / "one")
    sweep(f"{SWEEP} diagnosis=none", tmp_path / "two")
    return [tmp_path / "one", tmp_path / "two"]


def test_a_repeated_sweep_is_one_run_of_its_own_with_a_note_that_tells_how_it_went_and_why(twice: list[Path]) -> None:
    first, second = (journal.first(folder / "summary") for folder in twice)
    assert first["uid"] == second["uid"]
    assert first["tags"]["sweep_summary"] == second["tags"]["sweep_summary"]
    note = first["tags"][NOTE]
    runs = [json.loads(path.read_text()) for path in twice[0].glob("[0-9]*/summary.json")]
    ended = Counter(run["status"] for run in runs)
    assert note.startswith("**12 runs**: ")
    assert all(f"{count} {status}" in note for status, count in ended.items())
    ranks = re.findall(r"^\| (\d+) \| `(.*?)` \| (\w+) \| (\S+) \|$", note, re.MULTILINE)
    assert [int(rank) for rank, *_ in ranks] == list(range(1, 11))
    assert "and 2 more: leaderboard.csv" in note
    costs = [float(cost) for *_, cost in ranks if cost != "-"]
    assert costs == sorted(costs)
    assert "| setting | runs |" in note
    causes = {finding["cause"].replace("_", " ") for run in runs for finding in run["findings"][:1]}
    assert causes
    assert set(re.findall(r"^- \*\*(.*?)\*\*: ", note, re.MULTILINE)) == causes
    assert "tracking.layers_every=1" in note


def test_a_runs_title_begins_with_what_differs_and_ends_with_no_seed() -> None:
    overrides = ["dataset=xor", "init=he_normal", "training.iterations=300", "optimizer.lr=0.10", "seed=3"]
    experiment = compose(overrides)
    assert title("seed=3", experiment) == "seed=3 iterations=300 lr=0.1 dataset=xor init=he_normal"
    assert title("lr=0.1 seed=3", experiment).startswith("lr=0.1 seed=3 iterations=300 ")
    alone = title(short_name(overrides), experiment)
    assert alone == "iterations=300 seed=3 lr=0.1 dataset=xor init=he_normal"
    assert title("init=he_normal lr=0.1 seed=3", experiment).startswith("lr=0.1 seed=3 init=he_normal iterations=300 ")
    assert title("cure of 3", experiment) == f"cure of 3 {alone}"
    assert title("seed=3", compose(["seed=3"])) == f"seed=3 {compose([]).dataset.name}"
    named = compose([*overrides, "tracking.run_name=mine"])
    assert title("mine", named) == "mine"
    assert title("lr=0.1 seed=3", named) == "lr=0.1 seed=3 mine"
