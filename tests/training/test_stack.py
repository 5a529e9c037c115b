"""The stack: K networks trained as one set of arrays are, bit for bit, the K networks trained one at a time."""

import inspect
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runner.experiment import build
from runner.experiment.schema import options
from runner.nn import activations, faults, initializers, losses, optimizers, schedules, scores
from runner.nn.losses import OUTPUTS, PROBABILITIES
from runner.nn.network import penalty
from runner.training.recipe import Data, Plan, Recipe
from runner.training.stack import Stack
from runner.training.train import Checkpoint, End, Rows, train
from runner.training.trainable import Snapshot, select

ACTIVATIONS = options(activations, "Activation")
OPTIMIZERS = options(optimizers, "Optimizer")
INITIALIZERS = options(initializers, "Initializer")
SCHEDULES = options(schedules, "Schedule")
FAULTS = options(faults, "Fault")
LOSSES = options(losses, "Head")
HEADS = [
    (output, loss)
    for output, loss in product(OUTPUTS, LOSSES)
    if output in PROBABILITIES or not loss.startswith("cross_entropy")
]
# What slows a rate down within the dozen steps of a random job.
PACES: dict[str, dict[str, Any]] = {"step": {"every": 2}, "exponential": {"half_life": 3.0}}


class Told(NamedTuple):
    """Everything that train() said of one member."""

    rows: list[tuple[int, dict[str, Any]]]
    checkpoints: list[tuple[int, Any]]
    end: End


def told(recipes: list[Recipe]) -> list[Told]:
    """train(), sorted by member."""
    rows: list[list] = [[] for _ in recipes]
    checkpoints: list[list] = [[] for _ in recipes]
    ends: dict[int, End] = {}
    for event in train(recipes):
        if isinstance(event, Rows):
            for position, member in enumerate(event.members):
                rows[member].append((event.step, {key: value[position] for key, value in event.values.items()}))
        elif isinstance(event, Checkpoint):
            state = event.state
            for position, member in enumerate(state.members):
                arrays = [part[position] if isinstance(part, np.ndarray) else part for part in state.memory]
                own = [state.theta[position], *arrays, event.best[position], event.best_step[position]]
                checkpoints[member].append((state.step, own))
        else:
            ends[event.member] = event
    return [Told(rows[member], checkpoints[member], ends[member]) for member in range(len(recipes))]


def assert_the_same(stacked: Told, alone: Told) -> None:
    """Steps, values, states and weights, to the last bit."""
    assert [step for step, _ in stacked.rows] == [step for step, _ in alone.rows]
    for (step, values), (_, own) in zip(stacked.rows, alone.rows, strict=True):
        assert values.keys() == own.keys()
        for key in values:
            assert np.array_equal(values[key], own[key], equal_nan=True), f"{key} at step {step}"
    assert [step for step, _ in stacked.checkpoints] == [step for step, _ in alone.checkpoints]
    for (step, state), (_, own_state) in zip(stacked.checkpoints, alone.checkpoints, strict=True):
        for part, own_part in zip(state, own_state, strict=True):
            assert np.array_equal(part, own_part, equal_nan=True), f"checkpoint at {step}"
    assert stacked.end[1:3] == alone.end[1:3]  # status and step
    assert stacked.end.nonfinite == alone.end.nonfinite
    assert stacked.end.theta.dtype == alone.end.theta.dtype
    assert np.array_equal(stacked.end.theta, alone.end.theta, equal_nan=True)


def assert_stack_size_is_unobservable(recipes: list[Recipe]) -> None:
    for member, stacked in enumerate(told(recipes)):
        assert_the_same(stacked, told([recipes[member]])[0])


