"""The compiled engine: what NumPy computes, to the last digits, and the same bits alone, stacked, threaded, resumed."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.experiment.build import compose
from runner.experiment.schema import ConfigError, options
from runner.nn import activations, losses, optimizers, schedules
from runner.nn.losses import OUTPUTS, PROBABILITIES
from runner.training.compiled import build, crew, engine
from runner.training.compiled.stack import CompiledStack
from runner.training.recipe import Recipe
from runner.training.train import Checkpoint, End, Event, Rows, train
from runner.training.trainable import select

HEADS = [
    (output, loss)
    for output, loss in product(OUTPUTS, options(losses, "Head"))
    if output in PROBABILITIES or not loss.startswith("cross_entropy")
]
MOST = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def overrides(draw: st.DrawFn) -> list[str]:
    """A small problem with any options that have kernels."""
    output, loss = draw(st.sampled_from(HEADS))
    batch = draw(st.sampled_from(["null", "1", "7", "32", "399"]))
    clip = draw(st.sampled_from(["null", "0.05", "10"]))
    return [
        "dataset=flower",
        f"dataset.validation={draw(st.sampled_from(['0', '0.2']))}",
        f"architecture.activation={draw(st.sampled_from(sorted(options(activations, 'Activation'))))}",
        f"architecture.hidden={draw(st.lists(st.integers(1, 11), min_size=0, max_size=3))}".replace(" ", ""),
        f"architecture.output={output}",
        f"architecture.loss={loss}",
        f"architecture.l2={draw(st.sampled_from([0, 0.01]))}",
        f"architecture.dropout={draw(st.sampled_from([0, 0.3]))}",
        "allow_unreachable_labels=true",
        f"optimizer={draw(st.sampled_from(sorted(options(optimizers, 'Optimizer'))))}",
        f"optimizer.clip_norm={clip}",
        "optimizer.lr=0.01",
        f"schedule={draw(st.sampled_from(sorted(options(schedules, 'Schedule'))))}",
        f"schedule.warmup={draw(st.sampled_from([0, 5]))}",
        f"training.batch_size={batch}",
        "training.iterations=12",
        "training.log_every=5",
    ]


def made(texts: list[str], which: str) -> Recipe:
    recipe = compose([*texts, f"training.engine={which}"]).recipe
    assert recipe.engine == which, "it has fallen back"
    return recipe


def told(recipes: list[Recipe], events: Iterator[Event] | None = None) -> dict[int, list[Any]]:
    """Everything that is said of each member."""
    found: dict[int, list[Any]] = {number: [] for number in range(len(recipes))}
    for event in events or train(recipes):
        if isinstance(event, Rows):
            for position, member in enumerate(event.members.tolist()):
                found[member].append((event.step, {key: value[position] for key, value in event.values.items()}))
        elif isinstance(event, End):
            found[event.member].append((event.status, event.step, event.theta.tobytes()))
    return {member: [repr(each) for each in rows] for member, rows in found.items()}


@MOST
@given(texts=overrides())
def test_it_computes_what_numpy_computes(texts: list[str]) -> None:
    rows = {which: [e for e in train([made(texts, which)]) if isinstance(e, Rows)] for which in ("numpy", "compiled")}
    assert [row.step for row in rows["numpy"]] == [row.step for row in rows["compiled"]]
    for ours, theirs in zip(rows["numpy"], rows["compiled"], strict=True):
        assert list(ours.values) == list(theirs.values)
        for key, value in ours.values.items():
            np.testing.assert_allclose(
                theirs.values[key], value, rtol=1e-12, atol=1e-13, err_msg=f"{key} at {ours.step}"
            )


@MOST
@given(texts=overrides(), cut=st.integers(1, 11))
def test_a_member_gets_the_same_bits_alone_stacked_threaded_and_resumed(texts: list[str], cut: int) -> None:
    recipe = made(texts, "compiled")
    recipes = [replace(recipe, seed=seed, l2=recipe.l2 * (1 + seed)) for seed in range(3)]
    together = told(recipes)
    for number, each in enumerate(recipes):
        assert told([each])[0] == together[number]
    one_thread = CompiledStack.start(recipes)
    one_thread._threads = 1
    assert not one_thread.quietly(cut, lambda: False)
    threads = CompiledStack.start(recipes)
    for _ in range(cut):
        threads.advance(threads.gradient())
    assert np.array_equal(one_thread.theta, threads.theta)
    resumed = threads.again(recipes[1:], select(threads.snapshot(), np.array([1, 2])))
    resumed.quietly(12 - cut, lambda: False)
    one_thread.quietly(12 - cut, lambda: False)
    assert np.array_equal(resumed.theta, one_thread.theta[1:])


def test_it_goes_on_from_a_checkpoint_bit_for_bit() -> None:
    recipe = made(["dataset=flower", "optimizer=adam", "training.iterations=50", "training.log_every=10"], "compiled")
    recipe = replace(recipe, plan=replace(recipe.plan, checkpoint_every=20))
    events = list(train([recipe]))
    checkpoint = next(event for event in events if isinstance(event, Checkpoint) and event.state.step == 30)
    rest = [repr(e) for e in train([recipe], resume=checkpoint) if isinstance(e, Rows | End)]
    assert rest == [repr(e) for e in events if isinstance(e, Rows | End)][-len(rest) :]


def test_members_that_leave_the_numbers_do_not_disturb_the_others() -> None:
    recipe = made(["dataset=flower", "architecture.activation=relu", "training.iterations=60"], "compiled")
    wild = replace(recipe, optimizer_arguments={**recipe.optimizer_arguments, "lr": 1e200})
    alone, both = told([recipe]), told([recipe, wild])
    assert both[0] == alone[0]
    [end] = [event for event in train([wild]) if isinstance(event, End)]
    assert end.status == "diverged"
    assert end.nonfinite is not None
    by_numpy = [event for event in train([replace(wild, engine="numpy")]) if isinstance(event, End)]
    assert end.nonfinite == by_numpy[0].nonfinite


@pytest.mark.parametrize(
    ("texts", "lacking"),
    [
        (["dtype=float32"], "float32"),
        (["fault=flipped_sign"], "this fault"),
    ],
)
def test_what_has_no_kernel_is_trained_by_numpy_and_that_is_said(texts: list[str], lacking: str) -> None:
    experiment = compose(["dataset=xor", "training.engine=compiled", *texts])
    assert experiment.recipe.engine == "numpy"
    assert f"training.engine=compiled has no kernel for {lacking}: trained by NumPy" in experiment.notes


def test_numpy_is_the_default_and_what_a_recorded_configuration_without_the_key_means() -> None:
    from runner.experiment.build import build_plain

    experiment = compose(["dataset=xor"])
    assert experiment.recipe.engine == "numpy"
    assert "has no kernel" not in " ".join(experiment.notes)
    before = {
        **experiment.config,
        "training": {k: v for k, v in experiment.config["training"].items() if k != "engine"},
    }
    assert build_plain(before).recipe.engine == "numpy"


def test_the_engine_is_part_of_what_makes_two_runs_the_same() -> None:
    keys = {
        which: compose(["dataset=xor", f"training.engine={which}"]).key() for which in ("numpy", "compiled", "auto")
    }
    assert len(set(keys.values())) == 3


def test_without_numba_compiled_is_refused_and_auto_is_numpy() -> None:
    text = """
