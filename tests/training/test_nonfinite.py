"""The first value that is no number: the exact step, layer and array, of cases made so that they are known."""

from dataclasses import replace

import numpy as np
import pytest

from runner.nn import activations, initializers, losses, optimizers, schedules
from runner.nn.initializers import Initializer
from runner.training.nonfinite import NonFinite
from runner.training.recipe import Data, Plan, Recipe
from runner.training.stack import Stack
from runner.training.train import End, Rows, train

X = np.array([[1.0], [2.0], [-1.0]])
Y = np.array([[0.0], [0.0], [1.0]])


def recipe(weights: list[float], lr: float = 0.1, hidden: tuple[int, ...] = (1,), **others) -> Recipe:
    """A network of one unit a layer, 1-1-1 unless told otherwise, whose first weights are these; biases are 0."""
    values = iter(weights * 100)  # for every time that it is drawn
    made = Recipe(
        sets={"train": Data(X, Y, Y[:, 0])},
        widths=(1, *hidden, 1),
        activation=activations.identity(),
        head=losses.mean_squared_error("identity"),
        score=lambda A, data: np.zeros(len(A)),
        optimizer=optimizers.gd,
        schedule=schedules.constant(),
        plan=Plan(iterations=20, batch_size=3, log_every=1),
        initializer=Initializer(lambda generator, fan_in, fan_out: np.full((fan_in, fan_out), next(values)), 0.0),
        optimizer_arguments={"lr": lr},
    )
    return replace(made, **others)


def first(job: Recipe) -> NonFinite | None:
    """What is first in the untrained network."""
    with np.errstate(all="ignore"):
        return Stack.start([job]).first_nonfinite()


def ended(job: Recipe) -> tuple[End, list[int]]:
    events = list(train([job]))
    assert isinstance(events[-1], End)
    return events[-1], [event.step for event in events if isinstance(event, Rows)]


def test_finite_numbers_are_none():
    assert first(recipe([1.0, 1.0])) is None


def test_looking_leaves_the_stack_as_it_is():
    at, untouched = (Stack.start([recipe([1e200, 1e200])]) for _ in range(2))
    with np.errstate(all="ignore"):
        at.first_nonfinite()
    np.testing.assert_array_equal(at.theta, untouched.theta)
    np.testing.assert_array_equal(at.g, untouched.g)
    assert at.step == 0


def test_z_of_the_second_layer_overflows_where_both_weights_are_huge():
    """z1 = 1e200 is a number, z2 = 1e400 is none; what follows passes it on."""
    assert first(recipe([1e200, 1e200])) == NonFinite(0, 2, "Z", "dZ")


def test_z_of_the_first_layer_overflows_first():
    assert first(recipe([1.5e308, 1e-300])) == NonFinite(0, 1, "Z", "dZ")


def test_a_bad_weight_comes_before_what_it_is_used_for():
    at = Stack.start([recipe([1.0, 1.0, 1.0], hidden=(1, 1))])
    at.layers.Wb[1][0, -1] = np.nan
    with np.errstate(all="ignore"):
        assert at.first_nonfinite() == NonFinite(0, 2, "b", None)
        at.layers.Wb[1][0, :-1] = np.inf
        assert at.first_nonfinite() == NonFinite(0, 2, "W", None)
        at.layers.Wb[0][0, :-1] = np.inf
        assert at.first_nonfinite() == NonFinite(0, 1, "W", None)


def test_a_saturated_sigmoid_makes_the_cost_infinite_and_the_output_derivative_the_first_bad_gradient():
    """The flower post: z = 40 for a row with y = 0, so 1 - a is 0 exactly."""
    job = recipe([40.0, 1.0], head=losses.cross_entropy_from_probabilities("sigmoid"))
    assert first(job) == NonFinite(0, 2, "cost", "dZ")


def test_from_the_logits_the_same_network_has_nothing_bad():
    assert first(recipe([40.0, 1.0], head=losses.cross_entropy("sigmoid"))) is None


def test_a_cost_that_overflows_while_its_gradient_does_not_has_no_bad_gradient():
    """a = 1e160: its square is inf, its derivative 2e160. dW2 is bad only where it is multiplied by a1 = 1e220."""
    assert first(recipe([1e220, 1e-60])) == NonFinite(0, 2, "cost", "dW")
    assert first(recipe([1e160], hidden=())) == NonFinite(0, 1, "cost", None)


