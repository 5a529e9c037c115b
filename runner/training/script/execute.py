"""A script, run in a forked process: as `python script.py` would, with hooks in its source and its output kept."""

import builtins
import contextlib
import importlib.abc
import importlib.util
import json
import os
import random
import resource
import shutil
import signal
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from runner.training.script.copies import copy_folder, guard
from runner.training.script.instrument import Loop, Site, Wanted, hooks, instrument
from runner.training.script.process import Ended, Limits, run_all
from runner.training.script.source import Source

OUTPUT = 64 << 20  # bytes of one file that a script may write


class Watcher(Protocol):
    """What looks on while a script runs. Its methods are called by the hooks; `result` is kept when it ends."""

    root: str
    stop: Callable[[], None]  # write what is known and end the process

    def begin(self, key: str) -> None:
        """An iteration of the loop begins."""

    def leave(self, key: str) -> None:
        """The loop is left."""

    def see(self, key: str, value: Any) -> Any:
        """A value at a site; it is handed on."""

    def at(self, file: str, line: int) -> None:
        """A statement is about to run."""

    def result(self) -> dict[str, Any]:
        """What was seen."""


@dataclass(frozen=True)
class Run:
    """One execution: of this source, with these words, generators set to this seed, and this watcher.

    Attributes:
        source: what is run; its path says in which folder.
        watcher: makes the watcher, in the process that runs; it is given a directory for its own files.
        wanted: which hooks.
        argv: the words after the script's name.
        seed: NumPy's and Python's generators start there.
    """

    source: Source
    watcher: Callable[[Path], Watcher]
    wanted: Wanted
    argv: tuple[str, ...] = ()
    seed: int = 0
    limits: Limits = field(default=Limits())


@dataclass(frozen=True)
class Outcome:
    """What a run left.

    Attributes:
        status: finished, raised, input, time, memory, processes, or gone (it ended its own process).
        seen: the watcher's result; {} where there is none.
        problem: what it raised, in its own words; traceback, the script's own lines of it: (file, line, function).
        sites, loops: what is where in its source.
        output: what it printed, the first part.
        seconds: how long it took.
    """

    status: str
    seen: dict[str, Any]
    problem: str = ""
    traceback: tuple[tuple[str, int, str], ...] = ()
    sites: dict[str, Site] = field(default_factory=dict)
    loops: dict[str, Loop] = field(default_factory=dict)
    output: str = ""
    seconds: float = 0.0


class _Asked(Exception):
    """The script asked for input."""


def run_scripts(runs: Sequence[Run], scratch: Path, at_once: int = 1) -> list[Outcome]:
    """Run them all, each in a copy of its script's folder; the outcomes in the order of the runs."""
    places = [scratch / f"run{len(list(scratch.iterdir()))}-{number}" for number in range(len(runs))]
    found: list[Outcome | None] = [None] * len(runs)
    jobs = []
    for run, place in zip(runs, places, strict=True):
        place.mkdir()
        jobs.append((_work(run, place), run.limits))
    for number, ended in run_all(jobs, at_once):
        found[number] = _outcome(places[number], ended)
        shutil.rmtree(places[number], ignore_errors=True)
    return [each for each in found if each is not None]


def _work(run: Run, place: Path) -> Callable[[], None]:
    return lambda: _execute(run, place)


def _outcome(place: Path, ended: Ended) -> Outcome:
    kept: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        kept = json.loads((place / "result.json").read_text())
    output = ""
    with contextlib.suppress(OSError), open(place / "output", errors="replace") as file:
        output = file.read(20_000)
    status = ended.why or kept.get("status", "gone")
    if ended.why == "" and kept.get("status") == "time":
        status = "time"
    return Outcome(
        status,
        kept.get("seen", {}),
        kept.get("problem", ""),
        tuple((file, line, name) for file, line, name in kept.get("traceback", [])),
        {key: Site(**each) for key, each in kept.get("sites", {}).items()},
        {key: Loop(**each) for key, each in kept.get("loops", {}).items()},
        output,
        ended.seconds,
    )


class _Siblings(importlib.abc.MetaPathFinder):
    """Modules of the script's own folder get hooks too."""

    def __init__(self, root: str, load: Callable[[str, str], types.CodeType]) -> None:
        self.root, self.load = root, load

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        spec = PathFinder.find_spec(name, path)
        if (
            spec is None
            or not isinstance(spec.loader, SourceFileLoader)
            or not (spec.origin or "").startswith(self.root)
        ):
            return None
        load = self.load

        class Hooked(SourceFileLoader):
            def get_code(self, fullname: str) -> types.CodeType:
                return load(self.path, Path(self.path).read_text())

        return importlib.util.spec_from_file_location(name, spec.origin, loader=Hooked(name, str(spec.origin)))


