"""The training loop: which steps are logged, what a step is, and how a member ends."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.experiment.schema import options
from runner.nn import activations, initializers, losses, optimizers, schedules, scores
from runner.training.recipe import Data, Plan, Recipe
from runner.training.stack import Stack
from runner.training.train import Checkpoint, End, Event, Rows, train
from runner.training.trainable import Snapshot

OPTIMIZERS = options(optimizers, "Optimizer")
RATIOS = ["update_ratio/layer_1", "update_ratio/layer_2"]


def recipe(iterations: int = 20, log_every: int = 1, lr: float = 0.5, optimizer: str = "gd", **others: Any) -> Recipe:
    """A 2-3-1 tanh network on nine random points."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((9, 2)), rng.integers(0, 2, 9)
    plan = {key: others.pop(key) for key in list(others) if key in Plan.__dataclass_fields__}
    made = Recipe(
        sets={"train": Data(X, y[:, None].astype(float), y)},
        widths=(2, 3, 1),
        activation=activations.tanh(),
        head=losses.cross_entropy("sigmoid"),
        score=lambda A, data: scores.share_right(scores.nearest_label(A, np.array([0.0, 1.0])), data.y),
        optimizer=OPTIMIZERS[optimizer],
        schedule=schedules.constant(),
        plan=Plan(**{"iterations": iterations, "batch_size": 9, "log_every": log_every} | plan),
        initializer=initializers.xavier_normal(),
        optimizer_arguments={"lr": lr},
    )
    return replace(made, **others)


def rows(events: list[Event], member: int = 0) -> dict[int, dict[str, float]]:
    """The trace of a member: its values by metric, by step, as they came. No step comes twice."""
    found: dict[int, dict[str, float]] = {}
    for event in events:
        if isinstance(event, Rows) and member in event.members:
            position = int(np.flatnonzero(event.members == member)[0])
            assert event.step not in found, f"step {event.step} was logged twice"
            found[event.step] = {key: float(value[position]) for key, value in event.values.items()}
    return found


def end(events: list[Event], member: int = 0) -> End:
    [found] = [event for event in events if isinstance(event, End) and event.member == member]
    return found


def run(job: Recipe) -> tuple[dict[int, dict[str, float]], End]:
    events = list(train([job]))
    return rows(events), end(events)


def diverging(log_every: int = 1, **others: Any) -> Recipe:
    """Squared errors of an unbounded output at a rate far beyond what their curvature bears."""
    job = recipe(3000, log_every, lr=0.9, initializer=initializers.normal(scale=1.0), **others)
    return replace(job, activation=activations.identity(), head=losses.mean_squared_error("identity"))


@settings(deadline=None)
@given(iterations=st.integers(1, 30), log_every=st.integers(1, 40))
def test_the_first_every_so_manieth_the_last_but_one_and_the_last_step_are_logged(iterations: int, log_every: int):
    found, ended = run(recipe(iterations, log_every))
    expected = {*range(0, iterations, log_every), iterations - 1, iterations}
    assert list(found) == sorted(expected)
    assert (ended.status, ended.step, ended.nonfinite) == ("finished", iterations, None)


def test_every_row_but_the_last_has_the_size_of_the_update_that_follows_it():
    found, _ = run(recipe(10, 3))
    for step, values in found.items():
        assert [key for key in values if key.startswith("update_ratio")] == ([] if step == 10 else RATIOS)
    assert all(values.keys() - set(RATIOS) == found[10].keys() for values in found.values())


def test_a_row_has_the_metrics_of_every_set_and_layer():
    job = recipe(1)
    sets = {**job.sets, "val": job.sets["train"], "test": job.sets["train"]}
    found, _ = run(replace(job, sets=sets, l2=0.1))
    parts = {f"{part}/{kind}" for part in sets for kind in ("cost", "accuracy")}
    layers = {f"{kind}/layer_{layer}" for kind in ("grad_norm", "weight_norm", "update_ratio") for layer in (1, 2)}
    assert found[0].keys() == parts | layers | {"train/objective", "grad_norm"}
    assert "train/objective" not in run(job)[0][0]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_is_the_number_of_updates_before_the_value_was_taken(optimizer: str):
    """Row t of the trace is what a stack measures that was advanced t times by hand; the end has N updates."""
    job = recipe(7, 2, optimizer=optimizer, batch_size=4)
    found, ended = run(job)
    by_hand = Stack.start([job])
    for step in range(8):
        assert by_hand.step == step
        if step in found:
            for key, value in by_hand.measure().values.items():
                assert found[step][key] == value[0], f"{key} at {step}"
        if step < 7:
            by_hand.advance(by_hand.gradient())
    np.testing.assert_array_equal(ended.theta, by_hand.theta[0])


