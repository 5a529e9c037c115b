"""The copy of a script's folder that its runs happen in, and the guard that keeps them there."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

SMALL = 1 << 20  # a file above is linked, and read only
MOST = 64 << 20  # of small files in all
LEFT_OUT = {"__pycache__", ".git", ".hg", ".venv", "venv", "node_modules", "outputs", "mlruns", "mlartifacts"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def scratch() -> Path:
    """A new directory for copies and records of runs."""
    return Path(tempfile.mkdtemp(prefix="explain-")).resolve()


def copy_folder(folder: Path, into: Path) -> Path:
    """Copy `folder` to a new place under `into`, whose neighbours are links to the folder's own; returns the copy.

    Small files are copied, large ones linked; a link leads outside, where the guard lets nobody write.
    """
    folder = folder.resolve()
    beside = into / (folder.parent.name or "root")
    beside.mkdir(parents=True)
    if folder.parent != folder:
        for each in folder.parent.iterdir():
            if each != folder and each.name not in LEFT_OUT and not each.name.startswith("."):
                (beside / each.name).symlink_to(each)
    copied = [0]
    made = beside / (folder.name or "folder")
    _copy(folder, made, copied, into.parent)
    return made


def _copy(folder: Path, into: Path, copied: list[int], avoid: Path) -> None:
    into.mkdir()
    for each in sorted(folder.iterdir()):
        if each.name in LEFT_OUT or avoid.is_relative_to(each):
            continue
        try:
            if each.is_symlink() or not (each.is_dir() or each.is_file()):
                (into / each.name).symlink_to(each.resolve())
            elif each.is_dir():
                _copy(each, into / each.name, copied, avoid)
            elif each.stat().st_size > SMALL or copied[0] > MOST:
                (into / each.name).symlink_to(each)
            else:
                copied[0] += each.stat().st_size
                shutil.copy2(each, into / each.name)
        except OSError:  # what cannot be read by us is not there for the script either
            continue


def guard(allowed: list[Path]) -> None:
    """From now on this process opens nothing for writing outside `allowed`, removes nothing there, and has no network.

    An audit hook of Python's: it holds against mistakes of a script and not against an attack from C code.
    """
    roots = tuple(str(each.resolve()) + os.sep for each in allowed)

    def outside(path: object) -> bool:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return False
        real = os.path.realpath(os.fsdecode(path))
        return not (real + os.sep).startswith(roots) and not real.startswith("/dev/")

    def hook(event: str, arguments: tuple) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool((flags or 0) & WRITES)
            if writes and outside(path):
                raise PermissionError(f"explain runs a copy: {os.fsdecode(path)} is outside it and is not written")
        elif event in ("os.remove", "os.rmdir", "os.mkdir", "os.truncate", "shutil.rmtree", "os.chmod"):
            if outside(arguments[0]):
                raise PermissionError(f"explain runs a copy: {arguments[0]!r} is outside it and is not touched")
        elif event in ("os.rename", "os.link", "os.symlink"):
            if outside(arguments[0]) or outside(arguments[1]):
                raise PermissionError(f"explain runs a copy: {arguments[0]!r} is outside it and is not touched")
        elif event in ("socket.connect", "socket.bind", "socket.sendto") and isinstance(arguments[1], tuple):
            raise PermissionError("explain runs without network")
        elif event in ("os.kill", "os.killpg") and arguments[0] != os.getpid():
            raise PermissionError("explain lets a script end no process but itself")

    sys.addaudithook(hook)
