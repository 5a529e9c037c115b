"""The signature of a function is the schema of its configuration.

`optimizer: {name: adam, lr: 0.1}` calls `runner.nn.optimizers.adam(lr=0.1)`. Which keys there are, of what type and
within what bounds, stands in the function's annotations and nowhere else. All mistakes are found at once.
"""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from types import ModuleType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ConfigDict, TypeAdapter, ValidationError

from datasets import Dataset
from runner import Refusal

FILLED_IN = (Dataset,)


class ConfigError(Refusal):
    """The configuration is wrong: `problems` are all the mistakes, a sentence each; `good` the overrides without."""

    def __init__(self, problems: Iterable[str], good: Sequence[str] = ()):
        self.problems, self.good = list(dict.fromkeys(problems)), list(good)
        super().__init__(self.problems)

    def __str__(self) -> str:
        head = "1 mistake" if len(self.problems) == 1 else f"{len(self.problems)} mistakes"
        return "\n  ".join([f"{head} in the configuration; nothing was run.", *self.problems])


def options(module: ModuleType, result: str) -> dict[str, Callable[..., Any]]:
    """The public functions of `module`, or of its parts, that return a `result` (a type's name), in their order."""
    return {
        name: function
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and f"{function.__module__}.".startswith(f"{module.__name__}.")
        and not name.startswith("_")
        and getattr(inspect.get_annotations(function, eval_str=True).get("return"), "__name__", None) == result
    }


def validate(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    key: str,
    name: str | None = None,
    elsewhere: Collection[str] = (),
) -> list[str]:
    """What is wrong with calling `function(**arguments)`; `key` is where the arguments stand in the configuration.

    `name` is what to call the function by; `elsewhere` are keys of the same section that another function takes.
    Parameters that hold a Dataset are not configuration: the program fills them in.

    >>> from runner.nn.optimizers import gd
    >>> for problem in validate(gd, {"lr": -0.1, "momentum": 0.9}, "optimizer"):
    ...     print(problem)
    optimizer.lr of gd must be a number in (0, inf). Got -0.1.
    optimizer.momentum: gd has no such key. It has: lr, clip_norm.
    """
    hints, parameters = _signature(function)
    name = function.__name__ if name is None else name
    of = f" of {name}" if key and name != key else ""
    prefix = f"{key}." if key else ""
    problems = []
    for parameter in parameters.values():
        annotation = hints[parameter.name]
        if annotation in FILLED_IN:
            continue
        if parameter.name not in arguments:
            if parameter.default is parameter.empty:
                problems.append(f"{prefix}{parameter.name}{of} is missing. It must be {describe(annotation)}.")
        elif not fits(arguments[parameter.name], annotation):
            value = arguments[parameter.name]
            problem = f"{prefix}{parameter.name}{of} must be {describe(annotation)}. Got {show(value)}."
            problems.append(problem + suggest(value, literals(annotation)))
    known = [parameter for parameter in parameters if hints[parameter] not in FILLED_IN] + list(elsewhere)
    for unknown in arguments:
        if unknown not in known:
            problem = f"{prefix}{unknown}: {name} has no such key. It has: {', '.join(known) or 'none'}."
            problems.append(problem + suggest(unknown, known))
    return problems


def fits(value: Any, annotation: Any) -> bool:
    """Whether `value` is of the annotated type and within its bounds; an integer passes for a number, nothing else."""
    try:
        _adapter(annotation).validate_python(value)
    except ValidationError:
        return False
    return True


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation, config=ConfigDict(strict=True, allow_inf_nan=False))


@cache
def _signature(function: Callable[..., Any]) -> tuple[dict[str, Any], Mapping[str, inspect.Parameter]]:
    return get_type_hints(function, include_extras=True), inspect.signature(function).parameters


def describe(annotation: Any) -> str:
    """An annotation in words.

    >>> describe(Annotated[float, Ge(0), Lt(1)])
    'a number in [0, 1)'
    """
    if get_origin(annotation) in (Union, UnionType):
        parts = [part for part in get_args(annotation) if part is not NoneType]
        words = [describe(part) for part in parts] + ["null"] * (NoneType in get_args(annotation))
        return " or ".join(words)
    if get_origin(annotation) is Literal:
        choices = [show(choice) for choice in get_args(annotation)]
        return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    if get_origin(annotation) in (list, tuple):
        return f"a list, each element {describe(get_args(annotation)[0])}"
    bounds: list[Any] = []
    if get_origin(annotation) is Annotated:
        annotation, *bounds = get_args(annotation)
    words_of: dict[Any, str] = {
        float: "a number",
        int: "a whole number",
        str: "a text",
        bool: "true or false",
    }
    return words_of.get(annotation, "a mapping") + _interval(bounds)


def literals(annotation: Any) -> list[str]:
    """The words that an annotation allows, for suggestions."""
    if get_origin(annotation) is Literal:
        return [choice for choice in get_args(annotation) if isinstance(choice, str)]
    return [word for part in get_args(annotation) for word in literals(part)]


def suggest(word: Any, words: Iterable[str]) -> str:
    """` Did you mean 'adam'?`, or nothing where no word is near."""
    near = get_close_matches(str(word), list(words), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""


def show(value: Any) -> str:
    """A value as one would write it in yaml."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {show(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(show(part) for part in value) + "]"
    return repr(value)


def _interval(bounds: list[Any]) -> str:
    if not bounds:
        return ""
    low, high = "(-inf", "inf)"
    for bound in bounds:
        match bound:
            case Gt(gt=value):
                low = f"({value}"
            case Ge(ge=value):
                low = f"[{value}"
            case Lt(lt=value):
                high = f"{value})"
            case Le(le=value):
                high = f"{value}]"
    return f" in {low}, {high}"
