"""What the tests of sweeps on many workers share: commands, and what a sweep has left behind."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from runner.runs import journal
from runner.sweeps.planning import cores
from tests.commands import quick

ROOT = Path(__file__).resolve().parents[1]
two_cores = pytest.mark.skipif(cores() < 2, reason="this needs two cores")


def start(folder: Path, *arguments: str, root: Path = ROOT) -> subprocess.Popen[str]:
    """A sweep in a process group of its own, as a terminal would start it."""
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200", "PYTHONWARNINGS": "error::UserWarning"}
    command = [sys.executable, "-m", "runner", "-m", *quick(*arguments)]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def sweep(folder: Path, *arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    process = start(folder, *arguments, root=root)
    out, errors = process.communicate(timeout=600)
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def children(pid: int, word: str) -> list[int]:
    """The processes that this one has started, of whose command line `word` is a part."""
    table = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,command="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in table.splitlines()]
    return [int(row[0]) for row in rows if len(row) == 3 and int(row[1]) == pid and word in row[2]]


def in_group(pid: int) -> list[str]:
    """What is left of the process group, zombies aside."""
    table = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pgid=,stat=,command="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in table.splitlines()]
    return [row[2] for row in rows if len(row) == 3 and int(row[0]) == pid and not row[1].startswith("Z")]


def nothing_left(pid: int, within: float = 20) -> bool:
    """Whether all processes of the group end, some of them a moment after the first."""
    until = time.monotonic() + within
    while in_group(pid) and time.monotonic() < until:
        time.sleep(0.2)
    return not in_group(pid)


def runs(folder: Path) -> dict[str, Path]:
    """The directory of each run, by its key: there is only one for each."""
    found: dict[str, Path] = {}
    for path in folder.glob("multirun/*/*/*/journal.jsonl"):
        key = journal.first(path.parent)["tags"].get("key")
        if key:
            assert key not in found, "a job has been made twice"
            found[key] = path.parent
    return found


def rows(directory: Path) -> list[tuple[int, dict[str, float]]]:
    return [(line["step"], line["values"]) for line, _ in journal.read(directory) if line["kind"] == "row"]


def same(ours: Path, serial: Path) -> int:
    """How many runs there are in both: all of them, with the same rows, each once, and the same weights, to the bit."""
    one, other = runs(ours), runs(serial)
    assert one.keys() == other.keys()
    for key, directory in one.items():
        assert repr(rows(directory)) == repr(rows(other[key]))
        with np.load(directory / "weights.npz") as mine, np.load(other[key] / "weights.npz") as theirs:
            assert mine.files == theirs.files
            for name in mine.files:
                np.testing.assert_array_equal(mine[name], theirs[name])
    return len(one)


def checkout(folder: Path) -> Path:
    """A copy of the sources, for a test that adds to them."""
    for part in ("runner", "datasets", "conf", "hydra_plugins"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def with_deadly_init(folder: Path) -> Path:
    """A checkout with an initializer of the user's own that ends its process: one function and one yaml."""
    root = checkout(folder)
    with (root / "runner" / "nn" / "initializers.py").open("a") as file:
        file.write(
            "\n\ndef deadly(scale: float = 1.0, bias_scale: float = 0.0) -> Initializer:\n"
            "    import os\n\n    return Initializer(lambda *arguments: os._exit(3), bias_scale)\n"
        )
    (root / "conf" / "init" / "deadly.yaml").write_text("name: deadly\nscale: 1.0\nbias_scale: 0.0\n")
    return root
