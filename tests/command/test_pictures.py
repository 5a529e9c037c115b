"""Pictures by themselves: after the result, in the run's directory and in MLflow, and none where none are wanted."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from runner.runs import journal
from runner.runs.journal import Journal
from runner.tracking.store import Store
from runner.tracking.translation import NOTE, addressed
from tests.stores import new_store, push
from tests.stores import runs as stored

ROOT = Path(__file__).resolve().parents[2]
XOR = ("dataset=xor", "training.iterations=50")
OF_XOR = ["boundary.png", "cost.png", "layers.png", "table.png"]


def runner(folder: Path, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """The command, with what it prints and what it says on standard error in one stream."""
    done = subprocess.run(
        [sys.executable, *options, "-m", "runner", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    return done


def drawn(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "plots").glob("*"))


def test_a_run_has_its_pictures_in_its_directory_in_mlflow_and_in_its_note(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    uri = new_store(tmp_path_factory, tmp_path / "store")
    runner(tmp_path, *XOR, f"tracking.uri={uri}", "hydra.run.dir=run")
    store = Store(uri)
    (run,) = stored(store).values()
    assert drawn(tmp_path / "run") == OF_XOR
    kept = store.client.list_artifacts(run.info.run_id, "plots")
    assert [file.path for file in kept] == [f"plots/{name}" for name in OF_XOR]
    for file in kept:
        there = Path(store.client.download_artifacts(run.info.run_id, file.path, str(tmp_path)))
        assert there.read_bytes() == (tmp_path / "run" / file.path).read_bytes()
    note = run.data.tags[NOTE]
    assert note.startswith("**xor: ")
    assert "`python -m runner dataset=xor training.iterations=50" in note
    for name in OF_XOR:
        assert f"(get-artifact?run_uuid={run.info.run_id}&path=plots%2F{name})" in note


def test_why_a_run_failed_stands_in_its_note_before_its_pictures(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    command = [sys.executable, "-m", "runner", "experiment=posts/xor", "tracking=none", f"hydra.run.dir={directory}"]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True)
    notes = [record["tags"].get(NOTE) for record, _ in journal.read(directory) if record["kind"] == "tags"]
    last = [text for text in notes if text][-1]
    assert last.index("diverged") < last.index("### 1. ") < last.index("![cost](plots/cost.png)")


@pytest.mark.parametrize("bulk", [True, False])
def test_a_note_finds_its_pictures_in_any_store(
    bulk: bool, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Journal.create(tmp_path / "run", name="a run", experiment="demo") as writer:
        writer.end("finished")
    with Journal.supplement(tmp_path / "run") as writer:
        writer.tags({NOTE: "![cost](plots/cost.png) ![other](https://host/x.png)", "other": "![a](plots/a.png)"})
    store = Store(new_store(tmp_path_factory, tmp_path / "store"))
    if not bulk:
        store.tables = None
    run_id = str(push(store, tmp_path / "run").run_id)
    tags = store.client.get_run(run_id).data.tags
    there = f"![cost](get-artifact?run_uuid={run_id}&path=plots%2Fcost.png)"
    assert tags[NOTE] == f"{there} ![other](https://host/x.png)"
    assert tags["other"] == "![a](plots/a.png)"
    assert addressed(tags, "another")[NOTE] == tags[NOTE]


def test_no_pictures_where_none_are_wanted_and_the_same_bits(tmp_path: Path) -> None:
    for plots in ("true", "false"):
        runner(tmp_path, *XOR, "tracking=none", f"plots={plots}", f"hydra.run.dir=plots-{plots}")
    runs = [tmp_path / "plots-true", tmp_path / "plots-false"]
    assert drawn(runs[0]) == OF_XOR
    assert not (runs[1] / "plots").exists()
    one, other = (np.load(run / "weights.npz") for run in runs)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
    rows = [
        [(record["step"], record["values"]) for record, _ in journal.read(run) if record["kind"] == "row"]
        for run in runs
    ]
    assert rows[0] == rows[1]


def test_the_result_is_printed_before_matplotlib_is_imported(tmp_path: Path) -> None:
    for arguments, result in ((XOR, "finished after"), (("-m", *XOR, "optimizer.lr=0.1,0.01"), "run  ")):
        said = runner(tmp_path, *arguments, "tracking=none", options=("-u", "-X", "importtime")).stdout
        first = re.search(r"\| +matplotlib\b", said)
        assert first is not None
        assert said.index(result) < first.start()


def test_of_a_sweep_the_best_and_the_worst_are_drawn(tmp_path: Path) -> None:
    sweep = ("-m", *XOR, "optimizer.lr=0.001,0.003,0.01,0.1", "tracking=none")
    runner(tmp_path, *sweep, "hydra.sweep.dir=best")
    costs = {
        folder.parent.name: json.loads(folder.read_text())["metrics"]["last"]["train/cost"]
        for folder in (tmp_path / "best").glob("*/summary.json")
    }
    order = sorted(costs, key=costs.__getitem__)
    assert [name for name in order if drawn(tmp_path / "best" / name)] == [order[0], order[-1]]
    # Runs that were done before get what they have not got yet.
    runner(tmp_path, *sweep, "hydra.sweep.dir=all", "sweep.artifacts=all")
    assert all(drawn(tmp_path / "best" / name) == OF_XOR for name in order)


def test_a_run_is_drawn_once_and_again_when_it_was_gone_on_with(tmp_path: Path) -> None:
    runner(tmp_path, *XOR, "tracking=none", "hydra.run.dir=run")
    runner(tmp_path, "resume=run", "training.iterations=80")
    told = [record["kind"] for record, _ in journal.read(tmp_path / "run") if record.get("path", "plots") == "plots"]
    assert [kind for kind in told if kind in ("end", "artifact")] == ["end", "artifact", "end", "artifact"]


def test_a_picture_that_cannot_be_drawn_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "plots").write_text("in the way")
    said = runner(tmp_path, *XOR, "tracking=none", "hydra.run.dir=run").stdout
    assert re.search(r"^no pictures of .*run/plots", said, re.MULTILINE)
