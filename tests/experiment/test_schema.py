"""A function's signature is the schema of its configuration: what is refused, and in what words."""

from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Gt, Lt

from runner.experiment.schema import describe, fits, options, suggest, validate
from runner.nn import optimizers

Positive = Annotated[float, Gt(0)]


def example(
    lr: Positive, hidden: list[Annotated[int, Ge(1)]], mode: Literal["min", "max"] = "min", clip: Positive | None = None
) -> None:
    """A function to configure."""


GOOD = {"lr": 0.1, "hidden": [4]}


def test_what_fits_is_accepted() -> None:
    assert validate(example, {**GOOD, "mode": "max", "clip": 1}, "example") == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"lr": -0.1}, "section.lr of example must be a number in (0, inf). Got -0.1."),
        ({"lr": "fast"}, "section.lr of example must be a number in (0, inf). Got 'fast'."),
        ({"lr": True}, "section.lr of example must be a number in (0, inf). Got true."),
        ({"lr": float("nan")}, "section.lr of example must be a number in (0, inf). Got nan."),
        ({"lr": float("inf")}, "section.lr of example must be a number in (0, inf). Got inf."),
        ({"hidden": 4}, "section.hidden of example must be a list, each element a whole number in [1, inf). Got 4."),
        (
            {"hidden": [4, 0]},
            "section.hidden of example must be a list, each element a whole number in [1, inf). Got [4, 0].",
        ),
        ({"mode": "mim"}, "section.mode of example must be one of 'min', 'max'. Got 'mim'. Did you mean 'min'?"),
        ({"clip": 0}, "section.clip of example must be a number in (0, inf) or null. Got 0."),
        (
            {"clib": 1},
            "section.clib: example has no such key. It has: lr, hidden, mode, clip. Did you mean 'clip'?",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_what_was_expected(arguments: dict, problem: str) -> None:
    assert validate(example, GOOD | arguments, "section") == [problem]


def test_a_missing_argument_is_named() -> None:
    assert validate(example, {"hidden": []}, "s") == ["s.lr of example is missing. It must be a number in (0, inf)."]


def test_all_mistakes_are_found_at_once() -> None:
    assert len(validate(example, {"lr": 0, "hidden": "x", "mode": 1, "other": 2}, "s")) == 4


def test_bounds_are_said_as_an_interval() -> None:
    assert describe(Annotated[float, Ge(0), Lt(1)]) == "a number in [0, 1)"
    assert describe(int) == "a whole number"
    assert describe(str | None) == "a text or null"


def test_integers_pass_for_numbers_and_nothing_else_is_coerced() -> None:
    assert fits(1, float)
    assert not fits("1", float)
    assert not fits(1.0, int)
    assert not fits(1, str)


def test_only_functions_with_the_right_result_are_options() -> None:
    assert "adam" in options(optimizers, "Optimizer")
    assert "clip_by_norm" not in options(optimizers, "Optimizer")


def test_a_far_word_gets_no_suggestion() -> None:
    assert suggest("zzz", ["adam", "gd"]) == ""
