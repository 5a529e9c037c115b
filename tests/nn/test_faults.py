"""Faults: the mistakes that people make, each one found by what it changes and by nothing else."""

import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.diagnosis.gradient.check import check_recipe
from runner.experiment.build import compose
from runner.experiment.schema import ConfigError, options
from runner.nn import activations, faults, initializers, losses, optimizers, schedules
from runner.nn.faults import Meets
from runner.nn.types import Array
from runner.training import shrink
from runner.training.recipe import Data, Plan, Recipe
from runner.training.stack import Stack
from runner.training.train import Checkpoint, End, Rows, train
from runner.training.trainable import map_arrays

FAULTS = options(faults, "Fault")
OPTIMIZERS = options(optimizers, "Optimizer")
n, d = 12, 6
# Where every fault but those of one activation, or of one output, can be.
WIDTHS = (d, 5, 5, 3)
MEETS = Meets(WIDTHS, "tanh", "softmax", "cross_entropy", l2=0.01)
POSSIBLE = [name for name in FAULTS if FAULTS[name]().impossible(MEETS) is None]
BACKWARD = [name for name in FAULTS if FAULTS[name].__module__.endswith("backward") and FAULTS[name]().kind]


def recipe(name: str, widths: tuple[int, ...] = WIDTHS, optimizer: str = "gd", **others: Any) -> Recipe:
    """A job with every place in which a fault can be: L2, dropout, mini-batches, a test set."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, widths[0])), rng.integers(0, widths[-1], n)
    Y = np.eye(widths[-1])[y] if widths[-1] > 1 else (y[:, None] + np.arange(n)[:, None]) % 2.0
    fault = FAULTS[name]()
    sets: Any = {"train": Data(X[:9], Y[:9], y[:9]), "test": Data(X[9:], Y[9:], y[9:])}
    plan = {key: others.pop(key) for key in list(others) if key in Plan.__dataclass_fields__}
    arguments: dict[str, Any] = {"lr": 0.1}
    made = Recipe(
        sets=fault.sets(sets) if fault.sets else sets,
        widths=widths,
        activation=activations.tanh(),
        head=losses.cross_entropy("softmax" if widths[-1] > 1 else "sigmoid"),
        score=lambda A, data: np.mean(A[..., 0], axis=1),
        optimizer=OPTIMIZERS[optimizer],
        schedule=schedules.constant(),
        plan=Plan(**{"iterations": 8, "batch_size": 9, "log_every": 3} | plan),
        initializer=initializers.xavier_normal(bias_scale=0.1),
        fault=fault,
        optimizer_arguments=fault.arguments(arguments) if fault.arguments else arguments,
        l2=0.01,
    )
    return replace(made, **others)


def told(recipes: Sequence[Recipe], resume: Checkpoint | None = None):
    """Rows, the first checkpoint after the start, and the final parameters, all of the first member."""
    rows, checkpoints, theta = {}, [], np.empty(0)
    for event in train(recipes, resume=resume):
        if isinstance(event, Rows):
            rows[event.step] = {key: value[0] for key, value in event.values.items()}
        elif isinstance(event, Checkpoint):
            checkpoints.append(event)
        elif isinstance(event, End) and event.member == 0:
            theta = event.theta
    return rows, checkpoints, theta


def test_at_least_twenty_faults_each_with_its_yaml_and_a_docstring(root: Path):
    assert len(FAULTS) > 20
    assert {path.stem for path in (root / "conf" / "fault").glob("*.yaml")} == set(FAULTS)
    assert all(function.__doc__ for function in FAULTS.values())
    assert FAULTS["none"]() == faults.Fault()._replace(
        layer=FAULTS["none"]().layer, impossible=FAULTS["none"]().impossible
    )


HARMLESS = ("none", "relu_derivative_one_at_zero")  # the latter but for ReLU
IN_RECIPES = [name for name in POSSIBLE if name not in HARMLESS and not FAULTS[name]().architecture]


@pytest.mark.parametrize("name", IN_RECIPES)
def test_every_fault_changes_what_a_run_gives(name: str):
    healthy, faulty = told([recipe("none")]), told([recipe(name)])
    assert any(
        not np.array_equal(healthy[0][step][key], faulty[0][step][key], equal_nan=True)
        for step in faulty[0]
        for key in faulty[0][step]
    )


@pytest.mark.parametrize("batch_size", [9, 4])
@pytest.mark.parametrize("name", POSSIBLE)
def test_a_faulty_member_of_a_stack_trains_as_it_would_alone(name: str, batch_size: int):
    jobs = [replace(recipe(name, batch_size=batch_size, dropout=0.3), seed=seed) for seed in range(3)]
    together, alone = told(jobs), told(jobs[:1])
    assert together[0].keys() == alone[0].keys()
    for step, values in alone[0].items():
        for key, value in values.items():
            assert np.array_equal(value, together[0][step][key], equal_nan=True), f"{key} at {step}"
    assert np.array_equal(together[2], alone[2], equal_nan=True)


@pytest.mark.parametrize("optimizer", ["gd", "adam"])
@pytest.mark.parametrize("name", POSSIBLE)
def test_a_faulty_run_that_is_gone_on_with_is_the_run_that_was_never_stopped(name: str, optimizer: str):
    """Through pickle, as between the processes of a sweep."""
    job = recipe(name, optimizer=optimizer, batch_size=4, checkpoint_every=5)
    rows, [checkpoint, *_], theta = told([job])
    memory = Stack.start([job]).memory  # a checkpoint on disk is read into the type that a fresh stack has
    checkpoint = pickle.loads(pickle.dumps(checkpoint))
    assert type(memory) is type(checkpoint.state.memory)
    resumed, _, end = told([job], checkpoint)
    assert resumed
    for step, values in resumed.items():
        for key, value in values.items():
            assert np.array_equal(value, rows[step][key], equal_nan=True), f"{key} at {step}"
    assert np.array_equal(end, theta, equal_nan=True)


@pytest.mark.parametrize("name", POSSIBLE)
def test_shrinking_is_exact_with_a_fault_or_off(name: str):
    job = recipe(name, widths=(40, 5, 5, 3))
    assert shrink.applies(job) == FAULTS[name]().rotates
    rows, _, theta = told([job])
    plain, _, own = told([replace(job, plan=replace(job.plan, shrink=False))])
    for step, values in plain.items():
        for key, value in values.items():
            assert rows[step][key] == pytest.approx(value, rel=1e-8, abs=1e-10, nan_ok=True), f"{key} at {step}"
    np.testing.assert_allclose(theta, own, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", BACKWARD)
def test_a_fault_of_the_backward_pass_leaves_outputs_and_cost_alone(name: str):
    if name in ("softmax_over_rows", "relu_derivative_one_at_zero") or name not in POSSIBLE:
        return
    costs = [Stack.start([recipe(fault)]).measure().values for fault in ("none", name)]
    assert costs[0]["train/cost"] == costs[1]["train/cost"]
    assert costs[0]["test/accuracy"] == costs[1]["test/accuracy"]


@pytest.mark.parametrize("name", [name for name in POSSIBLE if FAULTS[name]().kind])
def test_the_check_names_the_kind_and_the_layer(name: str):
    fault = FAULTS[name]()
    found = check_recipe(recipe(name))
    assert not found.ok
    assert found.mistake is not None
    assert (found.mistake.kind, found.mistake.layer) == (fault.kind, fault.layer(MEETS))


@pytest.mark.parametrize("name", [name for name in POSSIBLE if not FAULTS[name]().kind])
def test_the_check_finds_nothing_in_a_fault_that_leaves_gradient_and_update_right(name: str):
    assert check_recipe(recipe(name)).ok


def test_a_faulty_derivative_of_relu_shows_at_the_kink_and_only_there():
    """With X = 0 and b = 0 every hidden z is 0 exactly: the right gradient of the hidden biases is 0."""

    def gradient(name: str, X: float) -> Array:
        job = recipe(name, (d, 4, 1), activation=activations.relu(), initializer=initializers.xavier_normal(), l2=0.0)
        data = job.sets["train"]
        return Stack.start([replace(job, sets={"train": data._replace(X=data.X * X)})]).gradient()[0]

    wrong, bias = "relu_derivative_one_at_zero", slice(4 * d, 4 * d + 4)
    np.testing.assert_array_equal(gradient("none", 1.0), gradient(wrong, 1.0))
    assert (gradient("none", 0.0)[bias] == 0).all()
    assert (gradient(wrong, 0.0)[bias] != 0).all()


@given(a=st.floats(0.01, 0.99), y=st.sampled_from([0.0, 1.0]))
def test_the_posts_derivatives_are_wrong_by_their_one_sign_or_factor(a: float, y: float):
    """By the logit, a - y is right. The missing 1 - a makes of label 0 a (1 - a) / a = 1 - a; the sign, -a."""
    head = losses.cross_entropy_from_probabilities("sigmoid")
    A, Y, Z = np.array([[[a]]]), np.array([[[y]]]), np.log(np.array([[[a]]]) / (1 - a))

    def dZ(name: str) -> float:
        change = FAULTS[name]().head
        assert change is not None
        return float(change(head).dZ(Z, A, Y)[0, 0, 0])

    assert dZ("missing_one_minus_a") == pytest.approx(a - 1 if y else 1 - a)
    assert dZ("flipped_sign") == pytest.approx(a - 1 if y else -a)


@pytest.mark.parametrize(
    ("name", "factor"),
    [("summed_gradient", 9), ("halved_gradient", 0.5), ("averaged_twice", 1 / 9), ("output_sign", -1)],
)
def test_the_whole_gradient_is_a_multiple_of_the_right_one(name: str, factor: float):
    of = [Stack.start([recipe(fault, l2=0.0)]).gradient() for fault in (name, "none")]
    np.testing.assert_allclose(of[0], factor * of[1], rtol=1e-13)


def test_biases_that_are_not_updated_stay_what_they_were():
    job = recipe("bias_not_updated", optimizer="adam")
    start, [_, _, end] = job.initial_parameters(), told([job])
    b1 = slice(d * 5, d * 5 + 5)
    assert (start[b1] != 0).all()
    np.testing.assert_array_equal(end[b1], start[b1])
    assert (end[: d * 5] != start[: d * 5]).all()


def test_an_accumulated_gradient_is_the_sum_of_all_so_far():
    stack = Stack.start([recipe("accumulated_gradient")])
    g = np.ones_like(stack.theta)
    for count in (1, 2, 3):
        np.testing.assert_allclose(stack.advance(g), 0.1 * count * g)
    assert map_arrays(np.copy, stack.memory).summed[0, 0] == 3


def test_symmetric_units_stay_equal():
    _, _, theta = told([recipe("symmetric_init", iterations=20)])
    W2 = theta[d * 5 + 5 : d * 5 + 5 + 25].reshape(5, 5)
    np.testing.assert_allclose(W2, W2[:1].repeat(5, axis=0), atol=1e-12)


def test_faults_in_the_data_change_what_their_names_say():
    right = recipe("none").sets

    def wrong(name: str, **arguments) -> Any:
        sets = FAULTS[name](**arguments).sets
        assert sets is not None
        return sets(right)

    half = wrong("labels_shuffled", severity=0.5)
    moved = (half["train"].Y != right["train"].Y).any(axis=1)
    assert 0 < moved.sum() <= 4
    np.testing.assert_array_equal(half["train"].Y.argmax(axis=1), half["train"].y)
    np.testing.assert_array_equal(half["test"].Y, right["test"].Y)
    assert (wrong("labels_shuffled", seed=1)["train"].Y != wrong("labels_shuffled", seed=2)["train"].Y).any()
    np.testing.assert_array_equal(wrong("inputs_unscaled", severity=10.0)["test"].X, 10 * right["test"].X)
    np.testing.assert_array_equal(wrong("unscaled_test", severity=10.0)["train"].X, right["train"].X)
    np.testing.assert_array_equal(wrong("unscaled_test", severity=10.0)["test"].X, 10 * right["test"].X)
    assert (wrong("feature_lost")["train"].X == 0).all(axis=0).sum() == 1
    assert len(np.unique(wrong("constant_inputs")["train"].X, axis=0)) == 1
    off = wrong("labels_off_by_one")["train"].Y
    np.testing.assert_array_equal(off[:, 1:], right["train"].Y[:, :-1])
    assert (off[:, 0] == 0).all()
    assert wrong("labels_out_of_range")["train"].Y.max() == 255


@pytest.mark.parametrize("seed", range(20))
def test_shuffled_labels_are_not_what_they_were(seed: int):
    """Of the four labels of XOR, a third of all permutations change nothing."""
    right, wrong = (
        compose(["dataset=xor", *fault]).recipe for fault in ([], ["fault=labels_shuffled", f"fault.seed={seed}"])
    )
    assert (right.sets["train"].Y != wrong.sets["train"].Y).any()


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("dataset", ["xor", "spiral"])
def test_every_fault_builds_from_its_yaml_or_says_why_not(dataset: str, name: str):
    try:
        made = compose([f"dataset={dataset}", f"fault={name}", "architecture=deep", "training.iterations=3"])
    except ConfigError as error:
        [problem] = error.problems
        assert problem.startswith(f"fault={name} ")
        assert problem.endswith(".")
        return
    assert made.config["fault"]["name"] == name


def test_faults_in_the_configuration():
    healthy = compose(["dataset=spiral", "architecture=deep"])
    narrow, linear = (
        compose(["dataset=spiral", "architecture=deep", f"fault={name}"]) for name in ("too_narrow", "linear_net")
    )
    assert narrow.recipe.widths == (2, 1, 1, 1, 3)
    assert linear.activation == "identity"
    assert linear.recipe.widths == healthy.recipe.widths
    fast = compose(["dataset=spiral", "fault=rate_too_high", "fault.severity=10", "optimizer.lr=0.02"])
    assert fast.recipe.optimizer_arguments["lr"] == pytest.approx(0.2)


def test_jobs_of_a_sweep_share_faulty_data():
    a, b = (compose(["fault=labels_shuffled", f"seed={seed}"]).recipe.sets for seed in (0, 1))
    assert a is b


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["fault=softmax_over_rows", "dataset=xor"], "fault=softmax_over_rows is one of softmax"),
        (["fault=current_activation", "dataset=xor"], "needs two hidden layers of the same width"),
        (["fault=derivative_missing", "architecture=logistic"], "architecture.hidden=[]"),
        (
            ["fault=derivative_twice", "architecture.activation=relu"],
            "changes nothing with architecture.activation=relu",
        ),
        (["fault=l2_left_out"], "architecture.l2=0"),
        (
            ["fault=inputs_unscaled", "fault.severity=0"],
            "fault.severity of inputs_unscaled must be a number in (0, inf)",
        ),
        (["fault=labels_shuffled", "fault.severity=2"], "fault.severity of labels_shuffled must be a number in (0, 1]"),
    ],
)
def test_a_fault_that_a_network_cannot_have_is_refused(overrides: list[str], problem: str):
    with pytest.raises(ConfigError) as error:
        compose(overrides)
    assert problem in str(error.value)
