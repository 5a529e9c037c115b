"""The published truth: costs of published programs, of an independent implementation, and of five failing networks."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from math import gcd, isinf, isnan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.experiment.build import compose_with
from runner.experiment.compose import Composer
from runner.experiment.experiment import Experiment
from runner.nn.initializers import Generator, Initializer
from runner.nn.types import Array
from runner.training.recipe import Recipe
from runner.training.train import End, Rows, train

ROOT = Path(__file__).resolve().parents[1]
TRUTH = json.loads((Path(__file__).parent / "golden.json").read_text())
GOLDEN = {case["id"]: case for case in TRUTH["golden"]}
CURED = sorted(path.stem for path in (ROOT / "conf/experiment/cured").glob("*.yaml"))
NUDGES = 12


@cache
def composer() -> Composer:
    return Composer()


def compose(overrides: Sequence[str]) -> Experiment:
    return compose_with(composer(), overrides)


def traces(recipes: Sequence[Recipe]) -> tuple[list[dict[int, dict[str, float]]], list[End]]:
    """The rows of each member by step, and how each ended."""
    rows: list[dict[int, dict[str, float]]] = [{} for _ in recipes]
    ends: dict[int, End] = {}
    for event in train(recipes):
        if isinstance(event, Rows):
            for position, member in enumerate(event.members):
                rows[member][event.step] = {key: float(value[position]) for key, value in event.values.items()}
        elif isinstance(event, End):
            ends[event.member] = event
    return rows, [ends[member] for member in range(len(recipes))]


def preset(name: str, *overrides: str) -> tuple[dict[int, dict[str, float]], End]:
    """The rows by step and the end of one run of a preset."""
    [rows], [end] = traces([compose([f"experiment={name}", *overrides]).recipe])
    return rows, end


def nudged(recipe: Recipe, nudge: int) -> Recipe:
    """The same recipe with each initial weight moved by one unit in its last place: up, down or not at all."""
    drawn = np.random.default_rng(nudge)

    def weights(generator: Generator, fan_in: int, fan_out: int) -> Array:
        W = recipe.initializer.weights(generator, fan_in, fan_out)
        return W + drawn.integers(-1, 2, W.shape) * np.spacing(W)

    return replace(recipe, initializer=Initializer(weights, recipe.initializer.bias_scale))


def cost_at(rows: dict[int, dict[str, float]], steps: Sequence[int]) -> Array:
    return np.array([rows[step]["train/cost"] for step in steps])


def golden_recipes(case: dict[str, Any]) -> list[Recipe]:
    recipe = compose(case["overrides"]).recipe
    steps = [int(step) for costs in case["costs"].values() for step in costs]
    plan = replace(recipe.plan, log_every=gcd(*steps), iterations=max(steps))
    return [replace(recipe, plan=plan, seed=int(seed)) for seed in case["costs"]]


@pytest.mark.parametrize("name", GOLDEN)
def test_an_independent_implementation_has_the_same_costs(name: str):
    """To 1e-10 at every checkpoint, or as near as rounding lets any two programs be: the spread of one-ulp nudges."""
    case = GOLDEN[name]
    recipes = golden_recipes(case)
    assert list(recipes[0].widths) == case["widths"]
    for recipe, rows, costs in zip(recipes, traces(recipes)[0], case["costs"].values(), strict=True):
        steps = [int(step) for step in costs]
        ours, truth = cost_at(rows, steps), np.array(list(costs.values()))
        far = abs(ours - truth) > 1e-10 * truth
        if not far.any():
            continue
        others = traces([nudged(recipe, nudge) for nudge in range(NUDGES)])[0]
        band = np.stack([ours, *(cost_at(other, steps) for other in others)])
        spread = band.max(axis=0) - band.min(axis=0)
        assert (abs(ours - truth)[far] <= spread[far]).all(), f"seed {recipe.seed}: {ours - truth}, spread {spread}"


@pytest.mark.parametrize("name", GOLDEN)
def test_an_independent_implementation_is_right_on_as_many_rows(name: str):
    """Where outputs stand on the fence, rounding decides: all checkpoints but those at a cost of ln 2."""
    case = GOLDEN[name]
    recipes = golden_recipes(case)
    for rows, costs, accuracies in zip(
        traces(recipes)[0], case["costs"].values(), case["accuracies"].values(), strict=True
    ):
        for step, accuracy in accuracies.items():
            if abs(costs[step] - np.log(2)) > 1e-3:
                assert rows[int(step)]["train/accuracy"] == pytest.approx(accuracy)


def test_the_check_of_the_golden_costs_notices_another_seed():
    case = next(iter(GOLDEN.values()))
    recipe = replace(golden_recipes(case)[0], seed=99)
    [rows], _ = traces([recipe])
    assert abs(rows[0]["train/cost"] - case["costs"]["0"]["0"]) > 1e-6


def test_post_xor_climbs_to_infinity_and_on():
    rows, end = preset("posts/xor")
    assert f"{rows[274]['train/cost']:.2f}" == "18.02"
    assert isinf(rows[275]["train/cost"])
    assert isnan(rows[276]["train/cost"])
    assert end.status == "diverged"
    assert end.nonfinite is not None
    assert (end.nonfinite.step, end.nonfinite.array, end.nonfinite.first_bad_gradient) == (275, "cost", "dZ")
    costs = [rows[step]["train/cost"] for step in range(50, 276)]
    assert all(later >= earlier for earlier, later in pairwise(costs))


def test_post_xor_with_its_sign_mended_stays_at_the_saddle():
    rows, end = preset("posts/xor", "fault=none")
    assert end.status == "finished"
    assert rows[1000]["train/cost"] == pytest.approx(0.693147, abs=5e-7)


def test_post_flower_starts_as_published_and_leaves_the_numbers():
    rows, end = preset("posts/flower")
    assert rows[0]["train/cost"] == pytest.approx(0.9897586239010666, abs=1e-15)
    assert f"{rows[500]['train/cost']:.6f}" == "0.551323"
    assert f"{rows[1000]['train/cost']:.6f}" == "0.545709"
    assert end.status == "diverged"
    assert end.nonfinite is not None
    assert 1302 <= end.nonfinite.step <= 2122
    assert (end.nonfinite.array, end.nonfinite.first_bad_gradient) == ("cost", "dZ")


def test_post_flower_from_the_logits_stays_with_the_numbers():
    rows, end = preset("posts/flower", "architecture.loss=cross_entropy")
    assert (end.status, end.nonfinite) == ("finished", None)
    assert np.isfinite([value["train/cost"] for value in rows.values()]).all()


def test_post_parity_rises():
    rows, _ = preset("posts/parity", "seed=0")
    published = {0: ".69316", 4000: ".69017", 5000: ".765", 6000: "7.53", 7000: "149.7"}
    for step, text in published.items():
        digits = len(text.split(".")[1])
        assert f"{rows[step]['train/cost']:.{digits}f}".removeprefix("0") == text, f"at {step}"


def test_post_parity_with_its_derivative_mended_never_rises():
    rows, _ = preset("posts/parity", "seed=0", "fault=none")
    costs = [value["train/cost"] for value in rows.values()]
    assert all(later <= earlier for earlier, later in pairwise(costs))
    assert 0.6822 <= costs[-1] <= 0.6932


def test_post_spiral_ends_as_the_constant_one():
    rows, end = preset("posts/spiral")
    published = {0: "0.592", 100: "0.417", 500: "0.3384", 1000: "0.3346"}
    for step, text in published.items():
        assert f"{rows[step]['train/cost']:.{len(text) - 2}f}" == text, f"at {step}"
    assert f"{rows[1000]['train/accuracy']:.3f}" == "0.333"
    assert end.status == "finished"


def test_course_flower_has_all_the_published_costs():
    rows, _ = preset("course/flower", "training.iterations=7001")
    published = TRUTH["published"]["course/flower"]
    assert len(published) == 8
    assert {step: f"{rows[int(step)]['train/cost']:.6f}" for step in published} == {
        step: f"{cost:.6f}" for step, cost in published.items()
    }


@pytest.mark.slow
def test_course_cats_has_all_the_published_costs(cats_dir: Path):
    rows, _ = preset("course/cats", f"dataset.dir={cats_dir}")
    published = TRUTH["published"]["course/cats"]
    assert len(published) == 26
    assert {step: f"{rows[int(step)]['train/cost']:.6f}" for step in published} == {
        step: f"{cost:.6f}" for step, cost in published.items()
    }
    assert f"{rows[2500]['train/accuracy']:.5f}" == "0.98565"
    assert f"{rows[2500]['test/accuracy']:.2f}" == "0.80"


@pytest.mark.slow
def test_post_cats_stays_at_the_entropy_of_the_labels(cats_dir: Path):
    rows, _ = preset("posts/cats", f"dataset.dir={cats_dir}")
    assert rows[2499]["train/cost"] == pytest.approx(0.643974, abs=1e-4)
    assert f"{rows[2499]['train/accuracy']:.4f}" == "0.6555"
    assert f"{rows[2499]['test/accuracy']:.2f}" == "0.34"
    published = {0: "0.693149", 500: "0.652013", 1000: "0.645368", 2499: "0.643982"}
    assert {step: f"{rows[step]['train/cost']:.6f}" for step in published} == published


def reached(name: str, seeds: Sequence[int], *overrides: str) -> int:
    """How many seeds of a cure reach the target of its preset. Those that share their data train as one stack."""
    jobs = [compose([f"experiment=cured/{name}", f"seed={seed}", *overrides]) for seed in seeds]
    stacks: dict[str, list[Experiment]] = {}
    for job in jobs:
        stacks.setdefault(job.stack_key(), []).append(job)
    count = 0
    for alike in stacks.values():
        rows, _ = traces([job.recipe for job in alike])
        count += sum(job.target.reached(own[max(own)]) for job, own in zip(alike, rows, strict=True))
    return count


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CURED if name != "cats"])
def test_a_cure_reaches_its_target_on_nineteen_of_twenty_seeds(name: str):
    assert reached(name, range(20)) >= 19


@pytest.mark.slow
def test_the_cats_cure_reaches_its_target(cats_dir: Path):
    """Twenty seeds take ten minutes: these are three of them."""
    assert reached("cats", range(3), f"dataset.dir={cats_dir}") == 3


@pytest.mark.parametrize("name", [name for name in CURED if name != "cats"])
def test_a_cures_target_is_missed_by_the_untrained_network(name: str):
    """So that reaching it says something."""
    experiment = compose([f"experiment=cured/{name}"])
    untrained = replace(experiment.recipe, plan=replace(experiment.recipe.plan, iterations=1))
    [rows], _ = traces([untrained])
    assert not experiment.target.reached(rows[0])
