"""Where the code of a network of the user's own is: its files, their digest, and the module executed again.

The module is executed again for every network, from its sources as they are now.
"""

import ast
import hashlib
import importlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import datasets
from runner.nn.architectures import Own
from runner.training.own.network import NetworkError, NetworkProblem, told

INSTALLED = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
# A network beside a checkout of ours may import us. We are no part of it: executed again, our classes would be others.
OURS = [Path(__file__).resolve().parents[2], Path(str(datasets.__file__)).resolve().parent]


def sources(own: Own) -> list[Path]:
    """The files that the network is made of: its module's, and of what it imports those that lie beside it."""
    start, root = place(own)
    found, left = [start], [start]
    while left:
        for path in _imported(left.pop(), root):
            if path not in found:
                found.append(path)
                left.append(path)
    return sorted(found)


def digest(own: Own) -> str:
    """SHA-256 over the sources of the network."""
    found = hashlib.sha256()
    for path in sources(own):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


def _spec(own: Own) -> Any:
    """Where the module is: the current directory comes first."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    name = own.network.partition(":")[0]
    if not all(part.isidentifier() for part in name.split(".")):
        meant = name.removeprefix("./").removesuffix(".py").replace("/", ".")
        hint = f" Did you mean {own.network.replace(name, meant)!r}?" if meant != name else ""
        raise NetworkProblem(
            f"architecture.network must be MODULE:NAME, as in my_module:MyNet. Got {own.network!r}.{hint}"
        )
    importlib.invalidate_caches()
    try:
        parent = name.rpartition(".")[0]
        where = list(importlib.import_module(parent).__path__) if parent else None
        spec = PathFinder.find_spec(name, where)  # and not what has been imported by that name before
    except (ModuleNotFoundError, AttributeError):
        spec = None
    except Exception as error:
        raise NetworkError(told(error, own.network, f"importing {name}")) from error
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        near = get_close_matches(name, [path.stem for path in Path.cwd().glob("*.py")], n=1)
        hint = f" Did you mean {own.network.replace(name, near[0], 1)!r}?" if near else ""
        raise NetworkProblem(
            f"architecture.network={own.network}: there is no module {name!r} in {Path.cwd()} or on the path.{hint}"
        )
    # A configuration may come back from a shared store: it must not name what can do anything.
    if any(Path(spec.origin).resolve().is_relative_to(place) for place in (*INSTALLED, *OURS)):
        raise NetworkProblem(
            f"architecture.network={own.network}: {name} came with Python or an installed package. A network of your "
            "own is in a module of yours, in the current directory or on PYTHONPATH."
        )
    return spec


def place(own: Own) -> tuple[Path, Path]:
    """The file of the module, and the directory from which it is imported."""
    spec = _spec(own)
    start = Path(spec.origin).resolve()
    return start, start.parents[spec.name.count(".") + (start.name == "__init__.py")]


def names(own: Own) -> list[str]:
    """The names by which its sources are imported: each run gets them fresh."""
    root = place(own)[1]
    parts = [path.relative_to(root).with_suffix("").parts for path in sources(own)]
    return [".".join(each[:-1] if each[-1] == "__init__" else each) for each in parts]


def executed(own: Own) -> ModuleType:
    spec = _spec(own)
    for name in names(own):
        sys.modules.pop(name, None)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look a class's module up there
    try:
        # From its source, as it is now: a cached one of the same second may be older.
        exec(spec.loader.source_to_code(Path(spec.origin).read_bytes(), spec.origin), module.__dict__)
    except SystemExit as error:
        raise NetworkProblem(f"{own.network}: importing {spec.name} ends the program (sys.exit, {error}).") from error
    except Exception as error:
        raise NetworkError(told(error, own.network, f"importing {spec.name}")) from error
    return module


def _imported(path: Path, root: Path) -> Iterator[Path]:
    """The files under `root` that a source imports, wherever in it."""
    for node in _imports(path.read_bytes()):
        if isinstance(node, ast.Import):
            places = [(root, alias.name) for alias in node.names]
        else:
            base = path.parents[node.level - 1] if node.level else root
            names = [".".join(filter(None, (node.module, alias.name))) for alias in node.names]
            places = [(base, name) for name in (*names, node.module) if name]
        for base, name in places:
            place = base.joinpath(*name.split("."))
            files = [file.resolve() for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()]
            yield from (file for file in files if not any(file.is_relative_to(ours) for ours in OURS))


@lru_cache(maxsize=64)
def _imports(text: bytes) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """What a source imports: a run asks for it often, and it stays what it is."""
    try:
        return tuple(node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom))
    except SyntaxError:
        return ()  # importing it will say so


def has_no(found: Any, part: str) -> str:
    if isinstance(found, ModuleType):
        own = [name for name, value in vars(found).items() if getattr(value, "__module__", "") == found.__name__]
        where = f"{found.__name__} has no {part!r}"
    else:
        own, where = [name for name in dir(found) if not name.startswith("_")], f"there is no {part!r}"
    near = get_close_matches(part, own, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{where}; it has {', '.join(own) or 'nothing of its own'}.{hint}"
