"""Sweeps on a Ray cluster: a real one, of two nodes; the bits of a serial sweep, whichever node dies."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.sweeps.workers.cluster import INSTALL
from tests.stores import until
from tests.swept import ROOT, same, start, sweep, two_cores

pytestmark = pytest.mark.slow
RAY = Path(sys.executable).with_name("ray")
SWEEP = ("dataset=flower", "seed=range(60)", "init=normal,he_normal", "training.iterations=3000", "tracking=none")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0


def node(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A node of a cluster, in the foreground of a process group of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token"}
    environment["PYTHONUNBUFFERED"] = "1"  # its log says when it has started
    common = ["--num-cpus=1", "--object-store-memory=100000000", "--node-ip-address=127.0.0.1", "--block"]
    command = [str(RAY), "start", *arguments, *common]
    with (folder / f"node{len(list(folder.glob('node*')))}.log").open("w") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, text=True, start_new_session=True)


def started(folder: Path, number: int) -> bool:
    return "Ray runtime started" in (folder / f"node{number}.log").read_text()


def kill(process: subprocess.Popen[str]) -> None:
    """The node with all that it has started, at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """The address of a cluster that asks for a token, its head and its second node."""
    monkeypatch.setenv("RAY_AUTH_TOKEN", uuid.uuid4().hex * 2)
    port = free_port()
    address = f"127.0.0.1:{port}"
    nodes = [node(tmp_path, "--head", f"--port={port}", "--include-dashboard=false")]
    try:
        until(lambda: answers(port) and started(tmp_path, 0), 60)
        nodes.append(node(tmp_path, f"--address={address}"))
        until(lambda: started(tmp_path, 1), 60)
        assert all(process.poll() is None for process in nodes), [p.read_text() for p in tmp_path.glob("node*.log")]
        yield address, nodes
    finally:
        for process in reversed(nodes):
            if process.poll() is None:
                kill(process)


@two_cores
def test_a_node_killed_in_mid_sweep_costs_nothing_but_time(
    cluster: tuple[str, list[subprocess.Popen[str]]], tmp_path: Path
) -> None:
    address, nodes = cluster
    words = ("sweep.backend=ray", f"sweep.address={address}")
    process = start(tmp_path / "ours", *SWEEP, *words)
    until(lambda: len(list(tmp_path.glob("ours/multirun/*/*/*/journal.jsonl"))) >= 2 or process.poll() is not None, 240)
    assert process.poll() is None, process.communicate()
    time.sleep(1)
    kill(nodes[1])
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, out + errors
    assert "by 2 workers of the Ray cluster (sweep.backend=ray)" in out
    assert sweep(tmp_path / "serial", *SWEEP, "sweep.backend=serial").returncode == 0
    assert same(tmp_path / "ours", tmp_path / "serial") == 120


@two_cores
def test_a_cluster_started_for_the_sweep_gives_the_same_bits(tmp_path: Path) -> None:
    done = sweep(tmp_path / "ours", *SWEEP, "sweep.backend=ray", "sweep.workers=2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sweep(tmp_path / "serial", *SWEEP, "sweep.backend=serial").returncode == 0
    assert same(tmp_path / "ours", tmp_path / "serial") == 120


def test_a_cluster_that_does_not_answer_is_said_soon(tmp_path: Path) -> None:
    done = sweep(tmp_path / "work", *SWEEP, "sweep.backend=ray", f"sweep.address=127.0.0.1:{free_port()}")
    assert done.returncode == 2
    assert "no Ray cluster answers there" in done.stderr
    assert list((tmp_path / "work").iterdir()) == []


def test_without_ray_its_installation_is_named(tmp_path: Path) -> None:
    (tmp_path / "shadow" / "ray").mkdir(parents=True)
    (tmp_path / "shadow" / "ray" / "__init__.py").write_text("raise ImportError('No module named ray')\n")
    for part in ("runner", "datasets", "conf", "hydra_plugins"):
        shutil.copytree(ROOT / part, tmp_path / "shadow" / part, ignore=shutil.ignore_patterns("__pycache__"))
    done = sweep(tmp_path / "work", *SWEEP, "sweep.backend=ray", root=tmp_path / "shadow")
    assert done.returncode == 2
    assert INSTALL in done.stderr
    assert list((tmp_path / "work").iterdir()) == []
