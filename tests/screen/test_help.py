"""What a newcomer asks the command line: help, the configuration, where it comes from, completion."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from runner.command import check
from runner.experiment.build import compose
from runner.experiment.compose import Composer
from runner.experiment.schema import options
from runner.nn import activations, losses
from runner.screen import gradient, help

ROOT = Path(__file__).resolve().parents[2]


def python(words: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    places = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **environment}
    return subprocess.run([sys.executable, *words], cwd=folder, env=places, capture_output=True, text=True, timeout=120)


def test_help_has_a_line_about_every_option_of_every_group() -> None:
    shown, composer = help.text(), Composer()
    for group in composer.groups:
        section = shown.split(f"\n{group}=...", 1)[1].split("\n\n")[0]
        for option in composer.options(group):
            assert re.search(rf"^  {option} +\S.{{6}}", section, re.MULTILINE), f"{group}={option}"


def test_help_names_what_the_network_can_be_made_of_and_every_key_of_a_group() -> None:
    shown = help.text()
    for key, module, kind in (("activation", activations, "Activation"), ("loss", losses, "Head")):
        section = shown.split(f"\narchitecture.{key}=...", 1)[1].split("\n\n")[0]
        assert set(options(module, kind)) <= set(re.findall(r"^  (\w+) ", section, re.MULTILINE))
    assert set(losses.OUTPUTS) <= set(re.findall(r"^  (\w+) +gives", shown, re.MULTILINE))
    flat = " ".join(shown.split())
    for key in ("momentum=0.9", "beta1=0.9", "clip_norm=null", "hidden", "dropout=0.0", "scale", "bias_scale=0.0"):
        assert re.search(rf"[\[ ,]{re.escape(key)}[,\] ]", flat), key


def test_the_table_in_the_help_of_check_is_the_one_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    experiment = compose(["dataset=xor"])
    gradient.show(check.check_experiment(experiment), experiment)
    (head,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("layer"))
    assert head.split() in [line.split() for line in str(check.__doc__).splitlines()]


def test_titles_are_of_groups_that_there_are() -> None:
    assert set(help.TITLES) <= set(Composer().groups)


def test_help_names_every_key_beside_the_groups_that_has_a_comment() -> None:
    shown = help.text()
    for key in ("training.iterations=2000", "objective.metric=auto", "sweep.dry_run=false", "seed=0", "resume=null"):
        assert f"  {key} " in shown


def test_help_gives_five_examples() -> None:
    examples = help.text().split("Examples\n")[1].split("\n\n")[0].splitlines()
    assert len(examples) == 5
    assert all(line.startswith("  python -m runner") for line in examples)


def test_help_lists_the_users_own_yaml_files(tmp_path: Path) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "night.yaml").write_text("# @package _global_\n# All night.\nseed: 3\n")
    done = python(["-m", "runner", "--help", "--config-dir", "mine"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^  night +All night\.$", done.stdout, re.MULTILINE)
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("words", [["--help"], ["--cfg", "job"], ["--info", "all"], ["--hydra-help"]])
def test_asking_writes_nothing_and_imports_neither_mlflow_nor_matplotlib(words: list[str], tmp_path: Path) -> None:
    done = python(["-X", "importtime", "-m", "runner", *words], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    imported = set(re.findall(r"\| +([\w.]+)$", done.stderr, re.MULTILINE))
    assert "runner.experiment.experiment" in imported
    assert not imported & {"mlflow", "matplotlib", "optuna", "pyarrow"}
    assert not list(tmp_path.iterdir())


def complete(line: str, setup: str, function: str, folder: Path, *places: Path) -> set[str]:
    """What bash offers where the cursor stands at the end of `line`."""
    script = f"{setup}\nCOMP_LINE='{line}' COMP_POINT={len(line)} COMP_CWORD=$(( $(wc -w <<< '{line}') - 1 ))\n"
    script += f'{function}\nprintf "%s\\n" "${{COMPREPLY[@]}}"\n'
    path = os.pathsep.join([*map(str, places), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path}
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


ADA = {"optimizer=adagrad", "optimizer=adam", "optimizer=adamw"}


def test_the_installed_command_completes_in_bash(tmp_path: Path) -> None:
    command = tmp_path / "runner"  # as pip writes it
    command.write_text(f"#!{sys.executable}\nimport sys\nfrom runner.__main__ import main\nsys.exit(main())\n")
    command.chmod(0o755)
    setup = 'eval "$(runner -sc install=bash)"'
    assert complete("runner optimizer=ad", setup, "hydra_bash_completion", tmp_path, tmp_path) == ADA


def test_the_documented_function_completes_python_m_runner(tmp_path: Path) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs" / "command-line.md").read_text(), re.DOTALL)
    setup = next(block for block in blocks if "_python_m_runner" in block)
    assert complete("python -m runner optimizer=ad", setup, "_python_m_runner", tmp_path) == ADA
    assert complete("python other.py optimizer=ad", setup, "_python_m_runner || true", tmp_path) == set()
