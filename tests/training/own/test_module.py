"""The module of a user's network is executed once, and found as its execution left it by every network made of it."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from runner.experiment.build import compose
from runner.nn.architectures import Own
from runner.runs.trace import traced
from runner.training.own import module
from runner.training.own.module import fresh
from tests.diagnosis.gradient.test_styles import STYLES, overrides

ROOT = Path(__file__).resolve().parents[3]
NETWORKS = Path(__file__).parent / "networks"
TOLD = "with open('told', 'a') as told:\n    told.write('executed\\n')\n"  # once for each execution


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(NETWORKS), *sys.path])
    module._kept.clear()
    return tmp_path


def made(text: str, seed: int = 0, name: str = "theirs") -> ModuleType:
    Path(f"{name}.py").write_text(text + TOLD)
    return fresh(Own(network=f"{name}:Net"), seed)


def executions() -> int:
    return len(Path("told").read_text().splitlines())


STATE = """
import random
import numpy as np
from numpy.random import default_rng, rand
W = [np.ones(3), {"b": np.zeros(2)}]
rng = default_rng(3)
normal = rng.normal
class Net:
    count = 0
    cache = {}
    class Inner:
        rates = [1.0]
    def __init__(self):
        self.W = [rand(2), rng.random(2), normal(size=2), random.random()]
