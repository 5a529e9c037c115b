"""Samplers: one function and one yaml each; every one of them draws what the ranges allow, again the same."""

import inspect
import math
from pathlib import Path

import pytest
import yaml

from runner.experiment.compose import Composer
from runner.experiment.samplers import COMMON, SAMPLERS, search_options, search_problems
from runner.sweeps.search.space import space_of

CONF = Path(__file__).resolve().parents[2] / "conf" / "search"


def section(name: str) -> dict:
    return yaml.safe_load((CONF / f"{name}.yaml").read_text())


def test_every_option_is_one_yaml_and_one_function() -> None:
    assert {path.stem for path in CONF.glob("*.yaml")} == {"none", *SAMPLERS}
    for name, function in SAMPLERS.items():
        found = section(name)
        parameters = inspect.signature(function).parameters
        assert set(found) == {"name", *COMMON, *parameters}
        assert search_problems(found) == []
        for key, parameter in parameters.items():
            if key != "seed":
                assert found[key] == parameter.default


def drawn(name: str, tell_to: float, objectives: int = 1, seed: int = 0) -> list[dict]:
    """What a sampler draws in four batches, each told how near `lr` was to `tell_to`, or that it failed."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = space_of(Composer(), ["optimizer.lr=tag(log,interval(1e-4,10))", "init=zeros,normal", "seed=range(5)"])
    options = search_options(section(name) | {"seed": seed})
    assert options is not None
    study = optuna.create_study(sampler=options.make(), directions=["minimize"] * objectives)
    found = []
    for _ in range(4):
        asked = [study.ask(space.distributions()) for _ in range(16)]
        for trial in asked:
            distance = abs(math.log(trial.params["optimizer.lr"] / tell_to))
            value = math.inf if trial.params["init"] == 0 else distance
            study.tell(trial, [value] * objectives)
        found += [trial.params for trial in asked]
    return found


@pytest.mark.parametrize("objectives", [1, 2])
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_draws_within_the_ranges_and_again_the_same(name: str, objectives: int) -> None:
    first = drawn(name, 0.1, objectives)
    assert all(1e-4 <= params["optimizer.lr"] < 10 for params in first)
    assert {params["init"] for params in first} == {0, 1}
    assert {params["seed"] for params in first} <= set(range(5))
    assert drawn(name, 0.1, objectives) == first
    assert drawn(name, 0.1, objectives, seed=1) != first


def test_tpe_looks_where_trials_were_good_and_none_failed() -> None:
    last = drawn("tpe", 0.1)[-16:]
    assert sum(params["init"] == 1 for params in last) > 10
    near = sum(abs(math.log(params["optimizer.lr"] / 0.1)) < 1 for params in last)
    by_chance = sum(abs(math.log(params["optimizer.lr"] / 0.1)) < 1 for params in drawn("random", 0.1)[-16:])
    assert near > by_chance


def test_all_mistakes_are_named_with_the_nearest_sampler() -> None:
    assert "Did you mean 'tpe'?" in search_problems({"name": "tpee"})[0]
    wrong = section("tpe") | {"trials": 0, "batch": -1, "pruning": 1, "startup": 0, "sed": 3}
    problems = search_problems(wrong)
    assert len(problems) == 5
    assert "search.trials must be a whole number in [1, inf). Got 0." in problems
    assert any(problem.startswith("search.sed: tpe has no such key") for problem in problems)


def test_without_optuna_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.experiment.samplers.find_spec", lambda name: None)
    assert search_problems(section("random")) == [
        "search=random needs optuna, and it is not installed: pip install 'optuna>=5'"
    ]
    assert search_problems(section("none")) == []