def test_an_activation_that_gives_no_number_is_named_itself():
    square = activations.Activation(np.square, lambda Z, A, out: np.multiply(2, Z, out=out))
    assert first(recipe([1e200, 1.0], activation=square)) == NonFinite(0, 1, "A", "dZ")


def on(X: np.ndarray, Y: np.ndarray) -> dict[str, Data]:
    return {"train": Data(X, Y, Y[:, 0])}


def test_dw_overflows_where_both_the_inputs_and_the_residuals_are_large():
    """z = 1 and the cost is 1e300, but dw = x dz = 1e200 times 1e150."""
    job = recipe([1e-200], hidden=(), sets=on(np.full((1, 1), 1e200), np.full((1, 1), 1e150)))
    assert first(job) == NonFinite(0, 1, "dW", "dW")


def test_dz_of_a_hidden_layer_overflows_on_the_way_back():
    """dz1 = dz2 w2 = 1e150 times 1e200, after layer 2's gradients, which are numbers."""
    job = recipe([1e-200, 1e200], sets=on(np.ones((1, 1)), np.full((1, 1), 1e150)))
    assert first(job) == NonFinite(0, 1, "dZ", "dZ")


def test_db_overflows_where_only_the_sum_over_the_rows_does():
    head = losses.mean_squared_error("identity")
    steep = head._replace(dZ=lambda Z, A, Y, out: np.add(0 * Z, 1e308, out=out))
    job = recipe([1.0], hidden=(), head=steep, sets=on(np.full((3, 1), 1e-10), np.zeros((3, 1))))
    assert first(job) == NonFinite(0, 1, "db", "db")


@pytest.mark.parametrize("log_every", [1, 7, 1000])
def test_the_steps_around_the_first_bad_value_and_the_last_one_are_logged(log_every: int):
    """J = (w x)² at x² = 2, y = 0 has dw = 4 w, so that each update multiplies w by -4 lr."""
    zeros = on(np.full((3, 1), np.sqrt(2.0)), np.zeros((3, 1)))
    job = recipe([1e-120], lr=1e140, hidden=(), sets=zeros, plan=Plan(20, 3, log_every))
    end, steps = ended(job)
    # w: 1e-120, 4e20, 1.6e161 (its square: inf), 6e301, then beyond 1.8e308.
    assert end.nonfinite == NonFinite(2, 1, "cost", None)
    assert (end.status, end.step) == ("diverged", 4)
    assert steps == sorted(set(steps))
    assert {0, 1, 2, 4} <= set(steps) <= {0, 1, 2, 3, 4}


@pytest.mark.parametrize("log_every", [1, 7, 1000])
def test_the_updated_weights_are_named_where_nothing_before_them_was_bad(log_every: int):
    """dw = 4e10 and the rate is 1e300: only their product is beyond float64."""
    job = recipe([1e10], lr=1e300, hidden=(), plan=Plan(20, 3, log_every))
    end, steps = ended(job)
    assert end.nonfinite == NonFinite(1, 1, "W", None)
    assert (end.status, end.step) == ("diverged", 1)
    assert steps == [0, 1]
    assert not np.isfinite(end.theta).all()


@pytest.mark.parametrize("log_every", [1, 7, 1000])
@pytest.mark.parametrize("batch_size", [3, 2])
def test_the_first_bad_step_does_not_depend_on_where_one_looks(log_every: int, batch_size: int):
    job = recipe(
        [0.5, -0.5, 0.3],
        lr=2.0,
        hidden=(1, 1),
        initializer=initializers.xavier_normal(scale=3.0),
        plan=Plan(500, batch_size, log_every),
    )
    reference, _ = ended(replace(job, plan=replace(job.plan, log_every=1)))
    end, steps = ended(job)
    assert reference.nonfinite is not None
    assert (end.nonfinite, end.status, end.step) == (reference.nonfinite, "diverged", reference.step)
    assert steps == sorted(set(steps))
    np.testing.assert_array_equal(end.theta, reference.theta)
