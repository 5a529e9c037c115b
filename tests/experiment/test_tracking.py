"""Where a run is tracked: what is typed or written in a yaml file, then MLflow's variables, then the default."""

from pathlib import Path

import pytest

from runner.command.checked import Checked, ordered
from runner.experiment.build import compose, compose_with
from runner.experiment.compose import Composer
from runner.experiment.schema import ConfigError
from runner.experiment.sources import Sources

NAMES = ("TRACKING_URI", "EXPERIMENT_NAME", "EXPERIMENT_ID", "RUN_NAME", "RUN_ID")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"MLFLOW_{name}", raising=False)


@pytest.fixture
def own(tmp_path: Path) -> Composer:
    """The command's composer with a primary configuration of the user's, which speaks of tracking."""
    text = (
        "defaults: [config, override dataset: xor, _self_]\ntracking: {experiment: yaml, run_name: yaml, uri: 'y.db'}"
    )
    (tmp_path / "mine.yaml").write_text(text)
    return Composer(Sources(config_path=str(tmp_path), config_name="mine"))


@pytest.mark.parametrize(("variable", "key"), [("EXPERIMENT_NAME", "experiment"), ("RUN_NAME", "run_name")])
def test_the_command_line_goes_before_yaml_before_mlflows_variables_before_the_default(own, monkeypatch, variable, key):
    default = {"experiment": "runner", "run_name": None}[key]
    assert getattr(compose(["dataset=xor"]).tracking, key) == default
    monkeypatch.setenv(f"MLFLOW_{variable}", "variable")
    assert getattr(compose(["dataset=xor"]).tracking, key) == "variable"
    assert getattr(compose_with(own, []).tracking, key) == "yaml"
    assert getattr(compose_with(own, [f"tracking.{key}=typed"]).tracking, key) == "typed"
    assert getattr(compose(["dataset=xor", f"tracking.{key}=typed"]).tracking, key) == "typed"


def test_so_it_is_for_the_store(own, monkeypatch):
    assert compose(["dataset=xor"]).tracking.uri == "sqlite:///mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///variable.db")
    assert compose(["dataset=xor"]).tracking.uri == "sqlite:///variable.db"
    assert compose_with(own, []).tracking.uri == "y.db"
    assert compose_with(own, ["tracking.uri=typed.db"]).tracking.uri == "typed.db"


def test_an_experiments_name_goes_before_its_id(own, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "7")
    tracking = compose(["dataset=xor"]).tracking
    assert (tracking.experiment_id, tracking.experiment) == ("7", "runner")
    assert compose_with(own, []).tracking.experiment_id is None
    assert compose(["dataset=xor", "tracking.experiment=typed"]).tracking.experiment_id is None
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "variable")
    tracking = compose(["dataset=xor"]).tracking
    assert (tracking.experiment_id, tracking.experiment) == (None, "variable")


def test_an_empty_variable_says_nothing(monkeypatch):
    for name in NAMES[1:]:
        monkeypatch.setenv(f"MLFLOW_{name}", "")
    tracking = compose(["dataset=xor"]).tracking
    assert (tracking.experiment, tracking.experiment_id, tracking.run_name, tracking.run_id) == ("runner", *[None] * 3)


@pytest.mark.parametrize("sweep", [["seed=0,1"], ["search=random", "optimizer.lr=interval(0.1,1)"]])
def test_the_id_of_one_run_is_refused_where_many_are_asked_for(monkeypatch, sweep):
    monkeypatch.setenv("MLFLOW_RUN_ID", "0123")
    with pytest.raises(
        ConfigError, match=r"MLFLOW_RUN_ID must not be set in a sweep: it is the id of one run\. Got 0123\."
    ):
        ordered(Checked(), ["dataset=xor", *sweep], True)
    assert compose(["dataset=xor"]).tracking.run_id == "0123"


def test_mlflows_variables_are_no_part_of_what_a_run_is(monkeypatch):
    before = compose(["dataset=xor"]).key()
    for name in NAMES:
        monkeypatch.setenv(f"MLFLOW_{name}", "7")
    assert compose(["dataset=xor"]).key() == before
