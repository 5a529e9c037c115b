"""The files of a run's directory: their names, and how they are written. Imports nothing of the project, no NumPy."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import math
import os
import re
import resource
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

SUMMARY, WEIGHTS, CONFIG, CHECKPOINT = "summary.json", "weights.npz", "config.yaml", "checkpoint.npz"
FOLDER = "plots"  # of the pictures
MODEL = "model"  # the folder that runner.runs.model writes


# A password may have an @ in it, and the host begins behind the last one.
_IN_ADDRESS = re.compile(r"""(\w+://[^\s:/@'"]*):[^\s/'"]*@""")
_NAMED = r"""(?:password|passwd|pwd|sslpassword)=[^\s&'"#]*"""
_FIRST_IN_QUERY, _IN_QUERY = re.compile(rf"(?i)\?{_NAMED}&"), re.compile(rf"(?i)[?&]{_NAMED}")


def hide(text: str) -> str:
    """``text`` with the passwords in the URIs in it left out.

    >>> hide("postgresql://me:word@host/db"), hide("postgresql://host/db?user=me&password=word")
    ('postgresql://me@host/db', 'postgresql://host/db?user=me')
    """
    if "://" not in text:
        return text
    return _IN_QUERY.sub("", _FIRST_IN_QUERY.sub("?", _IN_ADDRESS.sub(r"\1@", text)))


def replace_file(path: Path, text: str) -> None:
    """Put ``text`` into the file at ``path`` so that every reader finds the old or the new, never a part."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    os.replace(fresh, path)


def relative(path: Path) -> str:
    """``path`` as people are told it: from the working directory if it is inside of it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def alive(pid: int | str) -> bool:
    """Whether a process of this machine has the id; a stranger may have got it since."""
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def opened(path: Path, flags: int) -> int:
    """Open; when too many files are open (a stack of a thousand members) raise the soft limit once."""
    try:
        return os.open(path, flags, 0o666)
    except OSError as error:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
        if error.errno != errno.EMFILE or soft >= wanted:
            raise
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return os.open(path, flags, 0o666)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Have the file or folder at ``path`` alone among the processes that ask for it; the lock dies with its process.

    One that was replaced while we waited is waited for again. A file system without locks gives everybody their way.
    """
    while True:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            if path.stat().st_ino == os.fstat(file).st_ino:
                yield
                return
        finally:
            os.close(file)


def write_summary(directory: Path, said: Mapping[str, Any], anew: bool = False) -> None:
    """Put ``said`` into the ``summary.json`` of a run; what stands there under other keys stays, unless ``anew``.

    Nobody else writes that file. The command says how the run ended, diagnosis what it found, the tracking process
    the run's id in MLflow: each waits for the others, and none undoes what another has said.
    """
    path = directory / SUMMARY
    with alone(path) if path.exists() else contextlib.nullcontext():
        old = {} if anew else json.loads(path.read_text())
        new = {**old, **spelled(said)}
        if new != old:
            replace_file(path, json.dumps(new, indent=2) + "\n")


def spelled(value: Any) -> Any:
    """JSON has no infinities: non-finite numbers become the words "nan", "inf" and "-inf".

    >>> spelled({"cost": float("inf"), "rows": (1, 2.5)})
    {'cost': 'inf', 'rows': [1, 2.5]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {key: spelled(part) for key, part in value.items()}
    return [spelled(part) for part in value] if isinstance(value, list | tuple) else value


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """libyaml where there is one: ten times faster, and a sweep writes thousands of small files."""


def _text(dumper: Any, text: str) -> Any:
    """Quotes around what OmegaConf would read as a number ('1e-3' is none to yaml 1.1, and one to it)."""
    style = "'" if text[:1] in "+-.0123456789" and text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def write_config(path: Path, config: Any) -> None:
    """A configuration of plain containers as yaml, in its own order, without passwords."""
    path.write_text(hide(yaml.dump(config, Dumper=_Dumper, sort_keys=False, allow_unicode=True)))
