"""A run that was stopped and resumed is the run that never was: the same rows and weights, bit for bit."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner import load
from runner.command import replay
from runner.command.python import run
from runner.experiment.build import compose
from runner.experiment.schema import ConfigError
from runner.runs import journal, resume, trace
from runner.runs.record import Record
from runner.sweeps import jobs as sweep

ROOT = Path(__file__).resolve().parents[2]
PRESETS = sorted(
    path.relative_to(ROOT / "conf" / "experiment").with_suffix("").as_posix()
    for path in (ROOT / "conf" / "experiment").glob("*/*.yaml")  # script.yaml needs a script
)


def stopped_at(overrides: list[str], directory: Path, rows: int) -> str | None:
    """Record a run that gets Ctrl-C when it has logged so many rows."""
    stop = sweep.Stop()
    count = 0

    def after(record: Record) -> None:
        nonlocal count
        count += 1
        stop.asked = stop.asked or count >= rows

    (record,) = sweep.run([sweep.Job(compose(overrides), directory, "stopped")], progress=after, stop=stop)
    return record.status


def killed_after(directory: Path, rows: int) -> None:
    """Make the journal what `kill -9` leaves: so many rows, half a line, no end."""
    path = directory / journal.FILE
    kept, count = [], 0
    for line in path.read_bytes().splitlines(keepends=True):
        count += b'"kind":"row"' in line
        if count > rows or b'"kind":"end"' in line:
            kept.append(line[: len(line) // 2])
            break
        kept.append(line)
    path.write_bytes(b"".join(kept))
    (directory / "summary.json").unlink()
    (directory / "weights.npz").unlink()


def go_on(directory: Path, *overrides: str) -> Record:
    _, record, checkpoint = resume.reopened(directory, overrides)
    sweep.resume(record, checkpoint)
    return record


def assert_same(one: trace.Trace, other: trace.Trace) -> None:
    np.testing.assert_array_equal(one.steps, other.steps)
    assert one.status == other.status
    assert one.nonfinite == other.nonfinite
    for key, column in one.values.items():
        np.testing.assert_array_equal(column, other[key], err_msg=key)
    for (W, b), (W2, b2) in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(W, W2)
        np.testing.assert_array_equal(b, b2)


def shortened(preset: str, data_files: dict[str, list[str]]) -> list[str]:
    """A preset on small data and few enough iterations for a test of every one."""
    overrides = [f"experiment={preset}", *data_files.get(preset.split("/")[1], [])]
    return overrides if preset.startswith("posts") and "cats" not in preset else [*overrides, "training.iterations=400"]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_resumed_is_the_preset_uninterrupted(
    preset: str, data_files: dict[str, list[str]], tmp_path: Path
) -> None:
    overrides = shortened(preset, data_files)
    whole = run(overrides)
    status = stopped_at(overrides, tmp_path / "run", rows=3)
    assert status == "interrupted"
    go_on(tmp_path / "run")
    assert_same(load(tmp_path / "run"), whole)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_replays_bit_for_bit(preset: str, data_files: dict[str, list[str]], tmp_path: Path) -> None:
    recorded = run(shortened(preset, data_files), tmp_path / "run")
    experiment = resume.build_plain(resume.stored_config(tmp_path / "run"))
    assert replay.compare(recorded, trace.traced(experiment), resumed=False) is None
    assert replay.changes(journal.first(tmp_path / "run")["tags"], experiment.data_digest) == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    optimizer=st.sampled_from(["gd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"]),
    batch=st.sampled_from([None, 1, 3]),
    dropout=st.sampled_from([0, 0.3]),
    l2=st.sampled_from([0, 0.01]),
    patience=st.sampled_from([None, 20]),
    schedule=st.sampled_from(["constant", "cosine", "step", "exponential"]),
    checkpoint=st.sampled_from([None, 7, 30]),
    rows=st.integers(0, 14),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_resume_equals_uninterrupted(
    tmp_path_factory: pytest.TempPathFactory,
    optimizer: str,
    batch: int | None,
    dropout: float,
    l2: float,
    patience: int | None,
    schedule: str,
    checkpoint: int | None,
    rows: int,
    dtype: str,
) -> None:
    overrides = [
        "dataset=xor",
        f"optimizer={optimizer}",
        f"training.batch_size={batch or 'null'}",
        f"architecture.dropout={dropout}",
        f"architecture.l2={l2}",
        f"training.patience={patience or 'null'}",
        f"schedule={schedule}",
        f"training.checkpoint_every={checkpoint or 'null'}",
        f"dtype={dtype}",
        "training.iterations=70",
        "training.log_every=5",
    ]
    folder = tmp_path_factory.mktemp("resume")
    whole = run(overrides, folder / "whole")
    run(overrides, folder / "killed")
    killed_after(folder / "killed", rows)
    go_on(folder / "killed")
    assert_same(load(folder / "killed"), whole)


def test_iterations_may_be_raised_on_the_way(tmp_path: Path) -> None:
    overrides = ["dataset=xor", "training.log_every=10", "optimizer=momentum"]
    run([*overrides, "training.iterations=100", "training.checkpoint_every=40"], tmp_path / "run")
    go_on(tmp_path / "run", "training.iterations=200")
    longer, whole = load(tmp_path / "run"), run([*overrides, "training.iterations=200"])
    assert replay.compare(longer, whole, resumed=True) is None
    assert longer.steps[-1] == 200


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["seed=3"], "seed=3: a resumed run keeps its configuration; only training.iterations may be raised."),
        (["training.iterations=50"], "it may only be raised, and the run was made for 100"),
        (["training.iterations=many"], "it may only be raised"),
        ([], "the run has finished. training.iterations=N with N above 100 would go on."),
    ],
)
def test_what_cannot_be_resumed_is_refused_with_the_reason(tmp_path: Path, overrides: list[str], problem: str) -> None:
    run(["dataset=xor", "training.iterations=100"], tmp_path / "run")
    before = (tmp_path / "run" / journal.FILE).read_bytes()
    with pytest.raises(ConfigError) as error:
        resume.reopened(tmp_path / "run", overrides)
    assert problem in error.value.problems[0]
    assert (tmp_path / "run" / journal.FILE).read_bytes() == before


def test_a_diverged_run_and_a_folder_without_one_are_refused(tmp_path: Path) -> None:
    run(["experiment=posts/xor"], tmp_path / "run")
    with pytest.raises(ConfigError) as error:
        resume.reopened(tmp_path / "run", [])
    assert "diverged after 276 iterations" in error.value.problems[0]
    with pytest.raises(ConfigError) as error:
        resume.reopened(tmp_path / "rum", [])
    assert error.value.problems[0].endswith(f"Did you mean '{tmp_path / 'run'}'?")


def test_a_replay_names_the_first_difference(tmp_path: Path) -> None:
    recorded = run(["dataset=xor", "training.iterations=50"], tmp_path / "run")
    other = run(["dataset=xor", "training.iterations=50", "optimizer.lr=0.02"])
    difference = replay.compare(recorded, other, resumed=False)
    assert difference is not None
    assert difference.startswith("step 0, update_ratio/layer_1: recorded ")


def test_a_run_recorded_before_a_key_that_decides_nothing_existed_is_still_read(tmp_path: Path) -> None:
    run(["dataset=xor", "training.iterations=1"], tmp_path / "run")
    path = tmp_path / "run" / "config.yaml"
    kept = yaml.safe_load(path.read_text())
    del kept["sweep"], kept["progress"]
    path.write_text(yaml.safe_dump(kept))
    assert resume.build_plain(resume.stored_config(tmp_path / "run")).progress is True


def test_a_stored_interpolation_is_only_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "leaked")
    run(["dataset=xor", "training.iterations=1"], tmp_path / "run")
    path = tmp_path / "run" / "config.yaml"
    path.write_text(path.read_text().replace("run_name: null", "run_name: ${oc.env:SECRET}"))
    config = resume.stored_config(tmp_path / "run")
    assert config["tracking"]["run_name"] == "${oc.env:SECRET}"
    assert resume.build_plain(config).tracking.run_name == "${oc.env:SECRET}"
