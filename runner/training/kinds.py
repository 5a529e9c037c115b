"""Which implementation trains a recipe: the one place that asks. A new one is a folder of its own and a line here."""

from runner.training.compiled.kind import CompiledKind
from runner.training.dense import DenseKind
from runner.training.own.kind import OwnKind
from runner.training.recipe import Recipe
from runner.training.script.kind import ScriptKind
from runner.training.streamed import StreamedKind
from runner.training.trainable import Kind


def kind_of(recipe: Recipe) -> Kind:
    """What trains this recipe, and answers what is asked about it.

    >>> from runner.experiment.build import compose
    >>> kind = kind_of(compose(["dataset=xor"]).recipe)
    >>> kind.known, kind.stacks, list(kind.arrays(kind.start([kind.recipe]).parameters(0)))
    (True, True, ['W1', 'b1', 'W2', 'b2'])
    """
    if recipe.script is not None:
        return ScriptKind(recipe, recipe.script)
    if recipe.own is not None:
        return OwnKind(recipe, recipe.own)
    if recipe.engine == "compiled":
        return CompiledKind(recipe)
    return DenseKind(recipe) if recipe.source is None else StreamedKind(recipe)
