"""Rows that stay in their file train a network as rows in memory do, and every law of a run holds for them too."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import datasets.files.stream
import runner.experiment.data
from datasets import survey
from runner import load
from runner.command import replay
from runner.command.python import run
from runner.experiment.build import compose
from runner.experiment.schema import ConfigError
from runner.runs import journal, resume
from runner.runs.record import Record
from runner.sweeps import jobs as sweep
from runner.sweeps import planning
from runner.training.feed import Feed
from runner.training.recipe import Data, Recipe
from runner.training.stack import Stack
from runner.training.streamed import StreamedStack
from runner.training.train import End, Rows, train

N, D = 230, 5


@pytest.fixture
def small_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans of 10 rows and windows of 3 spans, so that a small file has many of them."""
    monkeypatch.setattr(datasets.files.stream, "SPAN_BYTES", 10 * D * 8)
    monkeypatch.setattr(runner.experiment.data, "WINDOW_BYTES", 3 * 10 * D * 8)


@pytest.fixture
def path(tmp_path: Path, small_spans: None) -> Path:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, D))
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["X"], file["y"] = X, np.where(X[:, 0] > 0, "yes", "no").astype("S3")
        file["amount"], file["kind"] = X @ np.arange(D) / 3, np.digitize(X[:, 1], [-0.5, 0.5])
        file["X_test"], file["y_test"] = X[:20] + 0.1, file["y"][:20]
    return tmp_path / "own.h5"


def overrides(path: Path, *more: str) -> list[str]:
    options = ["dataset.stream=true", "training.batch_size=16", "training.iterations=60", "training.log_every=7"]
    return ["dataset=h5", f"dataset.path={path}", *options, "tracking=none", "architecture.hidden=[4]", *more]


CASES = [
    [],
    ["dataset.target=amount", "optimizer=momentum"],
    ["dataset.target=kind", "architecture.l2=0.1", "dtype=float32"],
    ["architecture.dropout=0.3", "dataset.scaling=unit"],
    ["training.batch_size=45", "dataset.validation=0.2", "dataset.test_fraction=0.1"],
    ["training.batch_size=1000"],
    ["dataset.test_inputs=X_test", "dataset.test_target=y_test", "dataset.scaling=divide", "dataset.divisor=2"],
]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case) or "plain")


class Spans:
    """Rows 0, 1, 2 ... in spans of these sizes."""

    def __init__(self, counts: list[int], together: int):
        self.counts, self.together = np.array(counts), together

    def read(self, spans: list[int]) -> Iterator[Data]:
        for stop, count in zip(np.cumsum(self.counts)[spans], self.counts[spans], strict=True):
            rows = np.arange(stop - count, stop)
            yield Data(rows[:, None].astype(float), rows[:, None].astype(float), rows)


def all_rows(recipe: Recipe) -> Data:
    """The training rows of a stream, in the order of the file."""
    assert recipe.source is not None
    pieces = list(recipe.source.read(range(len(recipe.source.counts))))
    return Data(*(np.concatenate([piece[part] for piece in pieces]) for part in range(3)))


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any),
    st.integers(1, 5),
    st.integers(1, 30),
    st.integers(0, 3),
)
def test_every_epoch_gives_every_row_once_in_an_order_of_its_own(counts, together, batch_size, seed):
    feed = Feed(Spans(counts, together), seed, batch_size)
    epochs = []
    for epoch in range(2):
        steps = range(epoch * feed.batches_per_epoch, (epoch + 1) * feed.batches_per_epoch)
        batches = [feed.batch(step) for step in steps]
        assert [len(batch.y) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
        assert all((batch.X[:, 0] == batch.y).all() and (batch.X[:, 1] == 1).all() for batch in batches)
        epochs.append(np.concatenate([batch.y for batch in batches]).tolist())
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(sum(counts)))
    assert epochs[0] != epochs[1] or sum(counts) < 9
    again = Feed(Spans(counts, together), seed, batch_size)  # whatever was read before, or not
    for step in reversed(range(2 * feed.batches_per_epoch)):
        assert again.batch(step).y.tolist() == feed.batch(step).y.tolist()


