"""A PostgreSQL of the tests' own: a cluster in a folder of its own, at a free port of loopback, with a password."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

WORD = "sesame"


def _program(name: str) -> str:
    found = [*Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), *filter(None, [shutil.which(name)])]
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not there: apt-get install postgresql")
    return str(found[0])


class Postgres:
    """Used by `with`. `uri(database)` has the password in it, `shown` leaves it out."""

    def __enter__(self) -> "Postgres":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # pytest's own is closed to other users
        (self.folder / "word").write_text(WORD)
        if os.geteuid() == 0:  # PostgreSQL does not run as root
            for path in (self.folder, self.folder / "word"):
                shutil.chown(path, "postgres", "postgres")
        own = ["--username=me", f"--pwfile={self.folder / 'word'}", "--auth=scram-sha-256", "--no-sync"]
        self._run(_program("initdb"), f"--pgdata={self.folder / 'data'}", *own)
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = f"--log={self.folder / 'log'}"
        self._run(_program("pg_ctl"), "start", "--wait", f"--pgdata={self.folder / 'data'}", log, "-o", options)
        return self

    def __exit__(self, *_: object) -> None:
        self._run(_program("pg_ctl"), "stop", "--mode=immediate", f"--pgdata={self.folder / 'data'}")
        shutil.rmtree(self.folder)

    def database(self, name: str) -> str:
        """The address of a new, empty database."""
        import psycopg

        with psycopg.connect(self._uri("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._uri(name)

    def _uri(self, name: str) -> str:
        return f"postgresql://me:{WORD}@127.0.0.1:{self.port}/{name}"

    def _run(self, *command: str) -> None:
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        done = subprocess.run([*user, *command], cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 0, done.stderr
