"""What is not as the protocol has it is said before the run: what, where, what was expected, all at once."""

import sys
from pathlib import Path

import pytest

from runner.command.check import check_experiment
from runner.experiment.build import compose
from runner.experiment.schema import ConfigError
from runner.runs.trace import traced
from runner.training.own.network import NetworkError

NET = """import numpy as np


class Net:
    def __init__(self, inputs, outputs, width=3):
        self.W = np.random.randn(inputs, outputs)
        self.b = np.zeros(outputs)
        self.parameters = {"W": self.W, "b": self.b}

    def forward(self, X):
        return 1 / (1 + np.exp(-(X @ self.parameters["W"] + self.parameters["b"])))

    def cost(self, X, Y):
        A = self.forward(X)
        return -np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A))

    def gradients(self, X, Y):
        dZ = (self.forward(X) - Y) / len(X)
        self.grads = {"W": X.T @ dZ, "b": dZ.sum(axis=0)}
        return self.grads

    def predict(self, X):
        return self.forward(X) > 0.5

    def step(self, lr):
        for key in self.parameters:
            self.parameters[key] -= lr * self.grads[key]
"""
OWN_STEP = ["architecture.update=own", "optimizer.lr=0.1"]
# What is written in place of what, the overrides, and what the message must say.
REFUSED: dict[str, tuple[list[tuple[str, str]], list[str], list[str]]] = {
    "whole numbers as parameters": (
        [("np.zeros(outputs)", "np.zeros(outputs, dtype=int)")],
        [],
        [r"parameters\['b'\] holds int64 and must hold floats: whole numbers cut every update off"],
    ),
    "a number as a parameter": ([("np.zeros(outputs)", "0.0")], [], [r"must be an array .*np.zeros\(1\)\. Got float"]),
    "no parameters": ([('{"W": self.W, "b": self.b}', "{}")], [], ["parameters holds no arrays"]),
    "a cost that is no scalar": (
        [("-np.mean(", "-("), ("np.log(1 - A))", "np.log(1 - A)).mean(axis=1)")],
        [],
        [r"cost\(X, Y\) must be a single number.* Got an array \(4,\) of float64"],
    ),
    "a cost without a return": ([("return -np.mean", "-np.mean")], [], [r"Got None \(is a `return` missing\?\)"]),
    "gradients that are the parameters": (
        [('"b": dZ.sum(axis=0)}', '"b": self.parameters["b"]}')],
        [],
        [r"gradients\['b'\] is parameters\['b'\] itself"],
    ),
    "gradients of whole numbers": (
        [("X.T @ dZ,", "(X.T @ dZ).astype(int),")],
        [],
        [r"gradients\['W'\] holds int64 and must hold floats"],
    ),
    "a forward pass that changes its input": (
        [("        return 1 / (1", "        X -= 0.5\n        return 1 / (1")],
        [],
        [r"cost\(X, Y\) changes its input X", r"gradients\(X, Y\) changes its input X", r"predict\(X\) changes"],
    ),
    "a cost that changes the parameters": (
        [("        A = self", '        self.parameters["W"] *= 0.9\n        A = self')],
        [],
        [r"cost\(X, Y\) changes the parameters: only step\(lr\) may"],
    ),
    "a transposed gradient": (
        [("X.T @ dZ", "dZ.T @ X")],
        [],
        [r"gradients\['W'\] has shape \(1, 2\), and parameters\['W'\] has \(2, 1\). It is transposed"],
    ),
    "two gradients of a wrong shape": (
        [("X.T @ dZ", "X.T"), ("dZ.sum(axis=0)", "dZ.sum(axis=1)")],
        [],
        [r"gradients\['W'\] has shape \(2, 4\)", r"gradients\['b'\] has shape \(4,\)"],
    ),
    "a gradient that is missing": (
        [('"W": X.T @ dZ,', '"weights": X.T @ dZ,')],
        [],
        [r"gradients\(X, Y\) has nothing for parameters\['W'\]; it has weights, b"],
    ),
    "a gradient of nothing": (
        [('{"W": X.T @ dZ, "b": dZ.sum(axis=0)}', "[X.T @ dZ, dZ.sum(axis=0), dZ]")],
        [],
        [r"gradients\(X, Y\) has nothing for parameters\['W'\]; it has 0, 1, 2", r"nothing for parameters\['b'\]"],
    ),
    "gradients of the last forward pass": (
        [("dZ = (self.forward(X)", "dZ = (self.A"), ("A = self.forward(X)", "A = self.A = self.forward(X)")],
        [],
        ["it must make its own forward pass"],
    ),
    "missing methods": (
        [("def cost", "def loss"), ("def gradients", "def gradient")],
        [],
        [r"has no cost\(X, Y\)", r"has no gradients\(X, Y\). Did you mean 'gradient'\?"],
    ),
    "a missing step": ([("def step", "def update")], OWN_STEP, [r"architecture.update=own: .* has no step\(lr\)"]),
    "a step that makes new arrays": (
        [
            ('self.parameters["W"] + self.parameters["b"]', "self.W + self.b"),
            ('        for key in self.parameters:\n', '        self.W = self.W - lr * self.grads["W"]\n'),
            (
                "            self.parameters[key] -= lr * self.grads[key]",
                '        self.b = self.b - lr * self.grads["b"]',
            ),
        ],
        OWN_STEP,
        [r"step\(lr\) makes new arrays .* and parameters holds the old ones"],
    ),
    "a step that makes some new arrays": (
        [
            ('X @ self.parameters["W"]', "X @ self.W"),
            ("        for key in self.parameters:\n", '        self.W = self.W - lr * self.grads["W"]\n'),
            ("            self.parameters[key] -= lr * self.grads[key]", '        self.b -= lr * self.grads["b"]'),
        ],
        OWN_STEP,
        [r"step\(lr\) makes new arrays .* and parameters holds the old ones"],
    ),
    "parameters that are copies at each call": (
        [
            ("self.parameters = {", "self.held = {"),
            (
                "    def forward",
                '    def parameters(self):\n        return {"W": self.W.copy(), "b": self.b.copy()}\n\n    def forward',
            ),
            ('self.parameters["W"] + self.parameters["b"]', "self.W + self.b"),
        ],
        [],
        ["parameters gives copies"],
    ),
    "parameters that were copied": (
        [('"W": self.W, "b": self.b', '"W": self.W.copy(), "b": self.b.copy()'),
         ('self.parameters["W"] + self.parameters["b"]', "self.W + self.b")],
        [],
        [r"cost\(X, Y\) does not change with parameters: are they copies"],
    ),
    "a step that changes nothing": (
        [("self.parameters[key] -= lr", "self.parameters[key].copy().__isub__(lr"), ("grads[key]\n", "grads[key])\n")],
        OWN_STEP,
        [r"step\(lr\) leaves parameters as they are, and the gradients are not 0"],
    ),
    "a step that changes a shape": (
        [("-= lr * self.grads[key]", "= self.grads[key][None]")],
        OWN_STEP,
        [r"parameter W had the shape \(2, 1\) at first, and now \(1, 2, 1\)", r"parameter b had the shape \(1,\)"],
    ),
    "predictions for something else": (
        [("return self.forward(X) > 0.5", "return self.forward(X)[:2] > 0.5")],
        [],
        [r"predict\(X\) must be \(n,\), or outputs .*for 4 samples as rows. Got an array \(2, 1\)"],
    ),
    "np.vectorize that cuts off": (
        [
            ("class Net", "def relu(z):\n    return z if z > 0 else 0\n\n\nclass Net"),
            ("len(X)\n", 'len(X)\n        np.vectorize(relu)(np.array([-1.0, 0.5]))\n'),
        ],
        [],
        [r"np.vectorize\(relu\) gives whole numbers and cuts the rest off \(.*net.py:\d+\)"],
    ),
    "an argument that it does not take": (
        [], ["+architecture.arguments.widht=4"], [r"takes no such argument. Did you mean 'width'"]
    ),
    "hidden layers that it does not take": ([], ["architecture.hidden=[4]"], ["takes neither hidden nor widths"]),
    "an argument that it needs": (
        [("outputs, width=3", "outputs, depth")], [], [r"needs depth: \+architecture.arguments.depth=VALUE"]
    ),
    "an init": ([], ["init=he_normal"], ["draws its weights itself"]),
    "a fault inside": ([], ["fault=hidden_sign"], ["fault=hidden_sign is a mistake in this project's own networks"]),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "net.py").write_text(NET)
    return tmp_path


