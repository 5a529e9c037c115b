"""Real `mlflow server`s on loopback, of today's MLflow and of an older one, and commands that are to reach them."""

import contextlib
import http.client
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.commands import quick
from tests.stores import until

ROOT = Path(__file__).resolve().parents[1]


def environment():
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    return {**kept, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}


class Server:
    """One that can be stopped and started again at the same address."""

    def __init__(self, store, folder, python=sys.executable, *more, **variables):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.uri, self.folder, self.process = f"http://127.0.0.1:{port}", folder, None
        self.variables = variables
        where = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        store = ["--backend-store-uri", store, "--artifacts-destination", str(folder / "artifacts"), *more]
        self.command = [str(python), "-W", "ignore", "-m", "mlflow", "server", *where, *store]

    def start(self):
        for _ in range(3):  # now and then one hangs as it starts
            with (self.folder / "server.log").open("ab") as log:
                streams = {"stdout": log, "stderr": log, "start_new_session": True}
                own = {key: value for key, value in environment().items() if key != "PYTHONPATH"}
                self.process = subprocess.Popen(self.command, cwd=self.folder, env=own | self.variables, **streams)
            with contextlib.suppress(AssertionError):
                until(lambda: self.process.poll() is not None or self.answers(), 120)
            if self.process.poll() is None and self.answers():
                return
            self.stop()
        raise AssertionError((self.folder / "server.log").read_text())

    def answers(self):
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self):
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


def begin(folder, uri, *more):
    words = quick("dataset=xor", "hydra.run.dir=run", f"tracking.uri={uri}", *more)
    arguments = [sys.executable, "-m", "runner", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(arguments, cwd=folder, env=environment(), **pipes)


def ended(process):
    try:
        out, _ = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0, out
    return out


def old_python() -> Path:
    """An environment with MLflow 2.22, made once in the user's cache; without uv there is none."""
    if shutil.which("uv") is None:
        pytest.fail("uv makes the environment of an older MLflow: pip install uv")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "runner-tests" / "mlflow-2.22"
    python = home / "bin" / "python"
    if not (home / "made").exists():
        subprocess.run(["uv", "venv", "-q", "--clear", "--python", sys.executable, str(home)], check=True)
        # SQLAlchemy 2.1 came after it; Flask-WTF is what its login needs.
        wanted = ["mlflow==2.22.*", "sqlalchemy<2.1", "flask-wtf<2"]
        # From there, lest the constraints of this project's pyproject.toml hold for it.
        subprocess.run(["uv", "pip", "install", "-q", "--python", str(python), *wanted], cwd=home, check=True)
        (home / "made").touch()
    return python


class Serving:
    """A server as the pages start it, at a free port, until it answers, and not longer than the block."""

    def __init__(self, command: str, path: str, folder: Path, environment: dict[str, str]):
        self.words, self.path = [sys.executable, "-W", "ignore", "-m", *shlex.split(command)], path
        self.where = {"cwd": folder, "env": environment}
        self.log = folder / "server.log"

    def __enter__(self) -> int:
        for _ in range(3):  # a free port may be taken by another before the server is there
            self._start()
            with contextlib.suppress(AssertionError):
                until(lambda: self.process.poll() is not None or self.answers(), 120)
            if self.process.poll() is None and self.answers():
                return self.port
            self.__exit__()
        raise AssertionError(f"No answer: {self.log.read_text()}")

    def _start(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        words = [*self.words, "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True, **self.where)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{self.path}", timeout=5) as answer:
                return answer.status == 200
        except (OSError, http.client.HTTPException):
            return False

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
