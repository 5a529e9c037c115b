"""How many threads BLAS gets: as many as a network's largest product pays for, one for a small network."""

from functools import lru_cache
from typing import Any

from threadpoolctl import ThreadpoolController

from runner.training.kinds import kind_of
from runner.training.recipe import Recipe

_agreed: int | None = None

# Multiplications in a product below which a second thread costs more than it does.
PAYS = 4_000_000


def count(recipe: Recipe) -> int:
    """The threads for a recipe, alone or in a stack: who trains beside it must not change how its sums are split."""
    most = available()  # asked before anything is limited
    return most if recipe.plan.batch_size * kind_of(recipe).largest >= PAYS else 1


def limited(recipe: Recipe) -> Any:
    """A context in which BLAS has `count(recipe)` threads."""
    return _controller().limit(limits=count(recipe), user_api="blas")


@lru_cache(maxsize=1)
def available() -> int:
    """The most that BLAS was given, by the machine or by the environment (OPENBLAS_NUM_THREADS and its kin)."""
    if _agreed is not None:
        return _agreed
    return max((library["num_threads"] for library in libraries() if library["user_api"] == "blas"), default=1)


def agree(most: int) -> None:
    """In a worker of a sweep: the most that BLAS has where the sweep was started, so that sums are split as there."""
    global _agreed
    if most != _agreed:
        _agreed = most
        available.cache_clear()


def libraries() -> list[dict[str, Any]]:
    """The libraries with threads of their own that NumPy and SciPy have loaded, as threadpoolctl tells them."""
    return list(_controller().info())


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
