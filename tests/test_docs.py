"""README and docs: every command in them runs, and what they show is what is printed."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runner.experiment.build import compose
from tests.servers import Serving
from tests.stores import until

ROOT = Path(__file__).resolve().parents[1]
TOP = ("README.md", "CONTRIBUTING.md", "SUPPORT.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "examples/README.md")
PAGES = [*(ROOT / name for name in TOP), *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = re.compile(r"```python\n# (\w+\.py)\n(.*?)```", re.DOTALL)  # a file that the page asks the reader to write
BASH = re.compile(r"```bash\n(.*?)```", re.DOTALL)
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)  # commands behind a prompt, and what they print
OURS = ("python -m runner", "uv run python -m runner")

# Commands of the pages that are run elsewhere, each with the tests that do it.
ELSEWHERE = {
    r'eval "\$\(runner -sc install=bash\)"': "test_help.py",
    r"(pip install uv|uv run pytest.*)": "CI runs them: .ci/run",
    r"python -m venv \.venv && source \.venv/bin/activate && pip install \.": "test_wheel.py",
    r"cp -r examples/project my-project && cd my-project": "test_examples.py",
    r"(uv run )?mlflow (ui|models serve) .*": "below",
    r"curl 127\.0\.0\.1:.*": "below",
}
# What the pages show to fail.
CODES = {
    "runner.explain examples/xor.py": 1,
    "optimizer=adan": 2,
    "fault=derivative_twice": 1,
    "check dataset=flower architecture=own": 1,
    "check experiment=posts/xor": 1,
    "check experiment=posts/spiral": 1,
    "runner experiment=posts/xor": 1,
    "runner experiment=posts/flower": 1,
    "init.scale=0.001,0.1,1,10": 1,
}


def lines() -> list[str]:
    """Every command of the pages that is not shown with its output. A function that a page defines is none."""
    found = []
    for page in PAGES:
        for block in BASH.findall(page.read_text()):
            shell = re.sub(r"^\w+\(\) \{\n.*?^\}\n.*?$", "", block, flags=re.DOTALL | re.MULTILINE)
            found += [text for line in shell.splitlines() if (text := line.split("  #")[0].strip())]
    return list(dict.fromkeys(found))


def sessions() -> list[str]:
    return [block for page in PAGES for block in CONSOLE.findall(page.read_text())]


def commands() -> list[str]:
    """The `python -m runner...` ones among them, without `uv run`; those shown with their output run there."""
    ours = [f"python -m runner{text.split('python -m runner', 1)[1]}" for text in lines() if text.startswith(OURS)]
    shown = re.findall(r"^\$ (.*)$", "".join(sessions()), re.MULTILINE)
    return [text for text in dict.fromkeys(ours) if text not in shown and " --config-dir conf " not in text]


def run(command: str, folder: Path, shown: bool = False, drawn: bool = False) -> subprocess.CompletedProcess[str]:
    """What a page's command does. What takes seconds and is not `shown` there is left out: pictures, and the causes."""
    for page in PAGES:
        for name, source in PYTHON.findall(page.read_text()):
            (folder / name).write_text(source)
    words = [sys.executable, *shlex.split(command)[1:]]
    if words[1:3] == ["-m", "runner"] and not re.search("tracking=|resume=", command):
        words.append("tracking=none")
    if words[1:3] == ["-m", "runner"] and not drawn and not re.search("plots=|resume=", command):
        words.append("plots=false")
    if not shown:  # what a search does with more trials its own tests say
        words = [re.sub(r"search\.trials=\d+", "search.trials=24", word) for word in words]
    if words[1:4] == ["-m", "runner", "-m"] and not shown and "diagnosis=" not in command:
        words.append("diagnosis=none")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def interrupt(where: str, folder: Path) -> None:
    """Leave a run in `where` that Ctrl-C has stopped."""
    words = ["dataset=xor", "training.iterations=300_000", "training.checkpoint_every=1000", f"hydra.run.dir={where}"]
    words = [sys.executable, "-m", "runner", *words, "tracking=none", "plots=false"]
    begun = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: (folder / where / "checkpoint.npz").exists())
    begun.send_signal(signal.SIGINT)
    assert begun.wait(60) == 130


