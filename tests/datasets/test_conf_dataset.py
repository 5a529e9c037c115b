"""Every yaml of conf/dataset names a function and shows all its options, with the function's own defaults."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from pydantic import ConfigDict, validate_call

from datasets import Dataset, prepare

CONF = Path(__file__).resolve().parents[2] / "conf" / "dataset"
YAMLS = sorted(CONF.glob("*.yaml"))
MISSING = "???"  # OmegaConf's mark of a value that the user must give

# What a configuration says otherwise than the function: bytes are brought to 0..1 as the course does; of users' files
# the functions' defaults are how runs of before read them, so that these replay, where new runs look at the file.
LOOKED_AT = {"missing": "auto", "na": "auto", "scaling": "auto", "target_scaling": "auto"}
DELIBERATE = {
    "cats": {"scaling": "divide", "divisor": 255.0},
    "csv": {**LOOKED_AT, "delimiter": "auto", "header": "auto", "decimal": "auto", "encode": "auto"},
    "h5": LOOKED_AT,
    "given": {**LOOKED_AT, "encode": "auto"},
    "images": {"scaling": "auto", "target_scaling": "auto"},
    "sklearn": {"scaling": "auto", "target_scaling": "auto"},
    "npz": LOOKED_AT,
}


def function_of(path):
    return getattr(import_module(f"datasets.{path.stem}"), path.stem)


def defaults_of(function):
    parameters = inspect.signature(function).parameters.values()
    empty = inspect.Parameter.empty
    return {
        p.name: MISSING if p.default is empty else p.default
        for p in parameters
        if p.annotation is not Dataset  # the dataset that `prepare` takes is no option
    }


def test_every_module_with_a_function_of_its_own_name_has_a_yaml():
    modules = [path.stem for path in (CONF.parents[1] / "datasets").glob("[a-z]*.py")]
    loaders = [name for name in modules if hasattr(import_module(f"datasets.{name}"), name)]
    assert sorted(loaders) == [path.stem for path in YAMLS]


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.stem)
class TestYaml:
    def test_shows_every_option_with_its_default(self, path):
        shown = yaml.safe_load(path.read_text())
        assert shown.pop("name") == path.stem
        expected = defaults_of(function_of(path)) | defaults_of(prepare) | DELIBERATE.get(path.stem, {})
        assert shown == expected
        assert {key: type(value) for key, value in shown.items()} == {
            key: type(value) for key, value in expected.items()
        }

    def test_says_in_its_first_line_what_it_is_for(self, path):
        assert path.read_text().startswith("# ")


@pytest.mark.parametrize("name", ["flower", "parity", "spiral", "xor"])
def test_a_yaml_that_needs_no_file_makes_a_dataset(name):
    options = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    function = getattr(import_module(f"datasets.{name}"), name)
    own = {key: options[key] for key in defaults_of(function)}
    common = {key: options[key] for key in defaults_of(prepare)}
    strictly = validate_call(config=ConfigDict(strict=True))
    assert isinstance(prepare(strictly(function)(**own), **common), Dataset)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("parity", {"n": 0}),
        ("parity", {"code": "roman"}),
        ("flower", {"noise": -0.1}),
        ("flower", {"noise": float("nan")}),
        ("flower", {"seed": -1}),
        ("flower", {"seed": 2**32}),
        ("spiral", {"classes": 1}),
        ("spiral", {"turns": float("inf")}),
        ("spiral", {"n": 10.0}),
        ("csv", {"path": "x.csv"}),  # a target has to be given
        ("npz", {"path": "x.npz", "task": "clustering"}),
    ],
)
def test_the_signature_alone_refuses_what_is_out_of_bounds(name, wrong):
    function = getattr(import_module(f"datasets.{name}"), name)
    with pytest.raises(ValueError, match="validation error"):
        validate_call(config=ConfigDict(strict=True))(function)(**wrong)
