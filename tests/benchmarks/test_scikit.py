"""A user's first command on data that everybody knows reaches what scikit-learn's network of the same shape reaches."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def scikit() -> ModuleType:
    """benchmarks/scikit.py as a module."""
    spec = importlib.util.spec_from_file_location("benchmark_scikit", ROOT / "benchmarks" / "scikit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["circles", "iris", "digits", "diabetes"])
def test_one_command_reaches_what_scikit_learn_reaches_whatever_the_file(
    name: str, scikit: ModuleType, tmp_path: Path
) -> None:
    paths = scikit.export(name, tmp_path)
    scores = {kind: scikit.ours(name, path, tmp_path) for kind, path in paths.items()}
    assert np.array_equal(scores["csv"], scores["npz"])
    assert np.array_equal(scores["csv"], scores["h5"])
    peer = scikit.theirs(name, paths["npz"])
    assert len(peer) == len(scores["csv"]) == 10
    assert scores["csv"].mean() > peer.mean() - 3 * scikit.noise(scores["csv"], peer) - 0.002
