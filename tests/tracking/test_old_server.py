"""A real server of MLflow 2.22, which has no logged models."""

import json
import subprocess
import sys

import pytest

from runner.tracking.store import Store
from tests.servers import Server, begin, ended, environment, old_python

# mlflow and what it needs warn about each other; that is not ours to fail for
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    server = Server(f"sqlite:///{folder / 'mlflow.db'}", folder, old_python())
    server.start()
    yield server
    server.stop()


def test_six_runs_with_models_and_their_summary_come_to_a_server_without_logged_models(server, tmp_path):
    more = ["training.iterations=50", "optimizer.lr=0.1,1", "seed=0,1,2", "sweep.artifacts=all"]
    out = ended(begin(tmp_path, server.uri, "-m", *more, "hydra.sweep.dir=sweep", "tracking.register=xor"))
    assert "not whole" not in out
    assert out.count("is MLflow 2.22") == 1, out
    assert "no logged models" in out
    store = Store(server.uri)
    found = store.client.search_runs(["1"])
    sweep = [run for run in found if "sweep_summary" in run.data.tags]
    assert (len(found), len(sweep)) == (7, 1)
    for run in found:
        assert run.info.status == "FINISHED"
        names = {artifact.path for artifact in store.client.list_artifacts(run.info.run_id)}
        assert run in sweep or {"model", "weights.npz", "config.yaml"} <= names
    (model,) = store.client.search_registered_models()
    assert (model.name, len(model.latest_versions)) == ("xor", 1)
    loaded = _predicted(f"runs:/{model.latest_versions[0].run_id}/model", server.uri, tmp_path)
    assert len(loaded) == 4
    again = [sys.executable, "-m", "runner.sync", "sweep"]
    done = subprocess.run(again, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert "7 runs: 7 there already" in done.stdout, done.stdout + done.stderr


def _predicted(model, uri, folder):
    code = "import json, mlflow, pandas; X = pandas.DataFrame({'x1': [0., 0, 1, 1], 'x2': [0., 1, 0, 1]}); "
    code += f"print(json.dumps(mlflow.pyfunc.load_model({model!r}).predict(X).tolist()))"
    own = {**environment(), "MLFLOW_TRACKING_URI": uri, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
