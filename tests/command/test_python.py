"""What people type in Python: words as on the command line, one answer, and one sentence where it is refused."""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import numpy as np
import pytest

import runner
from runner import Refusal, Trace, load, plot, run
from runner.experiment.schema import ConfigError

SHORT = ["dataset=xor", "training.iterations=20"]


@pytest.fixture(scope="module")
def xor() -> Trace:
    return run([*SHORT, "optimizer.lr=0.1"])


@pytest.mark.parametrize(
    "words",
    [
        "dataset=xor training.iterations=20 optimizer.lr=0.1",
        "python -m runner dataset=xor training.iterations=20 optimizer.lr=0.1",
        ("dataset=xor", "training.iterations=20", "optimizer.lr=0.1"),
    ],
)
def test_a_text_a_command_and_a_list_are_the_same_run(words: str, xor: Trace) -> None:
    np.testing.assert_array_equal(run(words)["train/cost"], xor["train/cost"])


@pytest.mark.parametrize("name", ["Größe", "my data (1)", "a [b]", "it's", "50%"])
def test_names_of_any_letters_need_no_second_pair_of_quotes(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.csv"
    path.write_text(f'x,"{name}"\n1,a\n2,b\n3,a\n4,b\n', encoding="utf-8")
    words = ["dataset=csv", f"dataset.path={path}", f"dataset.target={name}", "training.iterations=5"]
    assert run(words).summary["dataset"]["target"] == name  # type: ignore[index]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("dataset=xor seed=1,2", "several values are a sweep. runner.sweep runs one job for each"),
        (["dataset=csv", "dataset.target=a, b"], "A name with a comma needs quotes: dataset.target='a, b'"),
        ("-m dataset=xor", "ask for many runs"),
        ("dataset=xor search=random", "ask for many runs"),
        ("dataset='xor", "a quote has no partner"),
        (["dataset=xor", 3], "Overrides must be texts"),
        ("--cfg job", "is for the command line"),
        ("dataset=xor hydra.job.chdir=true", "Hydra's own keys"),
        ("dataset=xorr", "Did you mean 'xor'?"),
    ],
)
def test_what_is_wrong_is_said_once_and_without_the_way_it_came(words: str | list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match="1 mistake") as refused:
        run(words)
    assert sentence in str(refused.value)
    shown = "".join(traceback.format_exception(refused.value))
    assert shown.count(sentence) == 1
    assert "During handling" not in shown
    assert "direct cause" not in shown


def test_a_notebook_shows_the_sentences_of_a_refusal_and_nothing_else() -> None:
    with pytest.raises(Refusal) as refused:
        run(["optimizer.lr=-1", "seed=-1"])
    lines = refused.value._render_traceback_()
    assert len(lines) == 3
    assert lines[1:] == [f"  {problem}" for problem in refused.value.problems]  # type: ignore[attr-defined]


def test_a_trace_shows_itself_in_a_line_and_in_a_notebook(xor: Trace) -> None:
    assert len(repr(xor)) < 200
    assert "finished at step 20" in repr(xor)
    assert "lr=0.1" in xor._repr_html_()
    assert "<svg" in xor._repr_html_()
    diverged = run("experiment=posts/xor")
    assert "cost of layer 2 at step 275" in repr(diverged)
    assert "cost of layer 2 at step 275" in diverged._repr_html_()


def test_a_trace_is_a_mapping_of_its_metrics_and_a_frame(xor: Trace) -> None:
    assert xor.keys() == tuple(dict(xor))
    assert "train/cost" in xor
    frame = xor.to_frame()
    assert frame.index.name == "step"
    assert frame.index.tolist() == xor.steps.tolist()
    for key in xor.keys():  # noqa: SIM118 - what is tested
        np.testing.assert_array_equal(frame[key], xor[key])
    with pytest.raises(KeyError, match="Did you mean 'train/cost'"):
        xor["train/coast"]


