"""Lossless shrinking: training on coordinates of the rows is training on the features, to the last digits."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.command import python
from runner.experiment.build import compose
from runner.experiment.schema import options
from runner.nn import activations, faults, initializers, losses, optimizers, schedules, scores
from runner.nn.optimizers import clip_by_norm
from runner.nn.types import Array, layers_of
from runner.runs import resume, trace
from runner.runs.record import Record
from runner.sweeps import jobs as sweep
from runner.training import shrink
from runner.training.recipe import Data, Plan, Recipe
from runner.training.stack import Stack
from runner.training.train import Checkpoint, End, Rows, train

OPTIMIZERS = options(optimizers, "Optimizer")
ROTATING = ["gd", "momentum", "nesterov"]


def recipe(d: int = 40, n: int = 9, test: int = 3, optimizer: str = "gd", dtype: str = "float64", **others: Any):
    """A d-5-3-1 network on n + test random rows of d features."""
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((n + test, d)).astype(dtype), rng.integers(0, 2, n + test)
    Y = y[:, None].astype(dtype)
    sets = {"train": Data(X[:n], Y[:n], y[:n])} | ({"test": Data(X[n:], Y[n:], y[n:])} if test else {})
    plan = {key: others.pop(key) for key in list(others) if key in Plan.__dataclass_fields__}
    made = Recipe(
        sets=sets,
        widths=(d, 5, 3, 1),
        activation=activations.tanh(),
        head=losses.cross_entropy("sigmoid"),
        score=lambda A, data: scores.share_right(scores.nearest_label(A, np.array([0.0, 1.0])), data.y),
        optimizer=OPTIMIZERS[optimizer],
        schedule=schedules.constant(),
        plan=Plan(**{"iterations": 25, "batch_size": n, "log_every": 1} | plan),
        initializer=initializers.xavier_normal(bias_scale=0.1),
        optimizer_arguments={"lr": 0.2},
        dtype=dtype,  # type: ignore[arg-type]
    )
    return replace(made, **others)


def plain(job: Recipe) -> Recipe:
    return replace(job, plan=replace(job.plan, shrink=False))


def run(jobs: Sequence[Recipe]) -> tuple[list[dict[int, dict[str, float]]], list[End]]:
    rows: list[dict[int, dict[str, float]]] = [{} for _ in jobs]
    ends: dict[int, End] = {}
    for event in train(jobs):
        if isinstance(event, Rows):
            for position, member in enumerate(event.members):
                rows[member][event.step] = {key: float(value[position]) for key, value in event.values.items()}
        elif isinstance(event, End):
            ends[event.member] = event
    return rows, [ends[member] for member in range(len(jobs))]


def assert_lossless(job: Recipe, tolerance: float = 1e-12) -> None:
    """Every value of every row, and the final weights."""
    assert shrink.applies(job)
    [shrunk], [end] = run([job])
    [features], [own] = run([plain(job)])
    assert shrunk.keys() == features.keys()
    for step, values in features.items():
        assert shrunk[step].keys() == values.keys()
        for key, value in values.items():
            near = pytest.approx(value, rel=tolerance, abs=tolerance, nan_ok=True)
            assert shrunk[step][key] == near, f"{key} at {step}"
    assert end[1:3] == own[1:3]
    assert end.theta.shape == own.theta.shape
    assert end.theta.dtype == own.theta.dtype
    np.testing.assert_allclose(end.theta, own.theta, rtol=tolerance, atol=tolerance)


@settings(deadline=None, max_examples=60)
@given(
    optimizer=st.sampled_from(ROTATING),
    share=st.sampled_from([0.0, 0.5, 0.9]),
    batch_size=st.sampled_from([9, 4, 1]),
    l2=st.sampled_from([0.0, 0.01, 0.5]),
    dropout=st.sampled_from([0.0, 0.3]),
    clip=st.sampled_from([None, 0.05, 0.5]),
    schedule=st.sampled_from(["constant", "cosine"]),
    d=st.sampled_from([14, 40, 300]),
    test=st.sampled_from([0, 3]),
    seed=st.integers(0, 2**32 - 1),
)
def test_shrunk_equals_unshrunk(
    optimizer: str,
    share: float,
    batch_size: int,
    l2: float,
    dropout: float,
    clip: float | None,
    schedule: str,
    d: int,
    test: int,
    seed: int,
):
    arguments = {"lr": 0.2, "clip_norm": clip} | ({} if optimizer == "gd" else {"momentum": share})
    job = recipe(
        d, test=test, optimizer=optimizer, batch_size=batch_size, l2=l2, dropout=dropout, seed=seed,
        optimizer_arguments=arguments, schedule=options(schedules, "Schedule")[schedule](),
    )  # fmt: skip
    assert_lossless(job)


@pytest.mark.parametrize("name", options(activations, "Activation"))
def test_every_activation_shrinks(name: str):
    assert_lossless(recipe(activation=options(activations, "Activation")[name]()))


@pytest.mark.parametrize("name", [name for name, fault in options(faults, "Fault").items() if fault().rotates])
def test_faults_shrink(name: str):
    assert_lossless(recipe(fault=options(faults, "Fault")[name](), iterations=8), 1e-9)


@pytest.mark.parametrize("name", options(initializers, "Initializer"))
def test_every_initializer_shrinks(name: str):
    """Also where nothing, or next to nothing, of the weights lies outside the rows' span."""
    assert_lossless(recipe(initializer=options(initializers, "Initializer")[name](), l2=0.1))