import sys
sys.modules["numba"] = None
from runner.experiment.build import compose
print(compose(["dataset=xor", "training.engine=auto"]).recipe.engine)
compose(["dataset=xor", "training.engine=compiled"])
"""
    ended = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert ended.stdout == "numpy\n"
    assert "training.engine=compiled needs numba, and it is not installed: " + engine.INSTALL in ended.stderr


def test_numba_is_imported_only_where_it_trains() -> None:
    text = """
import sys
from runner.experiment.build import compose
compose(["training.engine=auto"])
print("numba" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"


def test_an_edited_activation_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """numba's cache looks at one file; ours is named by all of them."""
    copy = tmp_path / "compiled"
    shutil.copytree(build.FOLDER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    assert build.digest(copy) == build.digest()
    file = copy / "activations.py"
    file.write_text(file.read_text().replace("0.01 * z", "0.02 * z"))
    assert build.digest(copy) != build.digest()


def test_auto_is_a_function_of_the_shapes_alone() -> None:
    small, large = ["architecture.hidden=[4]"], ["architecture.hidden=[3000,3000]"]
    assert compose(["dataset=flower", "training.engine=auto", *small]).recipe.engine == "compiled"
    assert compose(["dataset=flower", "training.engine=auto", *large]).recipe.engine == "numpy"


def test_every_option_of_the_network_has_a_kernel() -> None:
    assert set(engine.kernels("activations")) == set(options(activations, "Activation"))
    assert set(engine.kernels("optimizers")) == set(options(optimizers, "Optimizer"))
    assert set(engine.kernels("schedules")) == set(options(schedules, "Schedule"))
    assert set(engine.kernels("heads")) == set(options(losses, "Head"))


def test_members_are_cut_among_the_threads() -> None:
    found: list[tuple[int, int]] = []
    crew.share(7, 3, lambda thread, first, last: found.append((first, last)))
    assert sorted(found) == [(0, 2), (2, 4), (4, 7)]


def test_a_schedule_that_is_not_named_is_trained_by_numpy() -> None:
    recipe = compose(["dataset=xor"]).recipe
    assert engine.resolve("compiled", replace(recipe, named=None)) == "numpy"
    with pytest.raises(ConfigError, match=r"training\.engine"):
        compose(["dataset=xor", "training.engine=fortran"])