def test_step_zero_is_the_untrained_network():
    job = recipe(3)
    events = list(train([job]))
    assert rows(events)[0]["train/cost"] == Stack.start([job]).measure().values["train/cost"][0]
    still, ended = run(replace(job, optimizer_arguments={"lr": 1e-300}))
    assert still[0]["train/cost"] == still[3]["train/cost"]
    np.testing.assert_allclose(ended.theta, job.initial_parameters(), atol=1e-290)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("others", [{}, {"batch_size": 4}, {"dropout": 0.3}, {"batch_size": 4, "dropout": 0.3}])
def test_what_is_logged_changes_nothing(optimizer: str, others: dict[str, Any]):
    """Whatever log_every, the values at common steps and the weights are equal to the last bit."""
    job = recipe(40, 1, optimizer=optimizer, **others)
    reference, weights = run(job)
    for log_every in (7, 1000):
        found, ended = run(replace(job, plan=replace(job.plan, log_every=log_every)))
        assert all(found[step] == reference[step] for step in found)
        np.testing.assert_array_equal(ended.theta, weights.theta)


def test_the_same_recipe_gives_the_same_bits_and_another_seed_gives_others():
    job = recipe(20, batch_size=2, dropout=0.2)
    first, again, other = run(job), run(job), run(replace(job, seed=1))
    assert first[0] == again[0] != other[0]
    np.testing.assert_array_equal(first[1].theta, again[1].theta)


def test_training_lowers_the_cost():
    found, _ = run(recipe(300, 300))
    assert found[300]["train/cost"] < found[0]["train/cost"] / 2


def checkpoints(events: list[Event]) -> list[Checkpoint]:
    return [event for event in events if isinstance(event, Checkpoint)]


@pytest.mark.parametrize("log_every", [1, 6, 1000])
@pytest.mark.parametrize("every", [1, 4, 7, 100])
def test_a_checkpoint_at_each_multiple_of_its_cadence_has_the_state_at_the_last_logged_step(every: int, log_every: int):
    events = list(train([recipe(20, log_every, checkpoint_every=every)]))
    logged = list(rows(events))
    expected = [max(row for row in logged if row < step) for step in range(1, 21) if step % every == 0]
    assert [checkpoint.state.step for checkpoint in checkpoints(events)] == expected


def copied(checkpoint: Checkpoint) -> Checkpoint:
    state = checkpoint.state
    return checkpoint._replace(state=Snapshot(state.step, state.members, state.theta.copy(), state.memory))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    "others", [{}, {"batch_size": 4, "dropout": 0.3}, {"patience": 9, "optimizer_arguments": {"lr": 9.0}}]
)
def test_training_goes_on_from_a_checkpoint_as_if_it_had_never_stopped(optimizer: str, others: dict[str, Any]):
    jobs = [recipe(20, 3, optimizer=optimizer, checkpoint_every=5, seed=seed, **others) for seed in range(2)]
    whole = list(train(jobs))
    taken = [checkpoint for checkpoint in checkpoints(whole) if len(checkpoint.state.members) == 2]
    assert taken
    for checkpoint in taken:
        resumed = list(train(jobs, resume=copied(checkpoint)))
        for member in range(2):
            start, own = checkpoint.state.step, rows(whole, member)
            assert rows(resumed, member) == {step: values for step, values in own.items() if step >= start}
            assert end(resumed, member)[:3] == end(whole, member)[:3]
            np.testing.assert_array_equal(end(resumed, member).theta, end(whole, member).theta)