net = Net()
"""


def drawn(theirs: ModuleType) -> list[np.ndarray]:
    """What a network is made with: draws of every generator it has, and its weights, which it then changes."""
    found = [*theirs.Net().W, theirs.W[0].copy(), theirs.W[1]["b"].copy(), theirs.net.W[0].copy()]
    found += [np.array(theirs.Net.count), np.array(len(theirs.Net.cache)), np.array(len(theirs.Net.Inner.rates))]
    theirs.W[0] += 1
    theirs.W[1]["b"] -= 1
    theirs.net.W[0] *= 0
    theirs.Net.count += 1
    theirs.Net.cache["key"] = theirs.Net.more = theirs.more = 1
    theirs.Net.Inner.rates.append(2.0)
    return found


@pytest.mark.parametrize("draws", [False, True])
def test_what_its_networks_change_is_put_back_without_another_execution(draws: bool) -> None:
    text = STATE + ("first = rand()\n" if draws else "net.W[0] = np.ones(2)\n")
    again = [drawn(made(text, seed)) for seed in (5, 5, 6, 5)]
    for one, other in zip(again[0], again[1], strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(again[0], again[3], strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(again[0][0], again[2][0])
    assert not hasattr(made(text, 5).Net, "more")
    module._kept.clear()
    for one, other in zip(again[0], drawn(made(text, 5)), strict=True):  # as if executed for the first time
        np.testing.assert_array_equal(one, other)


def test_where_it_draws_at_its_top_each_seed_is_executed_once() -> None:
    for seed in (1, 2, 1, 2):
        made("import numpy as np\nW = np.random.randn(3)\n", seed)
    assert executions() == 2


KEPT = {
    "names of libraries": "from typing import *\nfrom functools import partial\nfrom scipy.special import expit\n",
    "annotations": "from __future__ import annotations\nfrom typing import TypeVar\nT = TypeVar('T')\n",
    "a closed file": "file = open('log', 'w')\nfile.close()\n",
    "a dataclass": "from dataclasses import dataclass\n@dataclass\nclass Net:\n    hidden: int = 3\n",
    "an abstract class": "from abc import ABC, abstractmethod\nclass A(ABC):\n    @abstractmethod\n    def f(s): 0\n",
    "properties": "class Net:\n    @property\n    def a(self): return 1\n    @staticmethod\n    def f(): ...\n",
    "lambdas": "import numpy as np\nacts = {'relu': lambda Z: np.maximum(Z, 0)}\n",
    "a decorator": "from functools import wraps\ndef of(f):\n    @wraps(f)\n    def g(*a): return f(*a)\n    return g\n"
    "@of\ndef h(x): return x\n",
    "a partial": "from functools import partial\nimport numpy as np\nf = partial(np.dot, np.ones(3))\n",
    "slots": "class Net:\n    __slots__ = ('a',)\nnet = Net()\nnet.a = [1]\n",
    "a logger": "import logging\nlog = logging.getLogger('theirs')\n",
    "an enumeration": "from enum import Enum\nclass Kind(Enum):\n    one = 1\n",
}
EXECUTED_AGAIN = {
    "an array in a closure": "import numpy as np\ndef of(W):\n    return lambda: W\nnet = of(np.ones(3))\n",
    "a default that changes": "def f(x=[]): x.append(1)\n",
    "a generator as default": "import numpy as np\nclass Net:\n    def f(self, rng=np.random.default_rng(0)): ...\n",
    "a cache": "import functools\n@functools.lru_cache\ndef f(x): return x\n",
    "an attribute of a function": "def f(): ...\nf.calls = 0\n",
    "a generator that was begun": "def numbers():\n    yield 1\nit = numbers()\n",
    "a lock": "import threading\nlock = threading.Lock()\n",
}


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_it_is_kept_with(text: str) -> None:
    made(text)
    made(text)
    assert executions() == 1


@pytest.mark.parametrize("text", EXECUTED_AGAIN.values(), ids=EXECUTED_AGAIN)
def test_it_is_executed_again_with(text: str) -> None:
    made(text)
    made(text)
    assert executions() == 2


def test_a_changed_source_is_executed() -> None:
    assert made("rate = 1\n").rate == 1
    assert made("rate = 2\n").rate == 2


def test_a_module_beside_it_is_put_back_too(folder: Path) -> None:
    (folder / "layers.py").write_text("import numpy as np\nrng = np.random.default_rng(0)\n")
    text = "import layers\nfrom layers import rng\n"
    first = made(text)
    values = first.rng.random(3)
    second = made(text)
    assert second.layers.rng is second.rng
    np.testing.assert_array_equal(second.rng.random(3), values)


NETS = {f"style_{style}:{name}".rstrip(":"): others for style, (name, others) in STYLES.items()}


@pytest.mark.parametrize(("network", "others"), NETS.items(), ids=NETS)
def test_networks_train_alike_kept_or_executed_again(
    network: str, others: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second training in a process is the first, and that of a module which is never kept."""
    experiment = compose([*overrides(network, others), "training.iterations=5"])
    kept = [traced(experiment)["train/cost"] for _ in range(2)]
    monkeypatch.setattr(module, "MOST", 0)
    module._kept.clear()
    executed = traced(compose([*overrides(network, others), "training.iterations=5"]))["train/cost"]
    np.testing.assert_array_equal(kept[0], kept[1])
    np.testing.assert_array_equal(kept[0], executed)


NET = """
import numpy as np
class Net:
    def __init__(self):
        self.parameters = {"W": np.random.randn(2, 1), "b": np.zeros((1, 1))}
    def A(self, X):
        return X @ self.parameters["W"] + self.parameters["b"]
    def cost(self, X, Y):
        return np.mean((self.A(X) - Y) ** 2)
    def gradients(self, X, Y):
        d = 2 * (self.A(X) - Y) / len(X)
        return {"W": X.T @ d, "b": d.sum(axis=0, keepdims=True)}
    def predict(self, X):
        return self.A(X)
"""


@pytest.mark.parametrize("more", [["plots=false"], ["plots=true"], ["plots=true", "diagnosis.check_gradients=true"]])
def test_a_run_executes_it_once_whatever_is_drawn_and_looked_into(more: list[str], folder: Path) -> None:
    (folder / "theirs.py").write_text(TOLD + NET)
    words = ["dataset=xor", "architecture=own", "architecture.network=theirs:Net", "training.iterations=20"]
    command = [sys.executable, "-m", "runner", *words, "tracking=none", "hydra.run.dir=run", *more]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert "target" in done.stdout
    assert (folder / "run" / "plots").exists() == (more[0] == "plots=true")
    assert executions() == 1