@each_case
def test_rows_that_are_streamed_train_as_the_same_rows_in_memory(path, case):
    recipe = compose(overrides(path, *case)).recipe
    rows = all_rows(recipe)
    in_memory = replace(recipe, source=None, sets={**recipe.sets, "train": rows})
    streamed, other = StreamedStack.start([recipe]), Stack.start([in_memory])
    where = {row.tobytes(): index for index, row in enumerate(rows.X)}
    for step in range(40):
        order = np.array([where[row.tobytes()] for row in streamed.feed.batch(step).X[:, :-1].copy()])
        assert np.array_equal(streamed.feed.batch(step).y, rows.y[order])
        assert np.array_equal(streamed.feed.batch(step).Y, rows.Y[order])
        if len(order) < len(rows.X):  # a full batch is taken in the order of memory
            epoch, number = divmod(step, other.batches_per_epoch)
            other._epoch, other._order = epoch, np.zeros((1, len(rows.X)), dtype=int)
            other._order[:, number * len(order) :][:, : len(order)] = order
            if number + 1 == other.batches_per_epoch:
                other._order[:, -len(order) :] = order
            streamed.advance(streamed.gradient())
            other.advance(other.gradient())
            assert np.array_equal(streamed.theta, other.theta)


def test_held_out_rows_are_never_trained_on_and_are_the_same_every_time(path):
    more = ["dataset.validation=0.2", "dataset.test_fraction=0.1"]
    sets = []
    for _ in range(2):
        recipe = compose(overrides(path, *more)).recipe
        sets.append({"train": all_rows(recipe), "val": recipe.sets["val"], "test": recipe.sets["test"]})
        runner.experiment.data.loaded.cache_clear()
    assert (
        recipe.sizes == {name: len(data.X) for name, data in sets[0].items()} == {"train": 166, "val": 41, "test": 23}
    )
    for name in sets[0]:
        assert np.array_equal(sets[0][name].X, sets[1][name].X)
    with h5py.File(path) as file:
        whole = sorted(map(tuple, file["X"][()]))
    assert sorted(tuple(row) for data in sets[0].values() for row in data.X) == whole


@pytest.mark.parametrize("scaling", ["standardise", "unit"])
def test_the_scaling_is_that_of_the_training_rows(path, scaling):
    found = compose(overrides(path, f"dataset.scaling={scaling}", "dataset.test_fraction=0.3"))
    X, fitted = all_rows(found.recipe).X, found.dataset.scaling
    assert fitted is not None
    ends = (X.mean(axis=0), X.std(axis=0)) if scaling == "standardise" else (X.min(axis=0), X.max(axis=0))
    np.testing.assert_allclose(ends, [np.zeros(D), np.ones(D)], atol=1e-13)
    with h5py.File(path) as file:
        raw = {tuple(row) for row in file["X"][()].round(9)}
    assert {tuple(row) for row in (found.recipe.sets["test"].X * fitted.scale + fitted.shift).round(9)} < raw


@pytest.mark.parametrize("target", ["y", "amount", "kind"])
def test_labels_and_what_a_constant_costs_are_those_of_memory(path, target):
    streamed = compose(overrides(path, f"dataset.target={target}"))
    memory = compose(overrides(path, f"dataset.target={target}", "dataset.stream=false"))
    assert streamed.dataset.classes == memory.dataset.classes
    assert (streamed.output, streamed.loss, streamed.recipe.widths) == (
        memory.output,
        memory.loss,
        memory.recipe.widths,
    )
    assert streamed.constant_cost == pytest.approx(memory.constant_cost, rel=1e-12)


def rows_of(recipes: list[Recipe]) -> dict[int, list[tuple[int, dict[str, float]]]]:
    found: dict[int, list[tuple[int, dict[str, float]]]] = {member: [] for member in range(len(recipes))}
    for event in train(recipes):
        match event:
            case Rows(step, members, values):
                for position, member in enumerate(members):
                    found[int(member)].append((step, {key: float(column[position]) for key, column in values.items()}))
            case End(member, status, step, theta, nonfinite):
                found[member].append((step, {"status": hash((status, nonfinite)), "theta": hash(theta.tobytes())}))
    return found


def assert_same_rows(one: list, other: list) -> None:
    assert [step for step, _ in one] == [step for step, _ in other]
    for (_, left), (_, right) in zip(one, other, strict=True):
        assert left.keys() == right.keys()
        np.testing.assert_array_equal(list(left.values()), list(right.values()))


@each_case
def test_a_stack_gives_every_member_what_it_gets_alone(path, case):
    lrs = (0.01, 0.1, 1e200)  # the last diverges, and leaves the stack
    recipes = [
        replace(job, optimizer_arguments={**job.optimizer_arguments, "lr": lr})
        for job in [compose(overrides(path, *case)).recipe]
        for lr in lrs
    ]
    together = rows_of(recipes)
    for member, recipe in enumerate(recipes):
        assert_same_rows(together[member], rows_of([recipe])[0])


def test_seeds_read_in_different_orders_and_train_in_different_stacks(path):
    jobs = [compose(overrides(path, f"seed={seed}", f"optimizer.lr={lr}")) for seed in (0, 1) for lr in (0.1, 0.2)]
    assert planning.stacks(jobs) == [[0, 1], [2, 3]]
    with pytest.raises(ValueError, match="expected one seed"):
        StreamedStack.start([job.recipe for job in jobs])


