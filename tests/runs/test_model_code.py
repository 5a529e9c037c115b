"""The one file that a model is: the same bits as training, and nothing of the runner in it."""

import ast
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from runner.experiment.build import compose
from runner.experiment.schema import options
from runner.nn import activations, losses
from runner.nn.network import forward, make_pass
from runner.nn.types import affine_of
from runner.runs import model_code
from runner.runs.trace import traced
from runner.training.rows import prepare
from runner.training.stack import Stack

NAMES = list(options(activations, "Activation"))


def test_it_knows_every_activation_and_output() -> None:
    assert set(model_code.ACTIVATIONS) == set(NAMES)
    assert set(model_code.OUTPUTS) == set(losses.OUTPUTS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_its_functions_have_the_bits_of_trainings(dtype: type) -> None:
    rng = np.random.default_rng(0)
    Z = np.concatenate([rng.normal(size=(300, 7)) * scale for scale in (1e-3, 1, 30)]).astype(dtype)
    with np.errstate(all="ignore"):
        for name, function in options(activations, "Activation").items():
            expected = np.empty_like(Z)
            function().value(Z, expected)
            assert np.array_equal(model_code.ACTIVATIONS[name](Z), expected), name
        for name, output in losses.OUTPUTS.items():
            assert np.array_equal(model_code.OUTPUTS[name](Z), output.value(Z, np.empty_like(Z))), name


@pytest.mark.parametrize("dataset", ["flower", "spiral", "parity"])
@pytest.mark.parametrize("batch_size", ["null", "7"])
def test_a_network_answers_with_the_bits_of_trainings_last_forward_pass(dataset: str, batch_size: str) -> None:
    for activation, dtype in itertools.product(NAMES, ("float64", "float32")):
        overrides = [f"dataset={dataset}", f"architecture.activation={activation}", "architecture.hidden=[5,9]"]
        overrides += [f"dtype={dtype}", f"training.batch_size={batch_size}", "training.iterations=20"]
        recipe = compose([*overrides, "dataset.scaling=standardise"]).recipe
        trained = traced(compose([*overrides, "dataset.scaling=standardise"]))
        theta = np.concatenate([part.ravel() for layer in trained.weights for part in layer])[None]
        passed = make_pass(recipe.widths, prepare(recipe).sets["train"].X1, 1)
        forward(Stack.start([recipe]).network, affine_of(theta, recipe.widths), passed)
        raw = compose(overrides).dataset.train.X
        assert np.array_equal(trained.outputs(raw), passed.A[-1][0]), (activation, dtype)


def test_its_answers_are_right_as_often_as_training_said() -> None:
    for overrides in (["dataset=flower"], ["dataset=spiral"], ["dataset=xor"], ["dataset=parity", "init=he_normal"]):
        trained, rows = traced(compose(overrides)), compose(overrides).dataset
        assert rows.classes is not None
        right = trained.predict(rows.train.X) == np.asarray(rows.classes)[rows.train.y.astype(int)]
        assert right.mean() == trained["train/accuracy"][-1], overrides


def test_it_imports_numpy_and_scipy_only_until_mlflow_runs_it() -> None:
    tree = ast.parse(Path(model_code.__file__).read_text())
    at_the_top = {node.names[0].name.split(".")[0] for node in tree.body if isinstance(node, ast.Import)}
    at_the_top |= {str(node.module).split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert at_the_top - set(sys.stdlib_module_names) == {"numpy", "scipy"}


def test_rows_of_another_width_are_refused() -> None:
    trained = traced(compose(["dataset=xor", "training.iterations=1"]))
    with pytest.raises(ValueError, match=r"X must be \(n, 2\). Got \(4, 3\)."):
        trained.predict(np.ones((4, 3)))
