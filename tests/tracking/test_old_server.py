"""A real server of MLflow 2.22, which has no logged models."""

import base64
import json
import subprocess
import sys
import urllib.request

import pytest

from runner.command.sync import main
from runner.tracking.store import Store
from tests.servers import Server, begin, ended, environment, old_python
from tests.stores import write

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


LOGIN = """[mlflow]
default_permission = READ
database_uri = sqlite:///login.db
admin_username = admin
admin_password = sesame-sesame
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


@pytest.fixture
def guarded(tmp_path):
    """The same with a login, of "admin"; others may read."""
    (tmp_path / "login.ini").write_text(LOGIN)
    variables = {"MLFLOW_AUTH_CONFIG_PATH": str(tmp_path / "login.ini"), "MLFLOW_FLASK_SERVER_SECRET_KEY": "no secret"}
    place = f"sqlite:///{tmp_path / 'guarded.db'}"
    server = Server(place, tmp_path, old_python(), "--app-name", "basic-auth", **variables)
    server.start()
    yield server
    server.stop()


def test_a_later_sync_logs_in_and_says_so_when_it_is_turned_away(guarded, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shown = guarded.uri.replace("//", "//admin@")
    write(tmp_path / "run", params={"tracking.uri": shown})  # as a run leaves it that was given the password
    for name in ("TRACKING_URI", "TRACKING_USERNAME", "TRACKING_PASSWORD"):
        monkeypatch.delenv(f"MLFLOW_{name}", raising=False)
    assert main(["run"]) == 1
    way = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or give --store http://USER:PASSWORD@HOST"
    assert f"failed   run  the store turned us away: {way}\n" in capsys.readouterr().err
    assert main(["run", "--store", guarded.uri.replace("//", "//admin:sesame-sesame@")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"1 run: 1 new; {shown}"
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "sesame-sesame")
    assert main(["run"]) == 0
    assert "1 there already" in capsys.readouterr().out
    body = json.dumps({"username": "reader", "password": "sesame-reader"}).encode()
    word = "Basic " + base64.b64encode(b"admin:sesame-sesame").decode()
    head = {"Authorization": word, "Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(f"{guarded.uri}/api/2.0/mlflow/users/create", body, head)).close()
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "reader")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "sesame-reader")
    write(tmp_path / "another", params={"tracking.uri": shown})
    assert main(["another"]) == 1
    said = capsys.readouterr().err
    assert "the store turned us away: " in said
    assert "ermission" in said
    assert "For another user set MLFLOW_TRACKING_USERNAME" in said
    kept = [path for name in ("run", "another") for path in (tmp_path / name).rglob("*") if path.is_file()]
    assert not [path for path in kept if b"sesame" in path.read_bytes()]


def _predicted(model, uri, folder):
    code = "import json, mlflow, pandas; X = pandas.DataFrame({'x1': [0., 0, 1, 1], 'x2': [0., 1, 0, 1]}); "
    code += f"print(json.dumps(mlflow.pyfunc.load_model({model!r}).predict(X).tolist()))"
    own = {**environment(), "MLFLOW_TRACKING_URI": uri, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
