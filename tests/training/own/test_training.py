"""A network of the user's own goes through everything that a run goes through: records, sweeps, resuming, replay."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from runner.command.check import check_experiment
from runner.experiment.build import compose
from runner.runs import journal
from runner.runs.files import WEIGHTS
from runner.runs.trace import load, traced
from runner.sweeps.jobs import Job, Stop, run
from tests.commands import quick

ROOT = Path(__file__).resolve().parents[3]
HERE = {**os.environ, "PYTHONPATH": str(ROOT)}
NETWORKS = Path(__file__).parent / "networks"
COLUMNS = ["architecture.samples=columns"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with the networks in it."""
    shutil.copytree(NETWORKS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def words(network: str, *others: str) -> list[str]:
    return ["dataset=xor", "architecture=own", f"architecture.network={network}", "training.iterations=40", *others]


def command(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *(quick(*arguments, diagnosis="") if module == "runner" else arguments)],
        capture_output=True,
        text=True,
        env=HERE,
    )


def recorded(folder: Path, *overrides: str) -> Path:
    (result,) = run([Job(compose(overrides), folder / "run", "one")])
    assert result.status == "finished"
    return folder / "run"


def test_its_rows_weights_and_summary(folder: Path) -> None:
    directory = recorded(folder, *words("style_closures:make_network"))
    rows = [line for line, _ in journal.read(directory) if line["kind"] == "row"]
    names = ["0", "1", "2", "3"]
    for kind in ("grad_norm", "weight_norm", "update_ratio"):
        assert [key for key in rows[1]["values"] if key.startswith(f"{kind}/")] == [f"{kind}/{name}" for name in names]
    assert {"train/cost", "train/accuracy", "grad_norm"} <= set(rows[-1]["values"])
    with np.load(directory / WEIGHTS) as arrays:
        assert [arrays[name].shape for name in names] == [(2, 6), (1, 6), (6, 1), (1, 1)]
    summary = json.loads((directory / "summary.json").read_text())
    assert summary["network"]["own"]["options"]["network"] == "style_closures:make_network"
    assert summary["network"]["widths"] == [2, 6, 1]
    assert journal.first(directory)["tags"]["network.sha256"] == summary["network"]["own"]["digest"]


def test_it_predicts_again_from_its_record(folder: Path) -> None:
    directory = recorded(
        folder, *words("style_dictionary:Net", *COLUMNS, "architecture.hidden=[8]"), "training.iterations=400"
    )
    assert load(directory).predict([[0, 0], [0, 1], [1, 0], [1, 1]]).tolist() == [0, 1, 1, 0]
    whole = ["dataset=spiral", "architecture.labels=index", "architecture.hidden=[6]", "training.iterations=20"]
    trace = traced(compose(words("style_index:TwoLayerNet", *whole)))
    assert set(trace.predict(np.array([[0.0, 1.0], [5.0, 5.0]]))) <= {0, 1, 2}


def test_ours_and_its_own_update_take_the_same_steps() -> None:
    ours = traced(compose(words("style_layers:Sequential", *COLUMNS, "optimizer=gd", "optimizer.lr=0.3")))
    own = traced(
        compose(
            words("style_layers:Sequential", *COLUMNS, "architecture.update=own", "optimizer=gd", "optimizer.lr=0.3")
        )
    )
    np.testing.assert_allclose(own["train/cost"], ours["train/cost"], rtol=1e-12)
    np.testing.assert_allclose(own["update_ratio/layer0.W"][:-1], ours["update_ratio/layer0.W"][:-1], rtol=1e-9)


def test_where_it_leaves_the_numbers_is_found() -> None:
    """The XOR post's network: its cost is infinite one step before its weights are no numbers."""
    trace = traced(compose([*words("post_xor:Network", *COLUMNS, "optimizer=gd"), "training.iterations=400"]))
    assert trace.status == "diverged"
    assert trace.nonfinite is not None
    assert (trace.nonfinite["layer"], trace.nonfinite["array"]) == (2, "cost")
    assert trace.nonfinite["step"] == trace.steps[-1] - 1
    assert np.isinf(trace["train/cost"][-2])


def test_the_posts_network_costs_what_our_copy_of_the_post_costs() -> None:
    """The same draws, the same mistake, the same update: their NumPy lines and our stack, to the last digits."""
    alike = ["training.iterations=270", "training.log_every=30", "optimizer=gd", "optimizer.lr=0.1", "seed=3"]
    theirs = traced(compose([*words("post_xor:Network", *COLUMNS), *alike]))
    ours = traced(compose(["experiment=posts/xor", *alike]))
    np.testing.assert_allclose(theirs["train/cost"], ours["train/cost"], rtol=1e-9)
    np.testing.assert_allclose(theirs["grad_norm"], ours["grad_norm"], rtol=1e-8)
    np.testing.assert_allclose(theirs.own["W1"].T, ours.weights[0][0], rtol=1e-8)