def shared_parts(rng: np.random.Generator) -> Recipe:
    """A random job: what all its members have in common."""

    def one_of(choices):
        return choices[rng.integers(len(choices))]

    n, d = one_of([1, 2, 3, 4, 5, 8, 9, 16, 31, 64, 100, 209]), one_of([1, 2, 3, 5, 8, 16, 33, 64, 130])
    hidden = [one_of([1, 2, 3, 4, 5, 8, 9, 16, 20, 33, 64]) for _ in range(rng.integers(4))]
    output, loss = one_of(HEADS)
    outputs = one_of([2, 3, 5] if output == "softmax" else [1, 1, 2, 3])
    dtype = one_of(["float64", "float32"])
    X = rng.standard_normal((n, d)).astype(dtype)
    y = rng.integers(0, outputs, n) if output == "softmax" else rng.integers(0, 2, n)
    Y = np.eye(outputs)[y] if output == "softmax" else rng.integers(0, 2, (n, outputs))
    sets = {"train": Data(X, Y.astype(dtype), y)}
    if rng.random() < 0.3:
        sets["test"] = Data(X[::-1].copy(), Y[::-1].astype(dtype), y[::-1].copy())
    schedule = one_of(list(SCHEDULES))
    activation = one_of(list(ACTIVATIONS))
    meets = faults.Meets((d, *hidden, outputs), activation, output, loss)
    possible = [name for name in FAULTS if FAULTS[name]().impossible(meets) is None]
    return Recipe(
        sets=sets,
        widths=(d, *hidden, outputs),
        activation=ACTIVATIONS[activation](),
        head=LOSSES[loss](output),
        score=lambda A, data: scores.share_right(scores.most_probable(A), data.y),
        optimizer=OPTIMIZERS[one_of(list(OPTIMIZERS))],
        schedule=SCHEDULES[schedule](**PACES.get(schedule, {}), warmup=one_of([0, 0, 3])),
        plan=Plan(
            iterations=int(rng.integers(1, 13)),
            batch_size=min(n, one_of([n, n, 1, 2, 3, 8, max(1, n // 2)])),
            log_every=one_of([1, 1, 2, 3, 100]),
            checkpoint_every=one_of([None, 2, 3]),
            patience=one_of([None, None, 1, 3]),
            objective=one_of(["train/cost", "grad_norm"]),
            mode=one_of(["min", "max"]),
        ),
        initializer=initializers.zeros(),
        fault=FAULTS[one_of(["none"] * len(possible) + possible)](),
        dtype=dtype,
    )


def members_of(rng: np.random.Generator, shared: Recipe, K: int) -> list[Recipe]:
    """What each member has of its own: seed, initial weights, rates. One in ten has a rate that must diverge."""
    parameters = inspect.signature(shared.optimizer).parameters
    clips, drops, regularised = rng.random() < 0.4, rng.random() < 0.3, rng.random() < 0.3
    highest = 150 if shared.dtype == "float64" else 25
    members = []
    for _ in range(K):
        arguments = {name: rng.uniform(0, 0.99) for name in parameters if name in ("momentum", "beta1", "rho")}
        arguments |= {name: rng.uniform(0.5, 0.9999) for name in parameters if name == "beta2"}
        arguments |= {name: rng.choice([0.0, 0.01, 0.3]) for name in parameters if name == "weight_decay"}
        arguments |= {name: rng.choice([1e-8, 1e-3]) for name in parameters if name == "epsilon"}
        arguments["lr"] = 10 ** (rng.uniform(-3, 1) if rng.random() < 0.9 else rng.uniform(5, highest))
        initializer = INITIALIZERS[rng.choice(list(INITIALIZERS))]
        members.append(
            replace(
                shared,
                initializer=initializer(scale=rng.uniform(0.1, 3), bias_scale=rng.choice([0.0, 0.5])),
                optimizer_arguments={name: float(value) for name, value in arguments.items()}
                | ({"clip_norm": float(rng.uniform(0.05, 2))} if clips else {}),
                l2=float(10 ** rng.uniform(-4, -1)) if regularised else 0.0,
                dropout=float(rng.uniform(0.05, 0.7)) if drops and len(shared.widths) > 2 else 0.0,
                seed=int(rng.integers(2**32)),
                rng=rng.choice(["default", "legacy"]),
            )
        )
    return members


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32 - 1), K=st.sampled_from([2, 3, 4, 5, 8, 16]))
@example(seed=0, K=64)
def test_k_members_train_as_each_would_alone(seed: int, K: int):
    """Over activations, heads, optimizers, batches, dtypes, dropout, L2, clipping, schedules, patience, divergence."""
    rng = np.random.default_rng(seed)
    assert_stack_size_is_unobservable(members_of(rng, shared_parts(rng), K))


def small(activation: str = "tanh", optimizer: str = "gd", n: int = 7, d: int = 3, hidden=(4,), **others) -> Recipe:
    """A job with one sigmoid output that says nothing about what is left to the defaults."""
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((n, d)), rng.integers(0, 2, n)
    dtype = others.get("dtype", "float64")
    plan = {"iterations": 8, "batch_size": n, "log_every": 1} | others.pop("plan", {})
    recipe = Recipe(
        sets={"train": Data(X.astype(dtype), y[:, None].astype(dtype), y)},
        widths=(d, *hidden, 1),
        activation=ACTIVATIONS[activation](),
        head=losses.cross_entropy("sigmoid"),
        score=lambda A, data: scores.share_right(scores.nearest_label(A, np.array([0.0, 1.0])), data.y),
        optimizer=OPTIMIZERS[optimizer],
        schedule=schedules.constant(),
        plan=Plan(**plan),
        initializer=initializers.xavier_normal(),
    )
    return replace(recipe, **others)


def seeds(recipe: Recipe, K: int = 5) -> list[Recipe]:
    return [replace(recipe, seed=seed) for seed in range(K)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_stacks(activation: str, dtype: str):
    assert_stack_size_is_unobservable(seeds(small(activation, dtype=dtype)))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch_size", [7, 3, 1])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_stacks_with_a_rate_and_a_clip_of_each_members_own(optimizer: str, batch_size: int, dtype: str):
    recipe = small(optimizer=optimizer, dtype=dtype, plan={"batch_size": batch_size})
    clips = [{"lr": 0.1 * (k + 1), "clip_norm": 0.1 * (k + 1)} for k in range(5)]
    assert_stack_size_is_unobservable(
        [replace(member, optimizer_arguments=arguments) for member, arguments in zip(seeds(recipe), clips, strict=True)]
    )


@pytest.mark.parametrize(
    ("n", "d", "hidden"), [(1, 1, ()), (1, 5, (1,)), (64, 1, (1, 1)), (33, 17, (64,)), (5, 64, ())]
)
@pytest.mark.parametrize("K", [2, 7, 64])
@pytest.mark.parametrize("batched", [False, True])
def test_the_shapes_for_which_blas_has_paths_of_their_own_stack(K: int, n: int, d: int, hidden, batched: bool):
    """One row, one input, one output: matrix-vector products and dot products in place of matrix products."""
    batch_size = max(1, n // 2) if batched else n
    assert_stack_size_is_unobservable(seeds(small(n=n, d=d, hidden=hidden, plan={"batch_size": batch_size}), K))


@pytest.mark.parametrize("name", ["l2", "dropout"])
def test_members_with_and_without_l2_or_dropout_have_the_weights_that_they_have_alone(name: str):
    """Where some members have none, what is logged still has the objective of those that have."""
    members = [replace(recipe, **{name: 0.2 * (k % 2)}) for k, recipe in enumerate(seeds(small()))]
    for member, stacked in enumerate(told(members)):
        [alone] = told([members[member]])
        np.testing.assert_array_equal(stacked.end.theta, alone.end.theta)
        assert [values["train/cost"] for _, values in stacked.rows] == [
            values["train/cost"] for _, values in alone.rows
        ]


@pytest.mark.parametrize("batch_size", [7, 3])
def test_a_member_that_diverges_leaves_the_others_alone(batch_size: int):
    recipe = small(
        "relu", head=losses.mean_squared_error("identity"), plan={"iterations": 60, "batch_size": batch_size}
    )
    rates = [0.01, 1e200, 0.02, 1e12, 0.03]
    members = [replace(recipe, seed=k, optimizer_arguments={"lr": lr}) for k, lr in enumerate(rates)]
    assert [one.end.status for one in told(members)] == ["finished", "diverged", "finished", "diverged", "finished"]
    assert_stack_size_is_unobservable(members)


def test_a_member_that_stops_early_leaves_the_others_alone():
    recipe = small(plan={"iterations": 40, "patience": 5})
    rates = [0.05, 30.0, 0.1, 60.0]
    members = [replace(recipe, seed=k, optimizer_arguments={"lr": lr}) for k, lr in enumerate(rates)]
    assert len({one.end.step for one in told(members)}) > 1
    assert_stack_size_is_unobservable(members)


def test_the_check_of_this_law_notices_a_reduction_over_the_members():
    """A head that divides by a mean over all members: what the law forbids."""
    head = losses.cross_entropy("sigmoid")
    mixed = head._replace(dZ=lambda Z, A, Y, out: head.dZ(Z, A, Y) / (1 + 1e-12 * A.mean()))
    with pytest.raises(AssertionError):
        assert_stack_size_is_unobservable(seeds(small(head=mixed)))


DATASETS = ["xor", "parity", "flower dataset.n=80", "spiral dataset.n=90", "parity dataset.n=5 dataset.code=signs"]


@pytest.mark.slow
@pytest.mark.parametrize("dataset", DATASETS)
def test_the_law_holds_on_forty_random_jobs_of_each_dataset(dataset: str):
    name, *settings_ = dataset.split()
    sets = build.compose([f"dataset={name}", *settings_]).recipe.sets
    for seed in range(40):
        rng = np.random.default_rng(seed)
        shared = shared_parts(rng)
        sigmoid = sets["train"].Y.shape[1] == 1
        dtyped = {key: Data(*(part.astype(shared.dtype) for part in data[:2]), data.y) for key, data in sets.items()}
        n, d = dtyped["train"].X.shape
        output, loss = ("sigmoid" if sigmoid else "softmax"), rng.choice(list(LOSSES))
        plan = replace(shared.plan, iterations=60, batch_size=int(rng.choice([n, max(1, n // 3), 1])))
        job = replace(
            shared,
            sets=dtyped,
            widths=(d, *shared.widths[1:-1], dtyped["train"].Y.shape[1]),
            head=LOSSES[loss](output),
            plan=plan,
        )
        assert_stack_size_is_unobservable(members_of(rng, job, int(rng.choice([2, 5, 16, 33, 64]))))


def stack(recipe: Recipe) -> Stack:
    return Stack.start([recipe])


def test_the_gradient_has_the_l2_of_each_member_in_it():
    members = [replace(small(), l2=l2) for l2 in (0.0, 0.1, 2.0)]
    at = Stack.start(members)
    g, theta = at.gradient(), at.theta
    weights = np.zeros_like(theta[0])
    weights[:12], weights[16:20] = 1, 1
    for k, member in enumerate(members):
        np.testing.assert_allclose(g[k] - g[0], member.l2 * theta[k] * weights, atol=1e-15)
    np.testing.assert_allclose(
        at.measure().values["train/objective"] - at.measure().values["train/cost"], penalty(at.network, at.layers)
    )


@given(n=st.integers(1, 20), batch_size=st.integers(1, 20), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_an_epoch_sees_every_row_once_in_an_order_of_its_own(n: int, batch_size: int, seed: int):
    batch_size = min(n, batch_size)
    recipe = small(n=n, d=1, seed=seed, plan={"batch_size": batch_size})
    X = np.arange(n, dtype=float)[:, None]
    at = stack(replace(recipe, sets={"train": Data(X, X, X[:, 0])}))
    orders = []
    for _ in range(2):
        seen: list[float] = []
        for _ in range(-(-n // batch_size)):
            passed, Y = at.batch()
            rows = passed.inputs[0][..., :-1]
            np.testing.assert_array_equal(np.broadcast_to(rows, Y.shape), Y)
            np.testing.assert_array_equal(passed.inputs[0][..., -1], 1)
            assert rows.shape[-2] <= batch_size
            seen += rows.ravel().tolist()
            at.step += 1
        assert sorted(seen) == X.ravel().tolist()
        orders.append(seen)
    if batch_size < n and n > 12:
        assert orders[0] != orders[1] != sorted(orders[1])


def test_dropouts_masks_keep_the_mean_and_are_a_function_of_seed_and_step():
    recipe = small(n=200, hidden=(50, 30), dropout=0.3)
    at, other = stack(recipe), stack(replace(recipe, seed=1))
    masks = at.masks(200)
    assert [mask.shape for mask in masks] == [(1, 200, 50), (1, 200, 30)]
    assert np.unique(masks[0]).tolist() == [0.0, 1 / 0.7]
    assert np.mean([(mask == 0).mean() for mask in masks]) == pytest.approx(0.3, abs=0.015)
    np.testing.assert_array_equal(masks[0], at.masks(200)[0])
    assert (masks[0] != other.masks(200)[0]).any()
    at.step += 1
    assert (masks[0] != at.masks(200)[0]).any()


def test_nothing_is_dropped_where_costs_are_measured():
    measured = [stack(small(dropout=dropout)).measure().values["train/cost"] for dropout in (0.0, 0.5)]
    np.testing.assert_array_equal(*measured)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_snapshot_goes_on_exactly_where_it_was_taken(optimizer: str):
    """With mini-batches and dropout: everything random is a function of seed and step."""
    members = seeds(small(optimizer=optimizer, dropout=0.2, plan={"batch_size": 2, "iterations": 30}), 3)
    at = Stack.start(members)
    for _ in range(9):
        at.advance(at.gradient())
    saved = at.snapshot()
    later = Stack(members[1:2], select(saved, np.array([1])))
    for _ in range(9):
        at.advance(at.gradient())
        later.advance(later.gradient())
    np.testing.assert_array_equal(at.theta[1], later.theta[0])
    assert saved.step == 9
    assert (saved.theta != at.theta).any()


def test_a_legacy_seed_draws_what_published_programs_draw():
    theta = small(rng="legacy", seed=3, initializer=initializers.normal(scale=0.01)).initial_parameters()
    generator = np.random.RandomState(3)
    np.testing.assert_array_equal(theta[:12].reshape(3, 4), generator.randn(4, 3).T * 0.01)
    np.testing.assert_array_equal(theta[16:20].reshape(4, 1), generator.randn(1, 4).T * 0.01)
    assert (theta[12:16] == 0).all()
    assert theta[20] == 0


def test_an_update_follows_the_schedule_and_the_clip():
    recipe = small(schedule=schedules.step(every=1, factor=0.5), optimizer_arguments={"lr": 0.4, "clip_norm": 0.01})
    at = stack(recipe)
    for rate in (0.4, 0.2, 0.1):
        g = at.gradient().copy()
        assert np.linalg.norm(g) > 0.01
        np.testing.assert_allclose(at.advance(g), rate * 0.01 * g / np.linalg.norm(g), rtol=1e-12)


def test_the_update_ratio_is_the_change_relative_to_the_weights_before_it():
    at = stack(small(optimizer_arguments={"lr": 0.4}))
    before, norms = at.theta.copy(), at.measure().weight_norms
    change = at.advance(at.gradient())
    ratios = at.update_ratios(change, norms)
    expected = [
        np.linalg.norm(change[0, part]) / np.linalg.norm(before[0, part]) for part in (slice(12), slice(16, 20))
    ]
    np.testing.assert_allclose([ratios["update_ratio/layer_1"][0], ratios["update_ratio/layer_2"][0]], expected)


def test_where_there_were_no_weights_there_is_no_ratio():
    at = stack(small(initializer=initializers.zeros()))
    norms = at.measure().weight_norms
    assert np.isnan(at.update_ratios(at.advance(at.gradient()), norms)["update_ratio/layer_1"][0])


def test_the_norms_are_of_each_layers_weights_and_of_the_full_sets_gradient():
    at = stack(small(plan={"batch_size": 2}))
    values = at.measure().values
    full = stack(small()).gradient()
    assert values["grad_norm"][0] == pytest.approx(np.linalg.norm(full), rel=1e-14)
    assert values["grad_norm/layer_1"][0] == pytest.approx(np.linalg.norm(full[0, :16]), rel=1e-14)
    assert values["weight_norm/layer_2"][0] == pytest.approx(np.linalg.norm(at.theta[0, 16:20]), rel=1e-14)


def test_selecting_members_copies_them():
    at = Stack.start(seeds(small(), 3))
    keep = np.array([2, 0])
    chosen = at.again([at.recipes[member] for member in keep], select(at.snapshot(), keep))
    chosen.advance(chosen.gradient())
    assert chosen.members.tolist() == [2, 0]
    np.testing.assert_array_equal(at.theta, Stack.start(seeds(small(), 3)).theta)
    assert isinstance(at.snapshot(), Snapshot)
