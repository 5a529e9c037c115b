"""What pip installs: the command, the configurations, and what is said where another package has a name of ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UV = ["uv", "--quiet", "--no-config"]


def execute(folder: Path, *words: str | Path, code: int = 0) -> str:
    """What a command prints, run in an environment that knows nothing of this checkout."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "MLFLOW", "VIRTUAL"))}
    done = subprocess.run([*map(str, words)], cwd=folder, env=kept, capture_output=True, text=True, timeout=600)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of an environment that holds nothing but the built wheel and what it needs."""
    folder = tmp_path_factory.mktemp("wheel")
    execute(folder, *UV, "build", "--wheel", "--out-dir", "dist", ROOT)
    (wheel,) = (folder / "dist").glob("*.whl")
    execute(folder, *UV, "venv", "--python", sys.executable, "fresh")
    execute(folder, *UV, "pip", "install", "--python", folder / "fresh" / "bin" / "python", wheel)
    return folder / "fresh" / "bin"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.slow
def test_the_command_and_the_module_run_in_an_empty_directory(installed: Path, tmp_path: Path) -> None:
    for number, words in enumerate(([installed / "runner"], [installed / "python", "-m", "runner"])):
        folder = tmp_path / str(number)
        folder.mkdir()
        shown = execute(folder, *words, "dataset=xor", "optimizer=adam")
        assert "target train/cost <= 0.346574: reached" in shown
        assert {"outputs", "mlflow.db", "mlartifacts"} <= names(folder)
        (run,) = folder.glob("outputs/*/*")
        (folder / "new.csv").write_text("x1,x2\n0,1\n1,1\n")
        answers = execute(folder, installed / "python", "-m", "runner.predict", run, "--data", "new.csv")
        assert [line.split(",")[0] for line in answers.splitlines()] == ["prediction", "1", "0"]
        shown = execute(folder, *words, "-m", "experiment=cured/xor", "seed=range(3)", "tracking=none")
        assert "3 runs in" in shown


@pytest.mark.slow
def test_every_configuration_is_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    folder = next((installed.parent / "lib").glob("python*/site-packages/conf"))
    here = {path.relative_to(ROOT / "conf") for path in (ROOT / "conf").rglob("*.yaml")}
    assert {path.relative_to(folder) for path in folder.rglob("*.yaml")} == here
    shown = execute(tmp_path, installed / "runner", "--help")
    assert all(f"  {path.stem} " in shown for path in (ROOT / "conf" / "dataset").glob("*.yaml"))
    assert not names(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["datasets", "conf"])
def test_a_package_of_the_same_name_is_named_and_not_stumbled_over(name: str, installed: Path, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text('"""Somebody else\'s."""\n')
    for module in ("runner", "runner.check", "runner.predict", "runner.sync"):
        said = execute(tmp_path, installed / "python", "-m", module, "dataset=xor", code=2)
        assert f"`{name}` is another one here: {tmp_path / name / '__init__.py'}" in said
        assert "rename it" in said
    execute(tmp_path, installed / "runner", "dataset=xor", "tracking=none")  # it does not look into this directory
    done = subprocess.run(
        [installed / "python", "-c", "import runner"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert f"ImportError: The runner has a package called `{name}`" in done.stderr


@pytest.mark.slow
def test_a_package_installed_over_ours_is_named(installed: Path, tmp_path: Path) -> None:
    ours = next((installed.parent / "lib").glob("python*/site-packages/datasets/__init__.py"))
    kept = ours.read_text()
    ours.write_text("# HuggingFace Datasets, say: pip lets it overwrite the file\n")
    try:
        for words in ([installed / "runner"], [installed / "python", "-m", "runner"]):
            said = execute(tmp_path, *words, "dataset=xor", code=2)
            assert f"`datasets` is another one here: {ours}" in said
            assert "an environment of its own" in said
    finally:
        ours.write_text(kept)


OWN = """
import numpy as np

class Line:
    def __init__(self, inputs, outputs):
        self.parameters = {"W": np.random.randn(inputs, outputs)}

    def cost(self, X, Y):
        return float(np.mean((X @ self.parameters["W"] - Y) ** 2))

    def gradients(self, X, Y):
        return {"W": 2 * X.T @ (X @ self.parameters["W"] - Y) / len(X)}
"""


@pytest.mark.slow
def test_a_network_of_ones_own_is_found_in_the_current_directory(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    for words in ([installed / "runner"], [installed / "python", "-m", "runner"]):
        more = ["dataset=xor", "architecture=own", "architecture.network=mine:Line", "tracking=none"]
        assert "finished after 2000 iterations" in execute(tmp_path, *words, *more)


@pytest.mark.slow
def test_folders_of_data_and_yaml_with_those_names_are_in_nobodys_way(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "my.csv").write_text("a,b,label\n" + "1,2,x\n3,4,y\n" * 9)
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text("# @package _global_\n# Mine.\nseed: 3\n")
    words = ["--config-dir", "conf", "experiment=mine", "dataset=csv", "dataset.path=datasets/my.csv"]
    module = [installed / "python", "-m", "runner"]
    assert "seed 3" in execute(tmp_path, *module, *words, "dataset.target=label", "tracking=none")