def code(command: str) -> int:
    return next((code for part, code in CODES.items() if part in command), 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with the files that the pages speak of."""
    rows = "".join(f"{i},{i % 3},{'yes' if i % 2 else 'no'}\n" for i in range(40))
    (tmp_path / "my.csv").write_text("a,b,label\n" + rows)
    (tmp_path / "new.csv").write_text("a,b\n1,2\n3,0\n")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    yaml = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "command-line.md").read_text(), re.DOTALL)[0]
    (tmp_path / "mine" / "experiment" / "night.yaml").write_text(yaml)
    return tmp_path


@pytest.fixture
def cats(folder: Path, request: pytest.FixtureRequest) -> None:
    """The real cats where the pages say that they are, for those commands that need them."""
    if "/cats" in request.getfixturevalue("command"):
        (folder / "data").mkdir()
        (folder / "data" / "cats").symlink_to(request.getfixturevalue("cats_dir"))


def test_the_pages_hold_commands() -> None:
    assert len(commands()) >= 20
    assert len(sessions()) >= 15


def test_every_command_is_run_by_a_test() -> None:
    for text in lines():
        assert text.startswith(OURS) or any(re.fullmatch(known, text) for known in ELSEWHERE), text


@pytest.mark.parametrize("command", commands())
@pytest.mark.usefixtures("cats")
def test_every_documented_command_runs(command: str, folder: Path) -> None:
    stored = re.search(r"outputs/\S+", command)
    if (stored and "hydra.run.dir" not in command) or "runner.sync" in command:
        where = stored[0] if stored else "outputs/one"
        data = "dataset=csv dataset.path=my.csv dataset.target=label" if "predict" in command else "dataset=xor"
        if "resume=" in command:
            interrupt(where, folder)
        else:
            run(f"python -m runner {data} training.iterations=20 hydra.run.dir={where}", folder)
    done = run(command, folder)
    assert done.returncode == code(command), done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_every_failure_that_is_expected_is_shown() -> None:
    everything = [*commands(), *sessions()]
    assert not [part for part in CODES if not any(part in text for text in everything)]


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


def test_every_link_of_the_pages_leads_somewhere() -> None:
    for page in PAGES:
        for target, anchor in re.findall(r"\]\((?!http)([^)#\s]*)#?([^)]*)\)", page.read_text()):
            file = page.parent / target if target else page
            assert file.exists(), f"{page.name}: {target}"
            titles = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE) if anchor else []
            assert not anchor or anchor in [title.lower().replace(" ", "-") for title in titles], (
                f"{page.name}: {anchor}"
            )


def steady(text: str) -> list[str]:
    """Printed lines without what differs from run to run, and numbers to the digits that every processor agrees on."""
    text = re.sub(r"in \d+\.\d+ s", "in T s", text)
    text = re.sub(r"\d+\.\d+e-1\d", "rounding", text)
    text = re.sub(r"\d+\.\d+", lambda found: f"{float(found[0]):.3g}", text)
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return [" ".join(line.split()) for line in lines if not line.startswith(("in outputs", "mlflow ui"))]


def pattern(shown: str) -> str:
    """What is shown, as a regular expression: a line `...` stands for any lines, `...` in a line for anything."""
    parts = []
    for line in steady(shown):
        words = ".*".join(re.escape(part) for part in re.split(r" ?\.\.\. ?", line))
        parts.append(r"(?:.*\n)*" if line == "..." else words + r"\n")
    return "".join(parts)


def titled(block: str) -> str:
    return block.split("\n", 1)[0].removeprefix("$ ")


@pytest.mark.parametrize("command", sessions(), ids=titled)
@pytest.mark.usefixtures("cats")
def test_what_the_pages_show_is_what_is_printed(command: str, folder: Path) -> None:
    assert command.startswith("$ ")
    for part in re.split(r"^\$ ", command, flags=re.MULTILINE)[1:]:
        line, shown = part.split("\n", 1)
        drawn = "plots" in command or "report" in command
        done = run("python -m runner" + line.split("python -m runner", 1)[1], folder, shown=True, drawn=drawn)
        printed = "\n".join(steady(done.stdout + done.stderr)) + "\n"
        assert done.returncode == code(line), printed
        assert re.fullmatch(pattern(shown), printed), printed


@pytest.mark.slow
def test_the_documented_servers_answer(folder: Path) -> None:
    shown = [text.removeprefix("uv run ") for text in lines()]
    data = "dataset=csv dataset.path=my.csv dataset.target=label tracking.register=NAME"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    environment |= {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}
    runner = [sys.executable, "-m", "runner", *data.split()]
    subprocess.run(runner, cwd=folder, env=environment, check=True, capture_output=True)
    (serve,) = (text for text in shown if text.startswith("mlflow models serve"))
    (request,) = (text for text in shown if text.startswith("curl "))
    with Serving(re.sub(r" --port \d+", "", serve), "/ping", folder, environment) as port:
        words = shlex.split(re.sub(r":\d+/", f":{port}/", request))
        assert shutil.which("curl"), "the pages use curl"
        answer = subprocess.run([*words, "-s"], cwd=folder, capture_output=True, text=True, check=True).stdout
        assert re.fullmatch(r'\{"predictions": \["\w+", "\w+"\]\}', answer), answer
    for command in {text for text in shown if text.startswith("mlflow ui")}:
        with Serving(command, "/health", folder, environment):
            pass


def python_blocks() -> list[str]:
    """The Python of the pages that is not a file: what one types."""
    blocks = [text for page in PAGES for text in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)]
    return [block for block in blocks if not block.startswith("# ")]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("block", python_blocks(), ids=lambda block: block.splitlines()[0])
def test_the_python_of_the_pages_runs(block: str, folder: Path) -> None:
    if block.startswith("def "):  # an optimizer to be added: in its module
        added = f"from runner.nn import optimizers\nexec({block!r}, vars(optimizers))\n"
        block = f"{added}assert optimizers.sign(0.1).lr == 0.1"
    where = re.search(r'"(outputs/[^"]+)"', block)
    words = ["dataset=csv", "dataset.path=my.csv", "dataset.target=label", "training.iterations=20"]
    words += [f"hydra.run.dir={where[1] if where else 'run'}", *["tracking=none"] * ("mlflow" not in block)]
    words.append("plots=false")
    if "study.db" in block:  # of a search, as the page has it above, with fewer trials
        words = ["dataset=xor", "training.iterations=20", "tracking=none", "search=tpe", "search.trials=12"]
        words += ["plots=false", "search.storage=sqlite:///study.db", "optimizer.lr=tag(log,interval(1e-4,10))"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    environment["PYTHONPATH"] = str(ROOT)
    begun = [sys.executable, "-m", "runner", *words]
    subprocess.run(begun, cwd=folder, env=environment, check=True, capture_output=True)
    if "RUN_ID" in block:
        summary = json.loads((folder / "run" / "summary.json").read_text())
        block = block.replace("RUN_ID", summary["mlflow_run_id"])
        block = f"import pandas\nrows = pandas.read_csv('new.csv', dtype=float)\n{block}"
    (folder / "typed.py").write_text(block)
    typed = [sys.executable, "-W", "ignore", "typed.py"]
    done = subprocess.run(typed, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
