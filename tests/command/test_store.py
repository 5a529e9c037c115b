"""What a command leaves in the default store, and what it says of it: two runs and a sweep, made once for all tests."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command.test_door import command, environment


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which one run, one diverging run and one sweep have been tracked, by the default store."""
    folder = tmp_path_factory.mktemp("tracked")
    outputs = [
        command(folder, "dataset=xor", "seed=7"),
        command(folder, "experiment=posts/xor"),
        command(folder, "-m", "dataset=xor", "init=normal,he_normal", "seed=range(2)"),
    ]
    assert [done.returncode for done in outputs] == [0, 1, 0], [done.stderr for done in outputs]
    for done in outputs:
        (folder / f"out{len(list(folder.glob('out?')))}").write_text(done.stdout)
    return folder


def test_the_last_line_is_the_ui_command_and_the_link(tracked: Path) -> None:
    run_id = json.loads(next(tracked.rglob("outputs/*/*/summary.json")).read_text())["mlflow_run_id"]
    lines = [(tracked / f"out{number}").read_text().splitlines()[-1] for number in range(3)]
    for line in lines:
        assert line.startswith("mlflow ui --backend-store-uri sqlite:///mlflow.db   then open http://127.0.0.1:5000/#/")
    assert any(run_id in line for line in lines)
    assert "compareRunsMode=CHART" in lines[2]


def test_everything_that_the_contract_names_is_in_the_store(tracked: Path) -> None:
    script = (
        "import json, mlflow\n"
        "client = mlflow.MlflowClient('sqlite:///mlflow.db')\n"
        "ids = [e.experiment_id for e in client.search_experiments()]\n"
        "runs = client.search_runs(ids)\n"
        "print(json.dumps([{'name': r.info.run_name, 'status': r.info.status, 'metrics': r.data.metrics,"
        " 'params': r.data.params, 'tags': r.data.tags, 'inputs': [i.dataset.digest for i in r.inputs.dataset_inputs],"
        " 'artifacts': [a.path for a in client.list_artifacts(r.info.run_id)],"
        " 'steps': [m.step for m in client.get_metric_history(r.info.run_id, 'train/cost')],"
        " 'largest': max((abs(m.value) for k in r.data.metrics for m in client.get_metric_history(r.info.run_id, k)"
        " if m.value == m.value), default=0)} for r in runs]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tracked, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    runs = json.loads(done.stdout.splitlines()[-1])
    (summarised,) = [run for run in runs if "sweep_summary" in run["tags"]]
    assert summarised["metrics"]["runs/finished"] == 4
    assert {"leaderboard.csv", "leaderboard_by_setting.csv"} <= set(summarised["artifacts"])
    runs.remove(summarised)
    assert len(runs) == 6
    plain = next(run for run in runs if run["tags"]["seed"] == "7")
    assert plain["status"] == "FINISHED"
    for key in ("train/cost", "train/accuracy", "grad_norm", "grad_norm/layer_1", "weight_norm/layer_2"):
        assert key in plain["metrics"]
    assert "update_ratio/layer_1" in plain["metrics"]
    assert plain["steps"] == sorted({*range(0, 2000, 10), 1999, 2000})
    assert plain["params"]["optimizer.lr"] == "0.01"
    assert plain["params"]["seed"] == "7"
    assert len(plain["inputs"]) == 1
    assert {"config.yaml", "weights.npz", "summary.json"} <= set(plain["artifacts"])
    assert {"status", "target", "data.sha256", "git.commit", "version.numpy"} <= set(plain["tags"]) | {"git.commit"}
    diverged = next(run for run in runs if run["tags"]["status"] == "diverged")
    assert diverged["status"] == "FAILED"
    assert diverged["metrics"]["diverged"] == 1
    assert diverged["metrics"]["best/train/cost"] < 0.7
    assert diverged["tags"]["fault"] == "flipped_sign"
    assert max(diverged["steps"]) == 274  # the newest value is finite: MLflow draws no curve that ends in NaN
    assert diverged["metrics"]["first_nonfinite_step"] == 275
    assert max(run["largest"] for run in runs) < 1e300
    swept = [run for run in runs if "sweep" in run["tags"]]
    # What they differ in stands first in their names.
    assert {" ".join(run["name"].split()[:2]) for run in swept} == {
        f"init={init} seed={seed}" for init in ("normal", "he_normal") for seed in (0, 1)
    }
    assert len({run["tags"]["sweep"] for run in swept}) == 1
