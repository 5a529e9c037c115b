"""What several test files need: small data files, and the root of the checkout."""

import os
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import settings
from PIL import Image
from xdist.scheduler import LoadScopeScheduling

from datasets.given import hand_over

# How long an example takes says nothing about whether it is right, and a busy machine would make it fail.
settings.register_profile("runner", deadline=None)
settings.load_profile("runner")

ROOT = Path(__file__).resolve().parents[1]

# The commands that tests start are typed as from an activated environment, however the tests were: see screen/typed.py.
os.environ.pop("UV_RUN_RECURSION_DEPTH", None)
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


# What is made once for these files (a sweep, a server, an environment) takes long: one worker runs all of their tests.
TOGETHER = (
    "command/test_predict.py",
    "command/test_store.py",
    "report/test_browser.py",
    "report/test_report.py",
    "runs/test_model_tables.py",
    "test_notebook.py",
    "test_wheel.py",
    "tracking/test_old_server.py",
    "tracking/test_postgres.py",
    "tracking/test_ui.py",
)


class Grouped(LoadScopeScheduling):
    """Test by test to whichever worker is free; the files above as wholes."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return file if file.removeprefix("tests/") in TOGETHER else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Grouped:
    config.option.loadscopereorder = False  # fast tests first, as they are collected
    return Grouped(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first: the slow ones run last, in the order they stand in."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def cats_dir() -> Path:
    """The real cats. CI must have them; elsewhere their tests say why they do not run."""
    found = os.environ.get("CATS_DIR", "")
    if not found:
        if os.environ.get("CI"):
            pytest.fail("CATS_DIR must name the folder of the cats' two h5 files in CI")
        pytest.skip("CATS_DIR does not name the folder of the cats' two h5 files")
    return Path(found)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The posts and cases. CI must have them; elsewhere their tests say why they do not run."""
    found = os.environ.get("SHARED_DIR", "")
    if not found:
        if os.environ.get("CI"):
            pytest.fail("SHARED_DIR must name the folder of posts/ and cases/ in CI")
        pytest.skip("SHARED_DIR does not name the folder of posts/ and cases/")
    return Path(found)


@pytest.fixture(scope="session")
def data_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The overrides that give each dataset which reads files a small one made for it."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(24, 3)), np.arange(24) % 2
    for name, n in (("train", 20), ("test", 8)):
        with h5py.File(folder / f"{name}_catvnoncat.h5", "w") as file:
            file[f"{name}_set_x"] = rng.integers(0, 255, (n, 4, 4, 3), dtype=np.uint8)
            file[f"{name}_set_y"] = np.arange(n) % 2
            file["list_classes"] = np.array([b"non-cat", b"cat"])
    with h5py.File(folder / "own.h5", "w") as file:
        file["X"], file["y"] = X, y
    np.savez(folder / "own.npz", X=X, y=y)
    lines = ["a,b,c,label", *(f"{a},{b},{c},{'yes' if label else 'no'}" for (a, b, c), label in zip(X, y, strict=True))]
    for number, label in enumerate(["cat", "dog"] * 6):
        (folder / "pictures" / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (6, 5), dtype=np.uint8)).save(folder / f"pictures/{label}/{number}.png")
    (folder / "own.csv").write_text("\n".join(lines) + "\n")
    return {
        "cats": [f"dataset.dir={folder}"],
        "h5": [f"dataset.path={folder / 'own.h5'}"],
        "npz": [f"dataset.path={folder / 'own.npz'}"],
        "given": [f"dataset.sha256={hand_over((X, y))}"],
        "images": [f"dataset.path={folder / 'pictures'}"],
        "csv": [f"dataset.path={folder / 'own.csv'}", "dataset.target=label"],
    }


@pytest.fixture
def python() -> list[str]:
    return [sys.executable]
