"""`python -m runner.check`: what is right passes, what is wrong is named, and the exit code says which."""

import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.command import check
from runner.diagnosis.gradient.check import check_recipe, scratch
from runner.diagnosis.gradient.measure import RHO_TOLERANCE, Check
from runner.experiment.build import compose, compose_with
from runner.experiment.compose import Composer
from runner.experiment.schema import options
from runner.nn import activations, losses

ROOT = Path(__file__).resolve().parents[2]
DATASETS = sorted(path.stem for path in (ROOT / "conf" / "dataset").glob("*.yaml"))
PRESETS = sorted(
    path.relative_to(ROOT / "conf" / "experiment").with_suffix("").as_posix()
    for path in (ROOT / "conf" / "experiment").glob("*/*.yaml")  # script.yaml needs a script
)
COMBINATIONS = [
    (activation, output, loss, l2, dropout, hidden)
    for activation, output, loss, l2, dropout, hidden in product(
        options(activations, "Activation"),
        losses.OUTPUTS,
        options(losses, "Head"),
        (0.0, 0.1),
        (0.0, 0.4),
        ("4", "5,5,3"),
    )
    if output in losses.PROBABILITIES or not loss.startswith("cross_entropy")
]


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


def checked(composer: Composer, dataset: str, files: dict[str, list[str]], combination: tuple[Any, ...]) -> Check:
    activation, output, loss, l2, dropout, hidden = combination
    overrides = [
        f"dataset={dataset}", *files.get(dataset, []), f"architecture.activation={activation}",
        f"architecture.output={output}", f"architecture.loss={loss}", f"architecture.l2={l2}",
        f"architecture.dropout={dropout}", f"architecture.hidden=[{hidden}]", "allow_unreachable_labels=true",
    ]  # fmt: skip
    return check.check_experiment(compose_with(composer, overrides))


def assert_right(found: Check) -> None:
    assert found.ok
    assert found.mistake is None
    for layer in found.layers:
        assert np.isnan(layer.rho) or abs(layer.rho - 1) < RHO_TOLERANCE
        assert layer.relative_error < 1e-7


@pytest.mark.parametrize("dataset", DATASETS)
def test_what_is_shipped_passes(dataset: str, composer: Composer, data_files: dict[str, list[str]]) -> None:
    """A sample of all combinations, another one for every data set; the slow test below has them all."""
    generator = np.random.default_rng(DATASETS.index(dataset))
    for index in generator.choice(len(COMBINATIONS), 12, replace=False):
        assert_right(checked(composer, dataset, data_files, COMBINATIONS[index]))


@pytest.mark.slow
@pytest.mark.parametrize("turn", [0, 5])
def test_everything_that_is_shipped_passes(turn: int, composer: Composer, data_files: dict[str, list[str]]) -> None:
    """Every combination on two data sets: of a data set the check sees its width and its number of classes alone."""
    for index, combination in enumerate(COMBINATIONS):
        dataset = DATASETS[(index + turn) % len(DATASETS)]
        assert_right(checked(composer, dataset, data_files, combination))


@pytest.mark.parametrize("preset", [name for name in PRESETS if not name.endswith("cats")])
def test_a_preset_passes_exactly_where_its_backward_pass_is_right(preset: str, composer: Composer) -> None:
    experiment = compose_with(composer, [f"experiment={preset}"])
    found = check.check_experiment(experiment)
    if experiment.config["fault"]["name"] == "none":
        assert_right(found)
    else:
        assert not found.ok
        assert found.mistake is not None
        assert found.mistake.kind == experiment.recipe.fault.kind


@pytest.mark.slow
def test_the_real_cats_pass_without_shrinking_in_every_layer(cats_dir: Path) -> None:
    for preset in ("posts/cats", "course/cats"):
        assert_right(check_recipe(compose([f"experiment={preset}", f"dataset.dir={cats_dir}"]).recipe))


@pytest.mark.parametrize("seed", range(30))
def test_relu_gives_no_false_alarm_at_any_fresh_start(seed: int, composer: Composer) -> None:
    overrides = ["dataset=spiral", "architecture.hidden=[9,6]", "architecture.activation=relu", f"seed={seed}"]
    assert_right(check.check_experiment(compose_with(composer, overrides)))


def test_the_copy_is_standardised_whole_double_and_without_dropout() -> None:
    overrides = ["dataset=spiral", "dtype=float32", "training.batch_size=7", "architecture.dropout=0.5"]
    recipe = compose([*overrides, "fault=inputs_unscaled"]).recipe
    copy = scratch(recipe)
    X = copy.sets["train"].X
    assert X.dtype == np.float64
    np.testing.assert_allclose([X.mean(axis=0), X.std(axis=0)], [[0, 0], [1, 1]], atol=1e-6)
    assert (copy.plan.batch_size, copy.dropout, copy.dtype) == (len(X), 0.0, "float64")
    assert recipe.sets["train"].X.dtype == np.float32


def command(*overrides: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "runner.check", *overrides]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True)


def test_a_right_gradient_exits_0() -> None:
    done = command("dataset=xor", "architecture.hidden=[3]")
    assert done.returncode == 0, done.stderr
    assert "xor (4 rows)  2-3-1, sigmoid, cross_entropy" in done.stdout
    assert done.stdout.count("right") == 2
    assert "the gradient is the slope of the cost in every layer" in done.stdout


def test_a_wrong_gradient_exits_1_and_names_layer_mistake_and_remedy() -> None:
    done = command("dataset=spiral", "architecture.hidden=[5,4]", "fault=derivative_missing")
    assert done.returncode == 1
    assert "activation derivative missing: The derivative of the activation is left out" in done.stdout
    assert "(layer 2)" in done.stdout
    assert "worst of layer 2: " in done.stdout
    assert "fault=none is without it" in done.stdout


def test_a_wrong_configuration_exits_2_with_all_mistakes_as_at_the_door() -> None:
    done = command("dataset=xar", "seed=-1")
    assert done.returncode == 2
    assert "2 mistakes" in done.stderr
    assert "Did you mean 'xor'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_fault_stands_in_name_tags_and_title() -> None:
    from runner.runs.names import run_name
    from runner.runs.provenance import run_tags
    from runner.training.machine import machine

    experiment = compose(["experiment=posts/xor"])
    assert run_name(experiment) == "posts/xor fault=flipped_sign"
    assert run_tags(experiment, machine())["fault"] == "flipped_sign"
    assert run_name(compose(["fault=ascent"])) == "fault=ascent"
    assert run_name(compose(["experiment=posts/xor", "fault=none"])) == "posts/xor fault=none"
    done = command("dataset=xor", "fault=ascent")
    assert "fault ascent" in done.stdout.splitlines()[0]
    assert "ascent: The update adds the step" in done.stdout
