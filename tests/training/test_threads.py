"""BLAS threads by the size of the network: one for a small one, and the same in a stack as alone."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from runner.experiment.build import compose
from runner.training import threads
from runner.training.train import train


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available", lambda: 2)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["dataset=xor"], 1),
        (["dataset=flower", "architecture.hidden=[64,64]"], 1),
        (["dataset=flower", "dataset.n=2000", "architecture.hidden=[256,256]"], 2),
        (["dataset=flower", "dataset.n=2000", "architecture.hidden=[256,256]", "training.batch_size=20"], 1),
    ],
)
def test_a_small_network_gets_one_thread(two_cores: None, overrides: list[str], expected: int):
    assert threads.count(compose(overrides).recipe) == expected


def test_a_shrunk_network_counts_by_its_coordinates(two_cores: None):
    recipe = compose(["dataset=xor", "optimizer=gd", "architecture.hidden=[200]"]).recipe
    wide = {name: data._replace(X=np.zeros((len(data.X), 10_000))) for name, data in recipe.sets.items()}
    recipe = replace(recipe, sets=wide, widths=(10_000, 200, 1))
    assert threads.count(recipe) == 1
    assert threads.count(replace(recipe, plan=replace(recipe.plan, shrink=False))) == 2


def test_training_has_them_and_gives_them_back():
    recipe = compose(["dataset=xor", "training.iterations=3"]).recipe
    before = blas_threads()
    seen = [blas_threads() for _ in train([recipe])]
    assert all(found == {1} for found in seen)
    assert blas_threads() == before