def test_a_table_is_predicted_by_the_names_of_its_columns(data_files: dict[str, list[str]]) -> None:
    import pandas

    trace = run(["dataset=csv", *data_files["csv"], "training.iterations=20"])
    X = np.random.default_rng(1).normal(size=(9, 3))
    table = pandas.DataFrame(X, columns=["a", "b", "c"])
    np.testing.assert_array_equal(trace.outputs(table[["c", "a", "b"]]), trace.outputs(X))
    with pytest.raises(ValueError, match="no column 'b'"):
        trace.predict(table[["a", "c"]])


def test_a_run_in_memory_and_its_record_have_the_same_pictures(xor: Trace, tmp_path: Path) -> None:
    recorded = run([*SHORT, "optimizer.lr=0.1"], tmp_path / "run")
    assert list(plot(xor).figures) == list(plot(recorded).figures) == list(plot(tmp_path / "run").figures)
    assert "data:image/png;base64," in plot(xor, "cost")._repr_html_()
    (written,) = plot(xor, "cost").save(tmp_path / "pictures")
    assert written.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ConfigError, match="Did you mean 'cost'"):
        plot(xor, "coost")


def test_an_interrupt_keeps_the_rows(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        while signal.getsignal(signal.SIGINT) is usual:
            time.sleep(0.05)
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)

    usual = signal.getsignal(signal.SIGINT)
    user = threading.Thread(target=interrupt)
    user.start()
    trace = run(["dataset=xor", "training.iterations=10_000_000", "training.log_every=100"])
    user.join()
    assert trace.status == "interrupted"
    assert trace["train/cost"].shape == trace.steps.shape
    assert 0 < trace.steps[-1] < 10_000_000
    assert "the trace has the rows until then" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is usual
    assert run(SHORT).status == "finished"  # the next is not stopped by it


def test_a_directory_is_named_as_an_argument_or_in_hydras_way(tmp_path: Path) -> None:
    trace = run([*SHORT, f"hydra.run.dir={tmp_path / 'run'}"])
    assert trace.directory == tmp_path / "run"
    with pytest.raises(ConfigError, match="two directories"):
        run([*SHORT, f"hydra.run.dir={tmp_path / 'a'}"], tmp_path / "b")


def test_tracking_does_what_the_command_does(tmp_path: Path) -> None:
    typed = (
        "from runner import run\n"
        "trace = run('dataset=xor training.iterations=20', tracking=True)\n"
        "again = run('dataset=xor training.iterations=20 seed=1 tracking.experiment=mine')\n"
        "print(repr(trace)); print(trace.directory, again.directory)\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    environment["PYTHONPATH"] = str(Path(runner.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", typed], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    first, second = (Path(word) for word in done.stdout.splitlines()[-1].split())
    for directory in (first, second):
        assert directory.is_relative_to(tmp_path / "outputs")
        assert load(directory).summary["mlflow_run_id"]  # type: ignore[index]
        assert (directory / "plots" / "cost.png").exists()
    assert done.stdout.count("/#/experiments/") == 2
    with pytest.raises(ConfigError, match="contradict"):
        run([*SHORT, "tracking=none"], tracking=True)


def test_a_recorded_run_is_gone_on_with(tmp_path: Path) -> None:
    words, more = [*SHORT, "training.log_every=1"], "training.iterations=40"
    run(words, tmp_path / "run")
    resumed = run(f"resume={tmp_path / 'run'} {more}")
    np.testing.assert_array_equal(resumed["train/cost"], run([*words, more])["train/cost"])
    assert resumed.status == load(tmp_path / "run").status == "finished"  # type: ignore[union-attr]
    assert not list(tmp_path.rglob("tracking.json"))
    with pytest.raises(ConfigError, match="the run has finished"):
        run([f"resume={tmp_path / 'run'}"])
    with pytest.raises(ConfigError, match="resumes a run as it was recorded"):
        run([f"resume={tmp_path / 'run'}", more], tmp_path / "other")
    with pytest.raises(ConfigError, match="nowhere holds no run"):
        run("resume=nowhere")
