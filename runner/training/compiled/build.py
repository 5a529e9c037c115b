"""The kernel, compiled or loaded: numba's own cache, in a folder of the user's that is named by what decides its code.

numba looks only at the file of the function it compiles. What that calls stands in other files here, so the folder's
name is a digest of all of them, of numba's version and of the processor: where one changes, so does the folder.
"""

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
from llvmlite import binding

from runner.training.compiled.kernels import run

FOLDER = Path(__file__).parent / "kernels"


def digest(folder: Path = FOLDER) -> str:
    """SHA-256 of the kernels' sources in `folder`, of numba's version and of the processor."""
    found = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        found.update(file.name.encode() + file.read_bytes())
    host = f"{numba.__version__} {binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}"
    found.update(host.encode())
    return found.hexdigest()


def cache() -> Path:
    """Where compiled kernels are kept: below XDG_CACHE_HOME, or ~/.cache."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "runner" / "kernels"


@lru_cache(maxsize=1)
def kernel() -> Callable[..., Any]:
    """`runner.training.compiled.kernels.run.run`, compiled at its first call or read from where it was kept."""
    before = numba.config.CACHE_DIR
    place = cache() / digest()[:16]
    try:
        place.mkdir(parents=True, exist_ok=True)
        numba.config.CACHE_DIR = str(place)  # read when the function is made; nobody else's functions go there
        return numba.njit(error_model="numpy", nogil=True, cache=True)(run.run)
    except OSError:  # nowhere to keep it
        return numba.njit(error_model="numpy", nogil=True)(run.run)
    finally:
        numba.config.CACHE_DIR = before