class _Kept:
    """What a run leaves: the record of what was seen, written whole or not at all, and the sites of its sources."""

    def __init__(self, run: Run, place: Path, copy: Path):
        self.wanted, self.place, self.copy = run.wanted, place, copy
        self.sites: dict[str, Site] = {}
        self.loops: dict[str, Loop] = {}
        self.told: dict[str, Any] = {"status": "finished"}
        self.watcher = run.watcher(place)
        self.watcher.root, self.watcher.stop = str(copy) + os.sep, self.stop

    def load(self, path: str, text: str) -> types.CodeType:
        """A source of theirs, instrumented."""
        tree, sites, loops = instrument(text, os.path.relpath(path, self.copy), self.wanted)
        self.sites.update(sites)
        self.loops.update(loops)
        return compile(tree, path, "exec")

    def write(self, status: str = "") -> None:
        self.told["status"] = status or self.told["status"]
        self.told["seen"] = self.watcher.result()
        self.told["sites"] = {key: vars(each) for key, each in self.sites.items()}
        self.told["loops"] = {key: vars(each) for key, each in self.loops.items()}
        (self.place / "result.part").write_text(json.dumps(self.told))
        (self.place / "result.part").rename(self.place / "result.json")

    def stop(self, status: str = "finished") -> None:
        self.write(status)
        os._exit(0)

    def raised(self, error: BaseException) -> None:
        """Their own frames only."""
        frames = traceback.extract_tb(error.__traceback__)
        lines = [each for each in frames if each.filename.startswith(self.watcher.root)]
        own = [(os.path.relpath(each.filename, self.copy), each.lineno, each.name) for each in lines]
        self.told.update(status="raised", problem=f"{type(error).__name__}: {error}"[:2000], traceback=own)


def _execute(run: Run, place: Path) -> None:
    """In the forked process: everything from the copy of the folder to the record of what was seen."""
    copy = copy_folder(run.source.path.resolve().parent, place / "copy")
    script = copy / run.source.path.name
    kept = _Kept(run, place, copy)
    _surroundings(run, copy, place)
    signal.signal(signal.SIGALRM, lambda *_: kept.stop("time"))
    signal.setitimer(signal.ITIMER_REAL, max(run.limits.seconds * 0.9, run.limits.seconds - 2))
    watcher = kept.watcher
    vars(builtins).update(hooks(watcher.begin, watcher.leave, watcher.see, watcher.at))
    sys.meta_path.insert(0, _Siblings(watcher.root, kept.load))
    main = types.ModuleType("__main__")
    vars(main).update(__file__=str(script), __builtins__=builtins)
    sys.modules["__main__"] = main
    guard([place])
    try:
        code = kept.load(str(script), run.source.text)
        np.random.seed(run.seed)
        random.seed(run.seed)
        exec(code, vars(main))
    except _Asked:
        kept.told.update(status="input")
    except SystemExit:
        pass
    except BaseException as error:
        kept.raised(error)
    signal.setitimer(signal.ITIMER_REAL, 0)
    kept.stop("")


def _surroundings(run: Run, copy: Path, place: Path) -> None:
    """Working directory, words, output, figures, input: what a script finds around it."""
    threadpool_limits(1)  # runs go side by side, and a fork of a pool of threads waits for ever
    os.chdir(copy)
    os.environ["MPLBACKEND"] = "Agg"
    sys.argv = [run.source.path.name, *run.argv]
    sys.path.insert(0, str(copy))
    for each in copy.iterdir():  # a module of theirs that is called as one of ours is theirs
        name = each.stem if each.suffix == ".py" else each.name
        if each.suffix == ".py" or each.is_dir():
            for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
                del sys.modules[loaded]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT, OUTPUT))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    output = os.open(place / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdin = open(0)  # noqa: SIM115
    sys.stdout = open(1, "w", buffering=1 << 16, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1 << 16, closefd=False)  # noqa: SIM115
    warnings.resetwarnings()
    warnings.simplefilter("ignore")

    def asked(*_: object) -> str:
        raise _Asked

    builtins.input = asked
    for module in list(sys.modules):  # figures of this process are not the script's
        if module == "matplotlib" or module.startswith("matplotlib."):
            with contextlib.suppress(Exception):
                sys.modules["matplotlib"].use("Agg", force=True)
            break