@pytest.mark.parametrize("log_every", [1, 3, 1000])
def test_a_diverging_member_that_goes_on_from_a_checkpoint_ends_as_it_would_have(log_every: int):
    job = diverging(log_every, checkpoint_every=2)
    job = replace(job, plan=replace(job.plan, iterations=40))
    whole = list(train([job]))
    for checkpoint in checkpoints(whole):
        resumed = list(train([job], resume=copied(checkpoint)))
        assert end(resumed)[1:3] == end(whole)[1:3]
        assert end(resumed).nonfinite == end(whole).nonfinite
        again = {step: values for step, values in rows(whole).items() if step >= checkpoint.state.step}
        assert str(rows(resumed)) == str(again)  # as text: a NaN is not equal to itself


def test_a_checkpoint_does_not_change_as_training_goes_on():
    events = train([recipe(20, checkpoint_every=5)])
    kept = next(event for event in events if isinstance(event, Checkpoint))
    before = kept.state.theta.copy()
    list(events)
    np.testing.assert_array_equal(kept.state.theta, before)


def test_a_checkpoint_can_be_resumed_from_more_than_once():
    job = recipe(20, checkpoint_every=5)
    [checkpoint, *_] = checkpoints(list(train([job])))
    ends = [end(list(train([job], resume=checkpoint))) for _ in range(2)]
    np.testing.assert_array_equal(ends[0].theta, ends[1].theta)


def test_a_stop_leaves_a_checkpoint_from_which_training_goes_on():
    asked = iter(range(100))
    stopped = list(train([recipe(20, 4)], lambda: next(asked) == 10))
    [checkpoint] = checkpoints(stopped)
    assert checkpoint.state.step == 8
    _, whole = run(recipe(20, 4))
    np.testing.assert_array_equal(end(list(train([recipe(20, 4)], resume=checkpoint))).theta, whole.theta)


@pytest.mark.parametrize("stop_at", [0, 1, 5, 6, 19, 20])
@pytest.mark.parametrize("log_every", [1, 6, 1000])
def test_a_stop_ends_all_members_as_interrupted_at_that_step(stop_at: int, log_every: int):
    """`should_stop` is asked before each step; it says yes when it has said no `stop_at` times."""
    asked = iter(range(1000))
    events = list(train([recipe(20, log_every), recipe(20, log_every, seed=1)], lambda: next(asked) == stop_at))
    full, _ = run(recipe(20, log_every))
    for member in range(2):
        assert (end(events, member).status, end(events, member).step) == ("interrupted", stop_at)
    assert rows(events) == {step: values for step, values in full.items() if step < stop_at}
    by_hand = Stack.start([recipe(20)])
    for _ in range(stop_at):
        by_hand.advance(by_hand.gradient())
    np.testing.assert_array_equal(end(events).theta, by_hand.theta[0])


def test_early_stopping_waits_for_its_patience_and_no_longer():
    """At a rate of 30 the cost goes up and down: it stops when its best is `patience` steps old."""
    job = recipe(500, lr=30.0, patience=6)
    found, ended = run(job)
    costs = [values["train/cost"] for values in run(replace(job, plan=replace(job.plan, patience=None)))[0].values()]
    ages = [step - int(np.argmin(costs[: step + 1])) for step in range(len(costs))]  # of the best so far
    step = ages.index(6)
    assert ended.status == "finished"
    assert ended.step == step + 1 < 500
    assert max(found) == ended.step  # the final weights have a row of their own
    assert [values["train/cost"] for values in found.values()] == costs[: step + 2]
    assert not set(RATIOS) & found[ended.step].keys()


def test_early_stopping_can_watch_a_score_that_is_to_rise():
    """A network that cannot learn (a rate of almost nothing) never gets better than at step 0."""
    job = recipe(50, lr=1e-300, patience=7, objective="train/accuracy", mode="max")
    assert run(job)[1].step == 8
    rising = replace(job, plan=replace(job.plan, objective="weight_norm/layer_1"), optimizer_arguments={"lr": 0.5})
    weights = [values["weight_norm/layer_1"] for values in run(rising)[0].values()]
    assert (np.diff(weights[:5]) > 0).all()


def test_a_member_that_keeps_getting_better_is_not_stopped():
    assert run(recipe(60, lr=0.05, patience=1))[1].step == 60