@each_case
def test_the_rows_of_the_trace_are_means_over_the_batches_since_the_row_before(path, case):
    recipe = compose(overrides(path, *case)).recipe
    plain = replace(recipe, plan=replace(recipe.plan, log_every=1))
    rows, single = rows_of([recipe])[0][:-1], dict(rows_of([plain])[0][:-1])
    stack = StreamedStack.start([recipe])
    for step, values in rows:
        start = max(0, (step - 1) // 7 * 7 + 1) if step else 0
        steps = range(start, step + 1)
        weights = [len(stack.feed.batch(each).X) for each in steps]
        for key in ("train/cost", f"train/{recipe.scored}"):
            mean = np.average([single[each][key] for each in steps], weights=weights)
            assert values[key] == pytest.approx(mean, rel=1e-5)
        for key in set(values) - {"train/cost", f"train/{recipe.scored}", "train/objective"}:
            np.testing.assert_array_equal(values[key], single[step][key])


@each_case
@pytest.mark.parametrize("stop_after", [3, 60 // 7 + 2])
def test_a_resumed_run_is_the_run_that_was_never_stopped(path, tmp_path, case, stop_after):
    job = overrides(path, *case, "training.checkpoint_every=5")
    whole = load(_recorded(job, tmp_path / "whole"))
    stop, count = sweep.Stop(), 0

    def after(record: Record) -> None:
        nonlocal count
        count += 1
        stop.asked = stop.asked or count >= stop_after

    sweep.run([sweep.Job(compose(job), tmp_path / "run", "stopped")], progress=after, stop=stop)
    _, record, checkpoint = resume.reopened(tmp_path / "run", [])
    assert checkpoint is not None
    events = train([record.experiment.recipe], resume=checkpoint)
    first = next(event for event in events if isinstance(event, Rows))  # the checkpoint's own row, made again
    column = whole["train/cost"][whole.steps.tolist().index(first.step)]
    assert first.values["train/cost"][0] == column
    events.close()  # type: ignore[attr-defined]
    sweep.resume(record, checkpoint)
    resumed = load(tmp_path / "run")
    assert resumed.steps.tolist() == whole.steps.tolist()
    assert replay.compare(whole, resumed, resumed=False) is None
    assert replay.compare(whole, run(job), resumed=False) is None


def _recorded(job: list[str], directory: Path) -> Path:
    sweep.run([sweep.Job(compose(job), directory, "run")])
    return directory


def test_the_first_nonfinite_value_is_the_same_at_every_cadence(path):
    job = ["optimizer=gd", "optimizer.lr=40", "fault=flipped_sign", "architecture.activation=relu"]
    found = [run(overrides(path, *job, f"training.log_every={every}")).nonfinite for every in (1, 7, 30)]
    assert found[0] is not None
    assert found[0] == found[1] == found[2]


def test_a_file_that_vanishes_is_an_error_of_its_run(path, tmp_path):
    job = sweep.Job(compose(overrides(path)), tmp_path / "run", "run")
    path.unlink()
    (result,) = sweep.run([job])
    assert result.status == "error"
    assert f"{path} can no longer be read (No such file or directory)" in str(result.error)
    assert journal.status(tmp_path / "run") == "error"


def test_a_file_that_changes_is_an_error_of_its_run(path, tmp_path):
    job = sweep.Job(compose(overrides(path)), tmp_path / "run", "run")
    with h5py.File(path, "a") as file:
        file["more"] = 1
    (result,) = sweep.run([job])
    assert "has changed since it was checked" in str(result.error)


@pytest.mark.parametrize("target", ["y", "amount"])
def test_what_a_user_is_told_of_the_rows_is_what_is_told_of_rows_in_memory(path, target):
    with h5py.File(path, "a") as file:
        file["X"][:, 2] *= 1e5
    own = [f"dataset.target={target}", "dataset.test_fraction=0"]
    streamed, whole = (compose(overrides(path, *own, f"dataset.stream={stream}")) for stream in ("true", "false"))
    assert survey.overview(streamed.dataset) == survey.overview(whole.dataset)
    assert survey.warnings(streamed.dataset) == survey.warnings(whole.dataset)
    assert "all are standardised" in survey.warnings(streamed.dataset)[0]


@pytest.mark.parametrize("fault", ["labels_shuffled", "dropout_at_test"])
def test_a_fault_that_needs_the_rows_in_memory_is_refused(path, fault):
    with pytest.raises(ConfigError, match=f"fault={fault} needs the rows in memory"):
        compose(overrides(path, f"fault={fault}"))


@pytest.mark.parametrize("fault", ["none", "flipped_sign", "transposed_weights", "current_activation", "frozen_layer"])
def test_a_fault_in_the_backward_pass_is_the_same_for_streamed_rows(path, fault):
    own = [f"fault={fault}", "architecture.hidden=[5,5]", "training.batch_size=230"]
    streamed, whole = (compose(overrides(path, *own, f"dataset.stream={stream}")) for stream in ("true", "false"))
    expected = Stack.start([whole.recipe]).gradient()
    np.testing.assert_allclose(StreamedStack.start([streamed.recipe]).gradient(), expected, rtol=1e-9, atol=1e-15)


def test_other_bits_in_the_file_are_other_data(path):
    before = compose(overrides(path)).data_digest
    with h5py.File(path, "a") as file:
        file["X"][N - 1, D - 1] += 1
    runner.experiment.data.loaded.cache_clear()
    assert compose(overrides(path)).data_digest != before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["training.batch_size=null"], "add training.batch_size=256"),
        (["dataset.inputs=bad"], r"'bad' in .*: row 123, column 2 \(counted from 0\) is nan; expected a finite number"),
        (["dataset.target=bad_y"], r"'bad_y' in .*: row 201 \(counted from 0\) is inf"),
        (["dataset.target=one"], "single class"),
        (["dataset.inputs=XX"], r"no dataset 'XX'; it holds .*did you mean 'X'"),
        (["dataset.target=X"], r"'X' in .* has shape \(230, 5\); expected \(230,\)"),
        (["dataset.inputs=columns"], r"lies in chunks of \(230, 1\): 230 rows must be read at once.*chunks=\(10, 5\)"),
        (["dataset.validation=0.9"], r"hold out 207 rows, .* expected at most 200"),
        (["dataset.test_inputs=X", "dataset.test_target=y"], r"'X' in .* has 230 rows, .* expected at most 200"),
        (
            ["dataset.test_inputs=X_test", "dataset.test_target=y_test", "dataset.test_fraction=0.1"],
            "its own test set of 20 rows; expected 0",
        ),
        (["dataset.test_fraction=0.001"], "holds out 0; expected a fraction that leaves rows on both sides"),
        (["dataset.target=rare", "dataset.test_fraction=0.5"], r"class 1.0 has no row among the 115 to train on"),
    ],
)
def test_what_cannot_be_streamed_is_refused(path, monkeypatch, more, message):
    monkeypatch.setattr(datasets.files.stream, "MOST_HELD_OUT_BYTES", 200 * D * 8)
    with h5py.File(path, "a") as file:
        bad, bad_y, rare = file["X"][()], np.arange(N) / 2, np.zeros(N)
        bad[123, 2], bad_y[201] = np.nan, np.inf
        held_out = datasets.files.stream.Split(0.5)
        rare[np.argmax(replace(_stream(path, file), split=held_out).part(0) == datasets.files.stream.TEST)] = 1
        file["bad"], file["bad_y"], file["one"], file["rare"] = bad, bad_y, np.zeros(N), rare
        file.create_dataset("columns", data=bad, chunks=(N, 1))
    if "dataset.inputs=columns" in more:
        monkeypatch.setattr(datasets.files.stream, "MOST_SPAN_BYTES", 100 * D * 8)
    with pytest.raises(ConfigError, match=message):
        compose(overrides(path, *more))


