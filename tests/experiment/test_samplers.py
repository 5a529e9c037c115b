"""Samplers: one function and one yaml each; every one of them draws what the ranges allow, again the same."""

import inspect
import math
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from runner.experiment.compose import Composer
from runner.experiment.samplers import COMMON, SAMPLERS, Limits, search_options, search_problems
from runner.experiment.schema import ConfigError
from runner.sweeps.search.sampling import Sampling, tell
from runner.sweeps.search.space import space_of

CONF = Path(__file__).resolve().parents[2] / "conf" / "search"


def section(name: str) -> dict:
    return yaml.safe_load((CONF / f"{name}.yaml").read_text())


def installed(name: str) -> bool:
    package = getattr(SAMPLERS[name], "limits", Limits()).package
    return package is None or find_spec(package) is not None


INSTALLED = [name for name in SAMPLERS if installed(name)]


def test_every_option_is_one_yaml_and_one_function() -> None:
    assert {path.stem for path in CONF.glob("*.yaml")} == {"none", *SAMPLERS}
    for name, function in SAMPLERS.items():
        found = section(name)
        parameters = inspect.signature(function).parameters
        assert set(found) == {"name", *COMMON, *parameters}
        assert installed(name) == (search_problems(found) == [])
        for key, parameter in parameters.items():
            if key != "seed":
                assert found[key] == parameter.default


def sampling(name: str, ranges: list[str], objectives: int = 1, seed: int = 0, shown: bool = False) -> Sampling:
    options = search_options(section(name) | {"seed": seed})
    assert options is not None
    return Sampling(space_of(Composer(), ranges), options, ["minimize"] * objectives, shown)


def drawn(name: str, tell_to: float, objectives: int = 1, seed: int = 0, shown: bool = False) -> list[dict]:
    """What a sampler draws in four batches, each told how near `lr` was to `tell_to`, or that it failed."""
    listed = getattr(SAMPLERS[name], "limits", Limits()).listed
    lr = "optimizer.lr=1e-4,1e-3,1e-2,.1,1,3,9" if listed else "optimizer.lr=tag(log,interval(1e-4,10))"
    sampler = sampling(name, [lr, "init=zeros,normal", "seed=range(5)"], objectives, seed, shown)
    found = []
    for _ in range(4):
        asked = sampler.ask(16)
        values = [sampler.drawn(trial.params) for trial in asked]
        for trial, params in zip(asked, values, strict=True):
            distance = abs(math.log((params["optimizer.lr"] + listed) / tell_to))
            value = math.inf if params["init"] == 0 else distance
            tell(sampler.storage, trial._trial_id, "finished", [value] * objectives, {})
        found += values
    return found


@pytest.mark.parametrize("objectives", [1, 2])
@pytest.mark.parametrize("name", INSTALLED)
def test_a_sampler_draws_within_the_ranges_and_again_the_same(name: str, objectives: int) -> None:
    if objectives > 1 and getattr(SAMPLERS[name], "limits", Limits()).single:
        return
    first = drawn(name, 0.1, objectives)
    assert all(0 <= params["optimizer.lr"] < 10 for params in first)
    assert {params["init"] for params in first} == {0, 1}
    assert {params["seed"] for params in first} <= set(range(5))
    assert drawn(name, 0.1, objectives) == first
    assert drawn(name, 0.1, objectives, seed=1) != first
    assert all(set(params) == set(first[0]) for params in drawn(name, 0.1, objectives, shown=True))


@pytest.mark.parametrize("shown", [False, True])
@pytest.mark.parametrize("name", INSTALLED)
def test_what_only_some_options_have_is_drawn_with_those(name: str, shown: bool) -> None:
    momentum = ".5,.9" if getattr(SAMPLERS[name], "limits", Limits()).listed else "interval(.5,.99)"
    sampler = sampling(name, ["optimizer=gd,momentum", f"optimizer.momentum={momentum}", "seed=range(5)"], shown=shown)
    for count in (8, 7):
        for trial in sampler.ask(count):
            params = sampler.drawn(trial.params)
            assert ("optimizer.momentum" in params) == (params["optimizer"] == 1)
            assert sampler.space.overrides(params)[-1].startswith("seed=")
            tell(sampler.storage, trial._trial_id, "finished", [float(params["seed"])], {})


def test_a_grid_draws_every_combination_once() -> None:
    sampler = sampling("grid", ["optimizer=gd,momentum", "optimizer.momentum=.5,.9", "seed=range(2)"])
    assert sampler.space.size == 6
    found = [sampler.drawn(trial.params) for trial in sampler.ask(6)]
    assert len({str(sorted(params.items())) for params in found}) == 6


def test_processes_with_one_seed_draw_different_trials_and_a_sequence_stays_one() -> None:
    for name, different in (("random", True), ("tpe", True), ("sobol", False)):
        options = search_options(section(name))
        assert options is not None
        space = space_of(Composer(), ["optimizer.lr=interval(1,2)", "architecture.dropout=interval(0,.5)"])
        first, second = (Sampling(space, options, ["minimize"], True, before).ask(2)[1].params for before in (0, 8))
        assert (first != second) == different


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


@pytest.mark.parametrize(("name", "command"), [("cmaes", ".[cmaes]"), ("gp", ".[gp]")])
def test_what_a_sampler_needs_besides_is_said(name: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.experiment.samplers.find_spec", lambda package: package == "optuna" or None)
    (problem,) = search_problems(section(name))
    assert f"search={name} needs " in problem
    assert f"pip install '{command}'" in problem


def test_optunas_automatic_sampler_is_said_to_be_elsewhere() -> None:
    with pytest.raises(ConfigError, match="AutoSampler does not ship with Optuna"):
        Composer().compose(["search=auto"])