@pytest.mark.parametrize("others", [[], ["training.batch_size=3"], ["schedule=cosine", "optimizer.clip_norm=0.1"]])
def test_seeds_make_it_the_same_or_another(others: list[str]) -> None:
    one, same, other = (
        traced(compose(words("style_list:Network", *others, f"seed={seed}"))).own["0"] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("update", ["ours", "own"])
@pytest.mark.parametrize("batch", ["null", "3"])
def test_a_resumed_run_is_the_one_that_was_never_stopped(update: str, batch: str, folder: Path) -> None:
    """With its own momentum the network is trained again from the start: nobody else knows its state."""
    overrides = [
        *words("style_attributes:MLP", f"architecture.update={update}", f"training.batch_size={batch}"),
        "training.checkpoint_every=10", "training.log_every=7", "tracking=none", "optimizer.lr=0.1",
    ]  # fmt: skip
    whole = traced(compose(overrides))
    stop = Stop()

    def halfway(record: object) -> None:
        stop.asked = stop.asked or record.result.step >= 21  # type: ignore[attr-defined]

    run([Job(compose(overrides), folder / "run", "one")], progress=halfway, stop=stop)
    assert journal.status(folder / "run") == "interrupted"
    done = command("runner", "resume=run")
    assert done.returncode == 0, done.stderr
    resumed = load(folder / "run")
    for name, array in whole.own.items():
        np.testing.assert_array_equal(resumed.own[name], array)
    steps = np.searchsorted(resumed.steps, whole.steps)
    np.testing.assert_array_equal(resumed["train/cost"][steps], whole["train/cost"])


def test_a_replay_is_bit_identical_and_sees_a_changed_source(folder: Path) -> None:
    recorded(folder, *words("style_pairs:Classifier", "dataset=spiral", "architecture.hidden=[4]"))
    done = command("runner.replay", "run")
    assert (done.returncode, done.stdout.startswith("bit-identical")) == (0, True), done.stdout + done.stderr
    path = folder / "style_pairs.py"
    path.write_text(path.read_text().replace("* 0.5", "* 0.4"))
    done = command("runner.replay", "run")
    assert done.returncode == 1
    assert "style_pairs:Classifier is not the recorded one" in done.stdout


def test_a_sweep_trains_them_one_by_one_and_skips_what_is_done(folder: Path) -> None:
    overrides = ["-m", *words("style_closures:make_network,tiny:Tiny", "seed=range(3)"), "tracking=none"]
    done = command("runner", *overrides)
    assert done.returncode == 0, done.stderr
    assert "6 runs" in done.stdout
    assert "6 of 6 done before" in command("runner", *overrides).stdout
    (folder / "tiny.py").write_text((folder / "tiny.py").read_text() + "\n# another\n")
    assert "3 of 6 done before" in command("runner", *overrides).stdout


def test_a_member_that_ends_its_process_is_an_error_alone(folder: Path) -> None:
    exits = ["+architecture.arguments.on_seed=2", "+architecture.arguments.after=20"]
    overrides = words("exits:Exits", *exits, "seed=range(5)", "tracking=none", "plots=false", "diagnosis=none")
    done = command("runner", "-m", *overrides, "sweep.backend=loky", "sweep.workers=2")
    assert done.returncode == 1, done.stdout + done.stderr
    found = [json.loads(path.read_text()) for path in folder.glob("multirun/*/*/*/summary.json")]
    assert sorted((summary["seed"], summary["status"]) for summary in found) == [
        (seed, "error" if seed == 2 else "finished") for seed in range(5)
    ]
    assert [summary["error"].count("its process died: exit code 3") for summary in found if summary["error"]] == [1]
    assert "its process died: exit code 3" in done.stdout
    (alone,) = [path.parent for path in folder.glob("multirun/*/*/*/summary.json") if '"seed": 0' in path.read_text()]
    run = traced(compose(words("exits:Exits", *exits, "seed=0")))
    np.testing.assert_array_equal(load(alone)["train/cost"], run["train/cost"])


def test_what_it_imports_from_beside_it_decides_too(folder: Path) -> None:
    before = compose(words("exits:Exits")).key()
    (folder / "tiny.py").write_text((folder / "tiny.py").read_text() + "\n# another\n")
    assert compose(words("exits:Exits")).key() != before


def test_a_member_that_raises_leaves_the_others_alone(folder: Path) -> None:
    source = (folder / "tiny.py").read_text()
    late = "        self.calls = getattr(self, 'calls', 0) + 1\n        if self.calls > 20:\n"
    late += "            raise OSError('gone')\n"
    (folder / "late.py").write_text(source.replace("        dZ =", f"{late}        dZ ="))
    done = command("runner", "-m", *words("late:Tiny,tiny:Tiny"), "tracking=none")
    assert done.returncode == 1
    statuses = {
        json.loads(path.read_text())["network"]["own"]["options"]["network"]: json.loads(path.read_text())
        for path in folder.glob("multirun/*/*/*/summary.json")
    }
    assert [statuses[name]["status"] for name in ("late:Tiny", "tiny:Tiny")] == ["error", "finished"]
    error = statuses["late:Tiny"]["error"]
    assert error.startswith("Traceback")
    assert "OSError: gone" in error
    assert "late.py" in error
    assert "runner/" not in error


def test_noise_of_its_own_is_of_seed_and_step(folder: Path) -> None:
    """Dropout by NumPy's generator: replayed, resumed and checked like anything else."""
    source = (folder / "style_list.py").read_text()
    noisy = source.replace("h2 = np.tanh(h1 @ W2 + b2)", "h2 = np.tanh(h1 @ W2 + b2) * (np.random.rand(5) < 0.8)")
    (folder / "noisy.py").write_text(noisy.replace("(1 - h2**2)", "(1 - h2**2) * (h2 != 0)"))
    first, again = (traced(compose(words("noisy:Network", "training.log_every=5"))) for _ in range(2))
    rarely = traced(compose(words("noisy:Network", "training.log_every=13")))
    for name, array in first.own.items():
        np.testing.assert_array_equal(again.own[name], array)
        np.testing.assert_array_equal(rarely.own[name], array)
    done = command("runner.check", *words("noisy:Network"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_predict_there_is_no_accuracy(folder: Path) -> None:
    done = command("runner", *words("style_no_bias:Eleven"), "tracking=none")
    assert (done.returncode, "accuracy" in done.stdout) == (0, True)
    source = (
        (folder / "style_no_bias.py").read_text().replace("def predict", "def answer").replace(".predict", ".answer")
    )
    (folder / "style_no_bias.py").write_text(source)
    done = command("runner", *words("style_no_bias:Eleven"), "tracking=none")
    assert (done.returncode, "accuracy" in done.stdout) == (0, False), done.stdout + done.stderr
    refused = command("runner", *words("style_no_bias:Eleven"), "objective.metric=train/accuracy")
    assert refused.returncode == 2


def test_exit_codes_of_the_check_and_of_a_run(folder: Path) -> None:
    (folder / "wrong.py").write_text(
        (folder / "tiny.py").read_text().replace("(self.predict(X) - Y)", "(Y - self.predict(X))")
    )
    for module, network, code in (
        ("runner.check", "tiny:Tiny", 0), ("runner.check", "wrong:Tiny", 1), ("runner.check", "tiny:Tyni", 2),
        ("runner", "tiny:Tyni", 2), ("runner", "nothing:Tiny", 2),
    ):  # fmt: skip
        done = command(module, *words(network))
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert not (folder / "outputs").exists()
    (folder / "raises.py").write_text((folder / "tiny.py").read_text().replace("np.zeros(", "np.zero("))
    done = command("runner", *words("raises:Tiny"))
    assert done.returncode == 1
    assert "raises.py" in done.stderr
    assert "AttributeError" in done.stderr
    assert not (folder / "outputs").exists()


def test_new_rows_of_a_file_are_predicted_and_no_model_of_its_code_is_claimed(folder: Path) -> None:
    overrides = words("style_closures:make_network", "hydra.run.dir=run", "training.iterations=400", "tracking=none")
    assert command("runner", *overrides).returncode == 0
    (folder / "new.csv").write_text("x1,x2\n0,0\n0,1\n1,0\n1,1\n")
    done = command("runner.predict", "run", "--data", "new.csv")
    assert done.stdout.split() == ["prediction", "0", "1", "1", "0"], done.stderr
    assert not (folder / "run" / "model").exists()
    (folder / "style_closures.py").unlink()
    done = command("runner.predict", "run", "--data", "new.csv")
    assert (done.returncode, "there is no module 'style_closures'" in done.stderr) == (2, True)


@pytest.mark.parametrize(("fault", "kind"), [("ascent", "ascent"), ("accumulated_gradient", "accumulated")])
def test_a_fault_in_our_update_is_found_with_their_gradients(fault: str, kind: str) -> None:
    found = check_experiment(compose(words("style_list:Network", f"fault={fault}")))
    assert found.mistake is not None
    assert (found.ok, found.mistake.kind) == (False, kind)


def test_an_object_and_a_package_of_modules_will_do(folder: Path) -> None:
    package = folder / "nets" / "kinds"
    package.mkdir(parents=True)
    source = (folder / "tiny.py").read_text()
    (package / "__init__.py").write_text("from .logistic import Tiny\n\nready = Tiny(2, 1)\n")
    (package / "shared.py").write_text("WIDTH = 1\n")
    (package / "logistic.py").write_text(
        source.replace("import numpy as np", "import numpy as np\n\nfrom . import shared")
    )
    traces = [traced(compose(words(f"nets.kinds{name}"))) for name in (":Tiny", ":ready", ".logistic:Tiny")]
    for trace in traces:
        np.testing.assert_array_equal(trace.own["W"], traces[0].own["W"])
    before = compose(words("nets.kinds:Tiny")).key()
    (package / "shared.py").write_text("WIDTH = 2\n")
    assert compose(words("nets.kinds:Tiny")).key() != before