def _stream(path: Path, file: h5py.File) -> datasets.files.stream.Stream:
    return datasets.files.stream.Stream(path, "X", "y", (0, 0), N, D, 10, None)


LIMITED = """
    import resource, sys
    from runner import run
    import scipy.special, h5py, runner.experiment.data
    held = next(line for line in open("/proc/self/status") if line.startswith("VmData"))
    limit = int(held.split()[1]) * 1024 + 150_000_000
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))  # private memory that is written to; not the file cache
    print(run(sys.argv[1:]).status)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts all private memory towards RLIMIT_DATA")
def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "large.h5"
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        X = file.create_dataset("X", (375_000, 100), dtype="f8", chunks=(1000, 100))
        for start in range(0, len(X), 25_000):
            X[start : start + 25_000] = rng.normal(size=(25_000, 100))
        file["y"] = np.arange(len(X)) % 2
    job = ["dataset=h5", f"dataset.path={path}", "training.batch_size=1000", "training.epochs=1"]
    limited = [sys.executable, "-c", textwrap.dedent(LIMITED), *job, "dataset.scaling=standardise"]
    streamed = subprocess.run([*limited, "dataset.stream=true"], capture_output=True, text=True)
    assert streamed.stdout == "finished\n", streamed.stderr
    in_memory = subprocess.run([*limited, "dataset.stream=false"], capture_output=True, text=True)
    assert "Unable to allocate" in in_memory.stderr
