"""README and docs: every command in them runs, and what they show is what is printed."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from runner.experiment import compose

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = re.compile(r"```python\n# (\w+\.py)\n(.*?)```", re.DOTALL)  # a file that the page asks the reader to write
BLOCK = re.compile(r"```(?:bash|console)\n(.*?)```", re.DOTALL)


def commands() -> list[str]:
    """Every `python -m runner...` line of the pages, without the prompt, `uv run` and comments."""
    found = []
    for page in PAGES:
        for block in BLOCK.findall(page.read_text()):
            for line in block.splitlines():
                text = line.removeprefix("$ ").split("  #")[0].strip()
                if text.startswith(("python -m runner", "uv run python", "pip install uv && uv run python")):
                    found.append("python -m runner" + text.split("python -m runner", 1)[1])
    return list(dict.fromkeys(found))


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    for page in PAGES:
        for name, source in PYTHON.findall(page.read_text()):
            (folder / name).write_text(source)
    words = [sys.executable, *shlex.split(command)[1:]]
    if words[1:3] == ["-m", "runner"]:
        words.append("tracking=none")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def test_the_pages_hold_commands() -> None:
    assert len(commands()) >= 7


@pytest.mark.parametrize("command", commands())
def test_every_documented_command_runs(command: str, tmp_path: Path) -> None:
    rows = "".join(f"{i},{i % 3},{'yes' if i % 2 else 'no'}\n" for i in range(40))
    (tmp_path / "my.csv").write_text("a,b,label\n" + rows)
    if "--config-dir mine" in command:
        (tmp_path / "mine" / "experiment").mkdir(parents=True)
        yaml = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "command-line.md").read_text(), re.DOTALL)[0]
        (tmp_path / "mine" / "experiment" / "night.yaml").write_text(yaml)
    (tmp_path / "new.csv").write_text("a,b\n1,2\n3,0\n")
    stored = re.search(r"outputs/\S+", command)
    if stored or "runner.sync" in command:
        where = stored[0] if stored else "outputs/one"
        data = "dataset=csv dataset.path=my.csv dataset.target=label" if "predict" in command else "dataset=xor"
        run(f"python -m runner {data} training.iterations=20 hydra.run.dir={where}", tmp_path)
    done = run(command, tmp_path)
    expected = {
        "optimizer=adan": 2,
        "resume=": 2,
        "fault=derivative_twice": 1,
        "check dataset=flower architecture=own": 1,
    }  # mistakes that the pages show
    wanted = next((code for part, code in expected.items() if part in command), 0)
    assert done.returncode == wanted, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_every_preset_and_option_that_readme_names_is_there(data_files: dict[str, list[str]]) -> None:
    text = (ROOT / "README.md").read_text()
    presets = set(re.findall(r"experiment=(\w+/\w+)", text))
    assert len(presets) >= 12
    for preset in presets:
        compose([f"experiment={preset}", *data_files.get(preset.split("/")[1], [])])
    table = {row[0]: row[1] for row in re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE)}
    table["fault"] += (ROOT / "docs" / "gradient-check.md").read_text()  # README names some and points there
    for group in ("dataset", "architecture", "schedule", "optimizer", "tracking", "fault", "search"):
        for option in sorted((ROOT / "conf" / group).glob("*.yaml")):
            if option.stem != "none" or group == "tracking":
                assert f"`{option.stem}`" in table[group], f"README does not name {group}={option.stem}"


def steady(text: str) -> list[str]:
    """Printed lines without what differs from run to run, and numbers to the digits that every processor agrees on."""
    text = re.sub(r"in \d+\.\d+ s", "in T s", text)
    text = re.sub(r"\d+\.\d+e-1\d", "rounding", text)
    text = re.sub(r"\d+\.\d+", lambda found: f"{float(found[0]):.3g}", text)
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return [" ".join(line.split()) for line in lines if not line.startswith(("in outputs", "mlflow ui"))]


@pytest.mark.parametrize(
    ("marker", "arguments"),
    [
        ("uv run python -m runner\n", ""),
        ("optimizer=adan", None),
        ("runner.check dataset=flower architecture=own", None),
    ],
)
def test_what_readme_shows_is_what_is_printed(marker: str, arguments: str | None, tmp_path: Path) -> None:
    block = next(block for block in BLOCK.findall((ROOT / "README.md").read_text()) if marker in block)
    command, shown = block.split("\n", 1)
    done = run("python -m runner" + command.split("python -m runner", 1)[1], tmp_path)
    assert steady(done.stdout + done.stderr) == steady(shown)
