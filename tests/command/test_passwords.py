"""A password in a store's address stands in no file, tag, printed line or child's command line."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.command.checked import Checked, ordered, words_for_hydra
from runner.command.flags import parsed
from runner.experiment.sources import Sources
from runner.runs.files import hide
from runner.runs.passwords import VARIABLE, address, withheld
from tests.commands import quick
from tests.swept import ROOT

WORD = "sesame"
URI = f"http://me:{WORD}@127.0.0.1:9"  # the port of "discard": nobody answers


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (VARIABLE, "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "")  # so that what the test sets goes with it


@pytest.mark.parametrize(
    ("whole", "shown"),
    [
        ("postgresql://me:sesame@host/db", "postgresql://me@host/db"),
        ("postgresql+psycopg://me:ses@me:sesame@host:5/db", "postgresql+psycopg://me@host:5/db"),
        ("postgresql://host/db?user=me&password=sesame", "postgresql://host/db?user=me"),
        ("postgresql://host/db?password=sesame&sslmode=require", "postgresql://host/db?sslmode=require"),
        ("https://me:ses%40me@host/mlflow", "https://me@host/mlflow"),
        ("redis://:sesame@host", "redis://@host"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("sqlite:///a:b@c.db", "sqlite:///a:b@c.db"),
    ],
)
def test_an_address_is_shown_without_its_password_and_is_known_whole(whole: str, shown: str) -> None:
    assert hide(whole) == shown
    assert withheld(f"tracking.uri='{whole}'") == f"tracking.uri='{shown}'"
    assert address(shown) == whole


def test_the_variable_of_mlflow_has_the_password_of_its_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", URI)
    assert address("http://me@127.0.0.1:9") == URI
    assert address("http://me@another:9") == "http://me@another:9"


@pytest.mark.parametrize("more", [[], ["-m", "seed=0,1"], ["search=random", "optimizer.lr=interval(0.1,1)"]])
@pytest.mark.parametrize("typed", [True, False])
def test_hydra_is_told_no_password_be_it_typed_or_in_a_yaml_file(tmp_path: Path, more: list[str], typed: bool) -> None:
    uri = "" if typed else f"tracking: {{uri: '{URI}'}}"
    (tmp_path / "mine.yaml").write_text(f"defaults: [config, override dataset: xor, _self_]\n{uri}")
    words = parsed(["--config-path", str(tmp_path), "--config-name", "mine", f"tracking.uri={URI}", *more])
    overrides = [text for text in words.overrides if typed or not text.startswith("tracking")]
    checked = Checked(Sources(config_path=str(tmp_path), config_name="mine"))
    overrides = checked.guarded(overrides)
    order = ordered(checked, overrides, "-m" in more)
    told = words_for_hydra(checked, order, overrides)
    assert WORD not in str(told)
    jobs = getattr(order, "jobs", [told])
    assert more[:1] == ["search=random"] or all(
        "http://me@127.0.0.1:9" in str(job).replace("\\", "") for job in jobs
    )  # Hydra escapes colons
    assert address("http://me@127.0.0.1:9") == URI


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        ["tracking.uri=" + URI, "training.iterations=20000", "fault=ascent"],
        ["-m", "seed=0,1,2,3", "sweep.backend=loky", "sweep.workers=2", "training.iterations=20000"],
        ["-m", "seed=0,1", "hydra/launcher=joblib"],
    ],
    ids=["a run", "a sweep by workers, from a yaml file", "a sweep by a launcher of Hydra's, from a yaml file"],
)
def test_no_file_and_no_childs_command_line_has_it(tmp_path: Path, more: list[str]) -> None:
    typed = any(WORD in text for text in more)
    (tmp_path / "own").mkdir()
    text = "defaults: [config, override dataset: xor, _self_]\n" + ("" if typed else f"tracking: {{uri: '{URI}'}}")
    (tmp_path / "own" / "mine.yaml").write_text(text)
    place = ["hydra.run.dir=runs/one", "hydra.sweep.dir=runs"]
    command = [sys.executable, "-m", "runner", "--config-path", str(tmp_path / "own"), "--config-name", "mine"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            [*command, *quick(*more, *place)],
            cwd=tmp_path,
            env={**kept, "PYTHONPATH": str(ROOT)},
            stdout=said,
            stderr=said,
        )
        lines = set()
        while process.poll() is None:
            lines |= set(_commands_below(process.pid))
            time.sleep(0.2)
    out = (tmp_path / "said").read_text()
    assert process.returncode in (0, 1), out
    assert "runner.sync" in out  # it was to be tracked, and nobody answered
    assert lines
    assert not [line for line in lines if WORD in line]
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert {"config.yaml", "hydra.yaml", "overrides.yaml", "journal.jsonl", "summary.json"} <= {f.name for f in files}
    assert not [path for path in [*files, tmp_path / "said"] if WORD.encode() in path.read_bytes()]


def _commands_below(pid: int) -> list[str]:
    """The command lines of the processes that this one has started, and theirs."""
    table = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,ppid=,command="], capture_output=True, text=True).stdout
    rows = [line.split(None, 2) for line in table.splitlines()]
    below, found = {pid}, []
    for _ in range(4):
        below |= {int(row[0]) for row in rows if int(row[1]) in below}
    for row in rows:
        if len(row) == 3 and int(row[0]) in below - {pid}:
            found.append(row[2])
    return found