@pytest.mark.parametrize("log_every", [1, 7, 1000])
@pytest.mark.parametrize("others", [{}, {"batch_size": 4}, {"dropout": 0.3}])
def test_the_end_of_a_diverging_member_does_not_depend_on_what_is_logged(log_every: int, others: dict[str, Any]):
    reference, exact = run(diverging(1, **others))
    found, ended = run(diverging(log_every, **others))
    assert exact.status == "diverged"
    assert 7 < exact.step < 3000
    assert (ended.status, ended.step, ended.nonfinite) == ("diverged", exact.step, exact.nonfinite)
    np.testing.assert_array_equal(ended.theta, exact.theta)
    assert exact.nonfinite is not None
    bad = exact.nonfinite.step
    assert list(found) == sorted(found)
    assert set(range(0, exact.step, log_every)) | {bad - 1, bad, exact.step} <= set(found)
    for step in found:  # a NaN is not equal to itself
        same = {key: value for key, value in found[step].items() if not np.isnan(value)}
        assert same.items() <= reference[step].items()


def test_the_last_row_of_a_diverged_member_is_that_of_its_first_weights_that_are_no_numbers():
    found, ended = run(diverging())
    assert list(found) == list(range(ended.step + 1))
    assert not np.isfinite(ended.theta).all()
    by_hand = Stack.start([diverging()])
    with np.errstate(all="ignore"):
        while by_hand.step < ended.step:
            assert np.isfinite(by_hand.theta).all()
            by_hand.advance(by_hand.gradient())
    np.testing.assert_array_equal(by_hand.theta[0], ended.theta)


def test_members_that_diverge_or_finish_each_get_one_end_and_their_own_rows():
    jobs = [replace(diverging(5), optimizer_arguments={"lr": lr}) for lr in (1e-3, 0.9, 2e-3, 1e30, 3e-3)]
    events = list(train(jobs))
    assert Counter(event.member for event in events if isinstance(event, End)) == dict.fromkeys(range(5), 1)
    assert [end(events, member).status for member in range(5)] == ["finished", "diverged"] * 2 + ["finished"]
    for member in range(5):
        steps = list(rows(events, member))
        assert steps == sorted(steps)
        assert steps[-1] == end(events, member).step


def test_a_member_whose_cost_is_infinite_goes_on_while_its_weights_are_numbers_and_has_diverged():
    """w is held at 1e160 (the rate is next to nothing): the cost is inf from the start, for all the 10 steps."""
    job = recipe(10, 4, lr=1e-300, head=losses.mean_squared_error("identity"))
    job = replace(job, initializer=initializers.normal(scale=1e80), activation=activations.identity())
    found, ended = run(job)
    assert (ended.status, ended.step) == ("diverged", 10)
    assert ended.nonfinite is not None
    assert (ended.nonfinite.step, ended.nonfinite.array) == (0, "cost")
    assert list(found) == [0, 4, 8, 9, 10]
    assert np.isfinite(ended.theta).all()


def leaving_as_patience_runs_out() -> tuple[dict[int, dict[str, float]], End]:
    """The rate is nothing at step 0 and 1e300 at step 1: there the cost is not better, and then the weights are inf."""
    job = recipe(50, lr=1e300, patience=1, head=losses.mean_squared_error("identity"))
    job = replace(job, schedule=schedules.Schedule(lambda t, total: 0.0 if t == 0 else 1.0))
    return run(replace(job, initializer=initializers.normal(scale=1e10), activation=activations.identity()))


def test_the_final_row_of_a_member_that_stops_early_is_of_its_final_weights_even_where_they_are_no_numbers():
    found, ended = leaving_as_patience_runs_out()
    assert list(found) == [0, 1, 2]
    assert ended.step == 2
    assert np.isfinite(found[1]["train/cost"])
    assert not np.isfinite(ended.theta).all()
    assert not np.isfinite(found[2]["train/cost"])


def test_a_member_that_leaves_the_numbers_as_its_patience_runs_out_has_diverged():
    assert leaving_as_patience_runs_out()[1].status == "diverged"


def test_nothing_warns_in_a_training_that_overflows():
    """Warnings are errors in these tests: overflow is a result here."""
    assert run(diverging())[1].status == "diverged"