def words(*others: str, network: str = "net:Net") -> list[str]:
    return ["dataset=xor", "architecture=own", f"architecture.network={network}", "training.iterations=20", *others]


def rewritten(folder: Path, *edits: tuple[str, str]) -> None:
    source = NET
    for before, after in edits:
        assert before in source
        source = source.replace(before, after)
    (folder / "net.py").write_text(source)


def test_the_network_of_this_file_trains_both_ways(folder: Path) -> None:
    for others in ([], OWN_STEP):
        assert traced(compose(words(*others))).status == "finished"


@pytest.mark.parametrize(
    "gradients",
    [
        "[X.T @ dZ, dZ.sum(axis=0)]",  # a list in the order of the parameters
        '{"dW": X.T @ dZ, "db": dZ.sum(axis=0), "dZ": dZ}',  # what else there is to say
        '{"b": dZ.sum(axis=0), "W": X.T @ dZ}',
    ],
)
def test_gradients_may_come_in_several_structures(gradients: str, folder: Path) -> None:
    rewritten(folder, ('{"W": X.T @ dZ, "b": dZ.sum(axis=0)}', gradients))
    assert check_experiment(compose(words())).ok


@pytest.mark.parametrize("case", REFUSED)
def test_a_mistake_is_refused_before_the_run(case: str, folder: Path) -> None:
    edits, others, expected = REFUSED[case]
    rewritten(folder, *edits)
    with pytest.raises(ConfigError) as refused:
        compose(words(*others))
    assert len(refused.value.problems) == len(expected)
    for sentence in expected:
        assert refused.match(sentence)
    assert list(folder.iterdir()) == [folder / "net.py"]


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ("nett:Net", "there is no module 'nett' in .* Did you mean 'net:Net'"),
        ("net:Nett", "net has no 'Nett'; it has Net. Did you mean 'Net'"),
        ("./net.py:Net", "must be MODULE:NAME, as in my_module:MyNet.*Did you mean 'net:Net'"),
        ("net:NET", "has no 'NET'"),
        ("subprocess:run", "subprocess came with Python or an installed package"),
        ("numpy:zeros", "numpy came with Python or an installed package"),
        ("runner.nn.optimizers:adam", "runner.nn.optimizers came with Python or an installed package"),
        ("datasets.xor:xor", "datasets.xor came with Python or an installed package"),
        ("net:np.zeros", "net:np.zeros"),
        ("net:subprocess.run", "run is subprocess's, and not a network of yours"),
    ],
)
def test_a_network_that_is_not_there_is_refused(network: str, says: str, folder: Path) -> None:
    rewritten(folder, ("import numpy as np", "import subprocess\n\nimport numpy as np"))
    with pytest.raises(ConfigError, match=says):
        compose(words(network=network))


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (("class Net", "1 / 0\n\n\nclass Net"), "importing net raised ZeroDivisionError: division by zero, .*net.py:4"),
        (("import numpy as np", "import nunpy as np"), "importing net raised ModuleNotFoundError: No module named"),
        (("class Net:", "class Net"), "importing net raised SyntaxError"),
        (("np.zeros(outputs)", "np.zero(outputs)"), r"Net\(\) raised AttributeError: .*net.py:7"),
        (("X.T @ dZ", "X @ dZ"), r"gradients raised ValueError: .*; given X \(4, 2\), Y \(4, 1\), .*net.py:19"),
        (("X.T @ dZ", "exit(3)"), r"gradients raised SystemExit: 3; given X"),
        (("def cost(self, X, Y)", "def cost(self, X)"), r"cost raised TypeError: .*takes 2 positional arguments"),
    ],
)
def test_what_the_users_code_raises_comes_with_its_own_traceback(
    edit: tuple[str, str], says: str, folder: Path
) -> None:
    rewritten(folder, edit)
    with pytest.raises(NetworkError, match=says) as raised:
        compose(words())
    text = str(raised.value)
    assert "Traceback" in text or "SyntaxError" in text or "positional" in text
    assert f"runner{chr(47)}own" not in text  # none of our frames


def test_an_input_that_is_written_to_later_is_their_error(folder: Path) -> None:
    """The arrays of the run cannot be written to: what the trial did not see ends the run, with their traceback."""
    late = "        self.calls = getattr(self, 'calls', 0) + 1\n        if self.calls > 30:\n            X *= 2\n"
    rewritten(folder, ("        dZ = ", f"{late}        dZ = "))
    experiment = compose(words("training.iterations=100"))
    with pytest.raises(NetworkError, match=r"gradients raised ValueError: .*read-only"):
        traced(experiment)


def test_columns_mistaken_for_rows_are_seen_by_their_shapes(folder: Path) -> None:
    with pytest.raises(NetworkError, match=r"cost raised ValueError: .*; given X \(2, 4\), Y \(1, 4\)"):
        compose(words("architecture.samples=columns"))
