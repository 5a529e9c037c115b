"""Our own network, trained by kernels (a `runner.training.trainable.Kind`)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.training.dense import DenseKind
from runner.training.recipe import Recipe
from runner.training.trainable import Snapshot

if TYPE_CHECKING:
    from runner.training.compiled.stack import CompiledStack


class CompiledKind(DenseKind):
    """What can be said of it is what can be said of the same network trained by NumPy; but its members have threads."""

    threaded = True

    def start(self, recipes: Sequence[Recipe], state: Snapshot | None = None) -> "CompiledStack":  # type: ignore[override]
        from runner.training.compiled.stack import CompiledStack  # numba takes .3 s to import

        return CompiledStack.start(recipes) if state is None else CompiledStack(recipes, state)
