"""The MLflow model of a run: what MLflow itself would write, once in the store, the same bits wherever it is loaded."""

import contextlib
import http.client
import json
import os
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from runner import load
from runner.command.python import run
from runner.runs import model_code
from runner.runs.model import hand_on
from runner.sync import main
from runner.tracking.models import name_of
from runner.tracking.store import Store
from tests.commands import quick
from tests.servers import Serving
from tests.stores import new_store, push

ROOT = Path(__file__).resolve().parents[2]

# mlflow and what it needs warn about each other; that is not ours to fail for
pytestmark = pytest.mark.filterwarnings("ignore")

PETS = "height,weight,Größe\n" + "".join(f"{i % 7},{(i * 5) % 11},{'groß' if i % 2 else 'klein'}\n" for i in range(40))


def overrides(folder: Path, kind: str) -> list[str]:
    """A run on a file of the user's, with all that is to be remembered: scaling, names, labels, shapes."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2, 3, 1)) * 50
    if kind == "csv":
        (folder / "pets.csv").write_text(PETS)
        data = [f"dataset.path={folder / 'pets.csv'}", "dataset.target='Größe'"]
    elif kind == "npz":
        np.savez(folder / "own.npz", X=X, y=["a", "b", "c"] * 10)
        data = [f"dataset.path={folder / 'own.npz'}", "dtype=float32", "architecture.activation=gelu"]
    else:
        with h5py.File(folder / "own.h5", "w") as file:
            file["X"], file["y"] = X, rng.normal(size=30)
        data = [f"dataset.path={folder / 'own.h5'}", "architecture.activation=softplus"]
    return [f"dataset={kind}", *data, "dataset.scaling=standardise", "training.iterations=30"]


def rows(kind: str) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(50, 2 if kind == "csv" else 6)) * 20


ASK = """
import sys
import numpy as np, mlflow, pandas as pd
model, X = mlflow.pyfunc.load_model(sys.argv[1]), np.load(sys.argv[2])
by_name = model.unwrap_python_model().network.encoding is not None  # of a table
names = ["height", "weight"] if by_name else []
given = pd.DataFrame(X, columns=names)[names[::-1]] if names else X
labels = np.asarray(model.predict(given), dtype=str)
np.savez(sys.argv[3], labels=labels, A=model.predict(given, params={"outputs": True}))
assert "runner" not in sys.modules
"""


def asked(model: str | Path, X: np.ndarray, folder: Path, python: str = sys.executable, **more: str) -> tuple:
    """Answers and outputs of a model that another process has loaded, which knows nothing of the runner."""
    np.save(folder / "X.npy", X)
    words = [python, "-I", "-c", ASK, str(model), str(folder / "X.npy"), str(folder / "answers.npz")]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "ERROR", **more}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "hint" not in done.stderr
    with np.load(folder / "answers.npz") as answers:
        return answers["labels"].tolist(), answers["A"]


def command(folder: Path, *words: str, code: int = 0) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    done = subprocess.run(
        [sys.executable, "-m", "runner", *quick(*words)],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def models(store: Store) -> list:
    experiments = [experiment.experiment_id for experiment in store.client.search_experiments()]
    return list(store.client.search_logged_models(experiments))


@pytest.mark.parametrize("kind", ["csv", "npz", "h5"])
def test_a_loaded_model_has_the_bits_of_the_run(kind: str, tmp_path: Path) -> None:
    trained, X = run(overrides(tmp_path, kind), tmp_path / "run"), rows(kind)
    labels, A = asked(tmp_path / "run" / "model", X, tmp_path)
    assert np.array_equal(A, trained.outputs(X))
    assert A.dtype == trained.outputs(X).dtype
    assert labels == trained.predict(X).astype(str).tolist()


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_the_folder_is_what_mlflow_itself_would_have_written(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow.pyfunc
    import pandas as pd

    monkeypatch.chdir(tmp_path)  # in a project it would keep the project's pyproject.toml too
    run(overrides(tmp_path, kind), tmp_path / "run")
    ours, theirs = tmp_path / "run" / "model", tmp_path / "theirs"
    example = np.array(json.loads((ours / "input_example.json").read_text())) if kind == "npz" else None
    if example is None:
        example = pd.DataFrame(**json.loads((ours / "input_example.json").read_text()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.pyfunc.save_model(
            theirs,
            python_model=model_code.__file__,
            artifacts={name: str(ours / "artifacts" / file) for name, file in FILES.items()},
            pip_requirements=(ours / "requirements.txt").read_text().split(),
            signature=mlflow.models.Model.load(ours).signature,
            input_example=example,
        )
    assert files(ours) == files(theirs)
    for name in ("requirements.txt", "conda.yaml", "python_env.yaml", "input_example.json"):
        assert yaml.safe_load((ours / name).read_text()) == yaml.safe_load((theirs / name).read_text()), name
    one, other = (yaml.safe_load((folder / "MLmodel").read_text()) for folder in (ours, theirs))
    of_one_run = {"utc_time_created", "model_size_bytes", "model_uuid", "model_id", "prompts"}
    for said in (one, other):
        flavor = said["flavors"]["python_function"]
        flavor.pop("cloudpickle_version", None)  # nothing is pickled
        flavor["model_code_path"] = Path(flavor["model_code_path"]).name
        for artifact in flavor["artifacts"].values():
            artifact["uri"] = Path(artifact["uri"]).name
    keys = one.keys() | other.keys()
    assert {k: one.get(k) for k in keys - of_one_run} == {k: other.get(k) for k in keys - of_one_run}


FILES = {"weights": "weights.npz", "network": "network.json", "encoding": "encoding.py"}


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_command_leaves_one_model_in_the_store_registered_and_replays_add_none(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = new_store(tmp_path_factory, tmp_path)
    shown = command(tmp_path, "dataset=xor", "tracking.register=Exclusive or", "hydra.run.dir=run")
    assert "Traceback" not in shown
    store = Store(uri)
    (logged,) = models(store)
    run_id = json.loads((tmp_path / "run" / "summary.json").read_text())["mlflow_run_id"]
    run = store.client.get_run(run_id)
    assert (logged.source_run_id, logged.name, logged.status.name) == (run_id, name_of(run.info.run_name), "READY")
    last = {metric.key: metric.value for metric in logged.metrics}
    assert last == {key: run.data.metrics[key] for key in last}
    assert {"train/cost", "train/accuracy"} <= set(last)
    (output,) = store.client.get_run(run_id).outputs.model_outputs
    assert output.model_id == logged.model_id
    (version,) = store.client.search_model_versions("name = 'Exclusive or'")
    assert (version.run_id, version.version) == (run_id, 1)
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        (tmp_path / "run" / "tracking.json").unlink()  # nobody knows any more what is in the store: all is replayed
        assert main(["run"]) == 0
    assert len(models(store)) == 1
    assert len(store.client.search_model_versions("name = 'Exclusive or'")) == 1
    trained, X = load(tmp_path / "run"), np.random.default_rng(0).normal(size=(20, 2))
    for address in (f"runs:/{run_id}/model", "models:/Exclusive or/1"):
        assert np.array_equal(asked(address, X, tmp_path, MLFLOW_TRACKING_URI=uri)[1], trained.outputs(X)), address


def test_a_model_that_was_cut_off_is_finished_and_not_doubled(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(new_store(tmp_path_factory, tmp_path))
    run(["dataset=xor", "training.iterations=5"], tmp_path / "run")
    send = store.client.log_model_artifacts
    monkeypatch.setattr(store.client, "log_model_artifacts", lambda *_: (_ for _ in ()).throw(TimeoutError("gone")))
    with pytest.raises(TimeoutError):
        push(store, tmp_path / "run", closing=False)
    assert [model.status.name for model in models(store)] == ["PENDING"]
    monkeypatch.setattr(store.client, "log_model_artifacts", send)
    assert push(store, tmp_path / "run", closing=False).done
    (model,) = models(store)
    assert model.status.name == "READY"
    assert "MLmodel" in [Path(found.path).name for found in store.client.list_logged_model_artifacts(model.model_id)]


def test_a_run_gone_on_with_has_a_new_model_and_the_newest_is_found(tmp_path: Path) -> None:
    command(tmp_path, "dataset=xor", "training.iterations=50", "hydra.run.dir=run", "training.checkpoint_every=50")
    command(tmp_path, "resume=run", "training.iterations=80")
    run_id = json.loads((tmp_path / "run" / "summary.json").read_text())["mlflow_run_id"]
    uri, X = f"sqlite:///{tmp_path / 'mlflow.db'}", np.random.default_rng(0).normal(size=(9, 2))
    assert len(models(Store(uri))) == 2
    _, A = asked(f"runs:/{run_id}/model", X, tmp_path, MLFLOW_TRACKING_URI=uri)
    assert np.array_equal(A, load(tmp_path / "run").outputs(X))


def test_a_run_without_finite_weights_has_no_model(tmp_path: Path) -> None:
    run(["experiment=posts/xor"], tmp_path / "run")
    assert load(tmp_path / "run").status == "diverged"
    assert "model" not in (tmp_path / "run" / "journal.jsonl").read_text().split('"path":')[-1]


@pytest.mark.parametrize(
    ("artifacts", "expected"), [("best", {"0", "3"}), ("all", {"0", "1", "2", "3"}), ("none", set())]
)
def test_of_a_sweep_the_best_and_the_worst_have_a_model(artifacts: str, expected: set[str], tmp_path: Path) -> None:
    words = ["optimizer.lr=0.1,0.01,0.001,0.0001", "training.iterations=100", "hydra.sweep.dir=sweep"]
    registered = ["tracking.register=Best", "tracking=offline", f"sweep.artifacts={artifacts}"]
    command(tmp_path, "-m", "dataset=xor", *words, *registered)
    assert {path.parent.name for path in (tmp_path / "sweep").glob("*/model")} == expected
    named = [path for path in (tmp_path / "sweep").glob("*/model/MLmodel") if "register: Best" in path.read_text()]
    assert [path.parent.parent.name for path in named] == (["0"] if expected else [])


def test_a_model_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    from runner.experiment.build import compose
    from runner.runs.result import Result

    run(["dataset=xor", "training.iterations=5"], tmp_path / "run")
    before = (tmp_path / "run" / "journal.jsonl").read_bytes()
    result = Result(compose(["dataset=xor", "training.iterations=5"]), tmp_path / "run", "xor")
    assert hand_on([result], result) == []
    assert (tmp_path / "run" / "journal.jsonl").read_bytes() == before


def test_a_name_that_mlflow_would_refuse_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    command(tmp_path, "dataset=xor", "tracking.register=a/b", code=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_a_fresh_environment_of_its_own_requirements_gives_the_same_bits(kind: str, tmp_path: Path) -> None:
    trained, X = run(overrides(tmp_path, kind), tmp_path / "run"), rows(kind)
    fresh = tmp_path / "fresh"
    uv = ["uv", "--quiet", "--no-config"]
    subprocess.run([*uv, "venv", "--python", sys.executable, fresh], check=True, cwd=tmp_path)
    requirements = tmp_path / "run" / "model" / "requirements.txt"
    install = ["pip", "install", "--python", fresh / "bin" / "python", "-r", requirements]
    subprocess.run([*uv, *install], check=True, cwd=tmp_path)
    labels, A = asked(tmp_path / "run" / "model", X, tmp_path, python=str(fresh / "bin" / "python"))
    assert np.array_equal(A, trained.outputs(X))
    assert labels == trained.predict(X).astype(str).tolist()


class Served(Serving):
    """`mlflow models serve` of a folder, on loopback."""

    def __init__(self, model: Path, folder: Path):
        words = f"mlflow models serve -m {shlex.quote(str(model))} --env-manager local -h 127.0.0.1"
        scripts = str(Path(sys.executable).parent)
        environment = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}", "MLFLOW_DISABLE_TELEMETRY": "true"}
        super().__init__(words, "/ping", folder, environment)

    def ask(self, method: str, path: str, body: str = "", kind: str = "application/json") -> tuple[int, str]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body.encode(), {"Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


@pytest.mark.slow
def test_a_served_table_answers_json_and_csv_and_refuses_other_columns(tmp_path: Path) -> None:
    trained = run(overrides(tmp_path, "csv"), tmp_path / "run")
    expected = trained.predict([[1.5, 20], [3, 4]]).tolist()
    table = {"columns": ["weight", "height"], "data": [[20, 1.5], [4, 3]]}
    served = Served(tmp_path / "run" / "model", tmp_path)
    with served:
        status, said = served.ask("POST", "/invocations", json.dumps({"dataframe_split": table}))
        assert (status, json.loads(said)["predictions"]) == (200, expected)
        records = [{"height": 1.5, "weight": 20}, {"height": 3, "weight": 4}]
        status, said = served.ask("POST", "/invocations", json.dumps({"dataframe_records": records}))
        assert (status, json.loads(said)["predictions"]) == (200, expected)
        status, said = served.ask("POST", "/invocations", "weight,height\n20,1.5\n4,3\n", "text/csv")
        assert (status, json.loads(said)["predictions"]) == (200, expected)
        example = (tmp_path / "run" / "model" / "serving_input_example.json").read_text()
        assert served.ask("POST", "/invocations", example)[0] == 200
        status, said = served.ask("POST", "/invocations", "weight,hight\n20,1.5\n", "text/csv")
        assert status == 400
        assert "Model is missing inputs ['height']. Not among its inputs: ['hight']." in json.loads(said)["message"]
        assert "stack_trace" not in said
        status, said = served.ask("POST", "/invocations", json.dumps({"inputs": [[1, 2, 3]]}))
        assert status == 400
        assert "X must be (n, 2): height, weight. Got (1, 3)." in json.loads(said)["message"]


@pytest.mark.slow
def test_served_arrays_answer_with_labels_or_outputs_and_refuse_other_shapes(tmp_path: Path) -> None:
    trained, X = run(overrides(tmp_path, "npz"), tmp_path / "run"), rows("npz")[:3]
    served = Served(tmp_path / "run" / "model", tmp_path)
    with served:
        status, said = served.ask("POST", "/invocations", json.dumps({"inputs": X.tolist()}))
        assert (status, json.loads(said)["predictions"]) == (200, trained.predict(X).tolist())
        request = {"inputs": X.tolist(), "params": {"outputs": True}}
        status, said = served.ask("POST", "/invocations", json.dumps(request))
        A = np.array(json.loads(said)["predictions"], dtype=np.float32)
        assert status == 200
        assert np.array_equal(A, trained.outputs(X))
        for wrong in ([[1, 2, 3]], [1, 2, 3], [[["a"]]]):
            status, said = served.ask("POST", "/invocations", json.dumps({"inputs": wrong}))
            assert status == 400, wrong
            assert "(-1, 6)" in said or "could not convert" in said, said
