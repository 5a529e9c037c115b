"""The protocol meets people half way: other names, data at the constructor, one class alone, inputs as they are."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from runner.command.check import check_experiment
from runner.experiment.build import compose
from runner.experiment.experiment import Experiment
from runner.experiment.schema import ConfigError
from runner.runs.trace import traced

NETWORKS = Path(__file__).parent / "networks"
HALF = sorted(path.stem for path in NETWORKS.glob("half_*.py"))
AS_IS = "architecture.inputs=as_is"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(NETWORKS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def own(network: str, *others: str) -> Experiment:
    return compose(["architecture=own", f"architecture.network={network}", "training.iterations=20", *others])


@pytest.mark.parametrize("network", HALF)
def test_a_backward_pass_of_another_name_and_a_class_alone_in_its_module(network: str) -> None:
    experiment = own(network, "dataset=xor")
    assert check_experiment(experiment).ok
    trace = traced(experiment)
    assert trace["train/cost"][-1] < trace["train/cost"][0]
    assert trace.predict(np.zeros((2, 2))).shape == (2,)


def test_whole_numbers_stay_whole_numbers(folder: Path) -> None:
    words = np.random.default_rng(0).integers(0, 9, (24, 5))
    np.savez(folder / "words.npz", X=words, y=(words[:, 0] > 4).astype(int))
    experiment = own("whole_embedding:Net", "dataset=npz", f"dataset.path={folder / 'words.npz'}", AS_IS)
    assert check_experiment(experiment).ok
    trace = traced(experiment)
    assert trace["train/cost"][-1] < trace["train/cost"][0]
    assert trace.predict(words.astype(float)).shape == (24,)


def test_pictures_keep_their_shape(data_files: dict[str, list[str]]) -> None:
    experiment = own("picture_convolution:Net", "dataset=cats", *data_files["cats"], AS_IS)
    assert check_experiment(experiment).ok
    trace = traced(experiment)
    assert trace["train/cost"][-1] < trace["train/cost"][0]


def test_what_is_to_stay_as_it_is_is_not_scaled(data_files: dict[str, list[str]]) -> None:
    with pytest.raises(ConfigError, match=r"scaling must be none with architecture\.inputs=as_is"):
        own("picture_convolution:Net", "dataset=npz", *data_files["npz"], "dataset.scaling=standardise", AS_IS)


NOTHING = {
    "no gradients": ("    def backprop(", "    def other(", ["has no gradients(X, Y)", "def gradients(self, X, Y):"]),
    "no parameters": ("self.parameters =", "self.mine =", ["has no parameters", "def parameters(self):"]),
    "no return": ('        return {"W1": X', '        d = {"W1": X', ['return {"W1": dW1, "W2": dW2}']),
}


@pytest.mark.parametrize("case", NOTHING)
def test_what_does_not_fit_is_named_with_the_lines_that_would_make_it_fit(case: str, folder: Path) -> None:
    old, new, wanted = NOTHING[case]
    name = f"unfit_{case.replace(' ', '_')}"
    (folder / f"{name}.py").write_text((NETWORKS / "half_backprop.py").read_text().replace(old, new))
    with pytest.raises(ConfigError) as raised:
        own(name, "dataset=xor")
    assert all(each in str(raised.value) for each in wanted), str(raised.value)


def test_a_module_with_several_networks_asks_which(folder: Path) -> None:
    text = (NETWORKS / "half_backprop.py").read_text()
    (folder / "several.py").write_text(text + text.replace("NeuralNetwork", "Other").partition("import numpy as np")[2])
    with pytest.raises(ConfigError, match=r"2 networks: architecture.network=several:NeuralNetwork or .*several:Other"):
        own("several", "dataset=xor")
