"""Networks as people write them: what is right passes, and what is wrong is found and named, whatever the style."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from runner.command.check import check_experiment
from runner.diagnosis.gradient.measure import Check
from runner.experiment.build import compose
from runner.runs.trace import traced

NETWORKS = Path(__file__).resolve().parents[2] / "training" / "own" / "networks"
# File, what stands after the colon, overrides beside the network.
STYLES: dict[str, tuple[str, list[str]]] = {
    "dictionary": ("Net", ["architecture.samples=columns", "architecture.hidden=[6]"]),
    "list": ("Network", []),
    "attributes": ("MLP", ["architecture.update=own", "optimizer.lr=0.5"]),
    "closures": ("make_network", []),
    "functions": ("", ["architecture.hidden=[5]", "architecture.update=own", "optimizer.lr=0.5"]),
    "pairs": ("Classifier", ["dataset=spiral", "architecture.hidden=[6,5]"]),
    "no_bias": ("Eleven", ["dataset=flower"]),
    "index": ("TwoLayerNet", ["dataset=spiral", "architecture.labels=index", "architecture.hidden=[6]"]),
    "layers": ("Sequential", ["architecture.samples=columns", "architecture.update=own", "optimizer.lr=0.5"]),
    "theta": ("Course", []),
    "dataclass": ("Regressor", ["architecture.samples=columns"]),
}
# The line as it is, the line with a mistake, the kind and the layer that the check must name.
MISTAKES: dict[str, tuple[str, str, str, int | None]] = {
    "dictionary": ("dZ2 = A2 - Y", "dZ2 = A2 + Y", "sign in the loss", 2),
    "list": ("(1 - h1**2)", "(1 - h1)", "another activation's derivative", 1),
    "attributes": ("back.sum(axis=0),", "0 * back.sum(axis=0),", "frozen bias", 1),
    "closures": ("/ X.shape[0]\n        dZ1", "\n        dZ1", "missing mean", 2),
    "functions": ("(1 - activations[l] ** 2)", "1", "activation derivative missing", 1),
    "pairs": ("dZ = dZ @ W.T * (A > 0)", "dZ = dZ @ W.T", "activation derivative missing", 2),
    "no_bias": ("self.nonlin(l1, deriv=True)", "l1", "another activation's derivative", 1),
    "index": ('self.reg * self.W1,', "2 * self.reg * self.W1,", "l2", 1),
    "layers": ("self.W -= lr", "self.W += lr", "ascent", None),
    "theta": ("D2 += np.outer(delta3, a2)", "D2 += np.outer(delta3, a2) * -1", "sign", 2),
    "dataclass": ("dZ1.sum(axis=1", "(2 * dZ1).sum(axis=1", "factor", 1),
}  # fmt: skip
POSTS: dict[str, tuple[str, list[str]]] = {
    "xor": (":Network", ["architecture.samples=columns"]),
    "parity": ("", ["architecture.samples=columns", "architecture.update=own"]),
    "cats": (":Model", ["architecture.samples=columns"]),
    "flower": (":ShallowNet", ["architecture.samples=columns", "architecture.update=own", "optimizer.lr=1.2"]),
    "spiral": ("", ["architecture.labels=column"]),
}
VERDICTS = {"xor": ("sign in the loss", 2), "parity": ("missing 1 - A", 2)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with the networks in it."""
    shutil.copytree(NETWORKS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def overrides(network: str, others: list[str]) -> list[str]:
    dataset = [] if any(text.startswith("dataset=") for text in others) else ["dataset=xor"]
    return [*dataset, "architecture=own", f"architecture.network={network}", *others]


# Others than those of MISTAKES: what is in a kind of its own, or known only of some styles.
FURTHER = [
    ("pairs", "e / e.sum(axis=1, keepdims=True)", "e / e.sum(axis=0, keepdims=True)", "samples mixed", 3),
    ("layers", "self.dW, self.db = dZ @", "self.dW, self.db = getattr(self, 'dW', 0) + dZ @", "accumulated", None),
    ("layers", "self.b -= lr * self.db", "pass", "bias not updated", None),
    ("layers", "self.W -= lr * self.dW", "self.W -= lr * self.dW.mean()", "wrong update", None),
    ("list", "d2 @ W2.T", "d2 @ W2", "transposed", 1),
    ("list", "h1.T @ d2", "h2.T @ d2", "off by one layer", 2),
    ("list", "(1 - h2**2)", "(1 - h2**2) ** 2", "activation derivative twice", 2),
    ("dictionary", "dZ2 @ A1.T", "dZ2 @ Z1.T", "wrong inputs", 2),
    ("dictionary", "dZ2 = A2 - Y", "dZ2 = (A2 - Y) * A2 * (1 - A2)", "output derivative twice", 2),
    ("attributes", "v + g", "v - g", "ascent", None),
    ("functions", ' + LAMBDA * params["weights"][l]', "", "l2", 2),
    ("theta", "a2 * (1 - a2)", "a2", "wrong derivative", 1),
]


def styled(style: str) -> list[str]:
    name, others = STYLES[style]
    return overrides(f"style_{style}{':' * bool(name)}{name}", others)


def checked(words: list[str]) -> Check:
    return check_experiment(compose(words))


@pytest.mark.parametrize("style", STYLES)
def test_a_right_network_passes(style: str, folder: Path) -> None:
    found = checked(styled(style))
    assert found.ok
    assert found.mistake is None
    assert all(abs(layer.rho - 1) < 3e-3 and layer.relative_error < 1e-6 for layer in found.layers)


@pytest.mark.parametrize(
    ("style", "right", "wrong", "kind", "layer"),
    [*((style, *mistake) for style, mistake in MISTAKES.items()), *FURTHER],
)
def test_its_mistake_is_named(style: str, right: str, wrong: str, kind: str, layer: int | None, folder: Path) -> None:
    path = folder / f"style_{style}.py"
    source = path.read_text()
    assert source.count(right) == 1
    path.write_text(source.replace(right, wrong))
    found = checked(styled(style))
    assert not found.ok
    assert found.mistake is not None
    assert (found.mistake.kind, found.mistake.layer) == (kind, layer)


@pytest.mark.parametrize("style", STYLES)
def test_a_right_network_learns(style: str, folder: Path) -> None:
    trace = traced(compose([*styled(style), "training.iterations=60", "training.log_every=20"]))
    assert trace.status == "finished"
    assert trace["train/cost"][-1] < trace["train/cost"][0]
    assert 0 <= trace["train/accuracy"][-1] <= 1
    assert len(trace.own) == len([key for key in trace.values if key.startswith("grad_norm/")])


@pytest.mark.parametrize("post", POSTS)
def test_the_verdict_on_each_post_is_the_true_one(post: str, folder: Path, data_files: dict[str, list[str]]) -> None:
    name, others = POSTS[post]
    words = overrides(f"post_{post}{name}", [f"dataset={post}", *data_files.get(post, []), *others])
    found = checked(words)
    assert found.ok == (post not in VERDICTS)
    if found.mistake:
        assert (found.mistake.kind, found.mistake.layer) == VERDICTS[post]


def test_a_posted_network_trains_as_ours_does(folder: Path) -> None:
    """The flower post, by its own update: the published costs, and then a NaN that is found by step and place."""
    words = [*overrides("post_flower:ShallowNet", ["dataset=flower", *POSTS["flower"][1]]), "training.iterations=4000"]
    trace = traced(compose([*words, "training.log_every=100"]))
    costs = dict(zip(trace.steps.tolist(), trace["train/cost"], strict=True))
    np.testing.assert_allclose([costs[0], costs[500], costs[1000]], [0.9897586239010666, 0.55132274, 0.545709], 1e-5)
    assert trace.status == "diverged"
    assert trace.nonfinite is not None
    assert 1300 < trace.nonfinite["step"] < 2200