def test_a_network_without_hidden_layers_shrinks():
    assert_lossless(recipe(widths=(40, 1), l2=0.1))


def test_rows_that_repeat_or_are_zero_shrink():
    job = recipe()
    X = job.sets["train"].X.copy()
    X[1], X[2], X[3] = X[0], 0, 2 * X[0] - X[4]
    assert_lossless(replace(job, sets={**job.sets, "train": job.sets["train"]._replace(X=X)}))


def test_initial_weights_within_the_span_of_the_rows_shrink():
    """Nothing is left outside: the length of what is there is rounding."""
    job = recipe(l2=0.1)
    directions = job.sets["train"].X.T[:, :5] / 10
    draws = iter([directions, np.full((5, 3), 0.3), np.full((3, 1), 0.2)] * 10)
    assert_lossless(replace(job, initializer=initializers.Initializer(lambda g, a, b: next(draws), 0.0)))


def test_float32_shrinks_within_its_own_digits():
    assert_lossless(recipe(dtype="float32"), 2e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_switches_itself_off_for_optimizers_that_look_at_each_parameter_alone(name: str):
    job = recipe(optimizer=name)
    assert shrink.applies(job) == (name in ROTATING)
    assert (shrink.describe(job) is None) == (name not in ROTATING)
    assert Stack.start([job]).theta.shape[1] == (13 if name in ROTATING else 40) * 5 + 5 + 18 + 4


@pytest.mark.parametrize("name", OPTIMIZERS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=20)
def test_an_optimizer_that_says_so_turns_its_steps_with_the_axes(name: str, seed: int):
    """update(g R) = update(g) R for an orthonormal R, and for no other optimizer."""
    rng = np.random.default_rng(seed)
    R, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    theta, gradients = rng.standard_normal((1, 6)), rng.standard_normal((4, 1, 6))

    def after(turn: Array, clip: float) -> Array:
        optimizer = OPTIMIZERS[name](lr=0.1)
        at, step = theta @ turn, np.empty((1, 6))
        state = optimizer.init(at)
        for g in gradients:
            state = optimizer.update(clip_by_norm(g @ turn, clip), state, at, 0.1, step)
            at = at - step
        return at

    turned = np.allclose(after(R, 0.5), after(np.eye(6), 0.5) @ R, rtol=1e-12, atol=1e-12)
    assert turned == OPTIMIZERS[name]().rotates


def test_it_is_off_where_it_would_not_pay_or_is_not_wanted():
    assert shrink.applies(recipe(d=14))
    assert not shrink.applies(recipe(d=13))  # 12 rows, and one for what they do not span
    assert not shrink.applies(plain(recipe()))
    assert shrink.describe(recipe()) == "trained on 12 coordinates instead of 40 features (lossless)"
    assert shrink.describe(plain(recipe())) is None


def test_a_stack_of_shrunk_members_trains_as_each_would_alone():
    rates = [{"lr": 0.1 * (k + 1)} for k in range(4)]
    jobs = [replace(recipe(test=0), seed=k, l2=0.01 * (k + 1), optimizer_arguments=rates[k]) for k in range(4)]
    jobs.append(replace(jobs[0], seed=9, optimizer_arguments={"lr": 1e200}))
    together, ends = run(jobs)
    assert [end.status for end in ends] == ["finished"] * 4 + ["diverged"]
    for job, rows, end in zip(jobs, together, ends, strict=True):
        [alone], [own] = run([job])
        assert str(rows) == str(alone)  # as text: a NaN is not equal to itself
        np.testing.assert_array_equal(end.theta, own.theta)
        assert end.nonfinite == own.nonfinite


def test_a_diverging_network_leaves_the_numbers_where_it_would_have():
    job = recipe(l2=0.01, activation=activations.relu(), head=losses.mean_squared_error("identity"), iterations=60)
    job = replace(job, optimizer_arguments={"lr": 1e6})
    [end], [own] = run([job])[1], run([plain(job)])[1]
    assert end[1:3] == own[1:3]
    assert end.status == "diverged"
    assert end.nonfinite == own.nonfinite


@pytest.mark.parametrize("optimizer", ROTATING)
def test_a_shrunk_run_goes_on_from_a_checkpoint_bit_for_bit(optimizer: str):
    job = recipe(optimizer=optimizer, batch_size=4, l2=0.1, checkpoint_every=6, log_every=3)
    whole = list(train([job]))
    for checkpoint in [event for event in whole if isinstance(event, Checkpoint)]:
        resumed = list(train([job], resume=checkpoint))
        np.testing.assert_array_equal(resumed[-1].theta, whole[-1].theta)  # type: ignore[union-attr]


def test_before_the_first_update_the_weights_are_the_drawn_ones_to_the_last_bit():
    job = recipe(l2=0.1)
    np.testing.assert_array_equal(Stack.start([job]).parameters(0), job.initial_parameters())


def test_what_lies_outside_the_rows_span_only_decays():
    """Without L2 it stays; with L2 each unit's part keeps its direction."""
    job = recipe(test=0)
    X = job.sets["train"].X
    outside = np.eye(40) - np.linalg.pinv(X) @ X

    def part(theta: Array) -> Array:
        return outside @ layers_of(theta[None], job.widths)[0].W[0]

    [end], [decayed] = run([job])[1], run([replace(job, l2=0.1)])[1]
    start = part(job.initial_parameters())
    np.testing.assert_allclose(part(end.theta), start, atol=1e-14)
    np.testing.assert_allclose(part(decayed.theta), (1 - 0.2 * 0.1) ** 25 * start, atol=1e-13)


def test_the_configuration_switches_it_off_and_that_is_another_run(data_files: dict[str, list[str]]):
    on = compose(["experiment=course/cats", *data_files["cats"]])
    off = compose(["experiment=course/cats", *data_files["cats"], "training.shrink=false"])
    assert shrink.applies(on.recipe)
    assert not shrink.applies(off.recipe)
    assert on.key() != off.key()
    assert on.stack_key() != off.stack_key()


def test_a_shrunk_run_is_recorded_by_features_and_resumed_bit_for_bit(data_files: dict[str, list[str]], tmp_path: Path):
    overrides = ["experiment=course/cats", *data_files["cats"], "training.iterations=300", "architecture.l2=0.1"]
    whole = python.run(overrides)
    assert whole.weights[0][0].shape == (48, 20)
    stop = sweep.Stop()

    def after(record: Record) -> None:
        stop.asked = True

    sweep.run([sweep.Job(compose(overrides), tmp_path / "run", "stopped")], progress=after, stop=stop)
    _, record, checkpoint = resume.reopened(tmp_path / "run", [])
    sweep.resume(record, checkpoint)
    again = trace.load(tmp_path / "run")
    for (W, b), (W2, b2) in zip(whole.weights, again.weights, strict=True):
        np.testing.assert_array_equal(W, W2)
        np.testing.assert_array_equal(b, b2)


@pytest.mark.slow
def test_the_cats_are_the_same_cats(cats_dir: Path):
    job = compose(["experiment=course/cats", f"dataset.dir={cats_dir}", "training.iterations=100"]).recipe
    assert shrink.describe(job) == "trained on 259 coordinates instead of 12288 features (lossless)"
    assert_lossless(job)
