"""The machine as far as it decides the last digits of a result: what NumPy and its BLAS choose to compute with.

The same sum in another order is rounded elsewhere. NumPy picks its loops by what the processor can do, BLAS its kernels
by the processor's kind and splits a product by its threads, and some functions are the C library's.
"""

import os
import platform
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from runner.training import threads
from runner.training.recipe import Recipe

WORDS = {
    "cpu": "the processor",
    "system": "the system",
    "simd": "what NumPy uses of the processor",
    "blas": "BLAS",
    "kernel": "the kernel of BLAS",
    "threads": "the number of threads of BLAS",
}


class Machine(NamedTuple):
    """Words for each: `cpu` x86_64, `system` Linux glibc 2.36, `simd` X86_V2 X86_V3, `blas` openblas 0.3.31, `kernel`
    Haswell; empty where it cannot be known."""

    cpu: str
    system: str
    simd: str
    blas: str
    kernel: str


@lru_cache(maxsize=1)
def machine() -> Machine:
    """That of this process; what the environment has turned off (OPENBLAS_CORETYPE, NPY_DISABLE_CPU_FEATURES) is off.

    >>> machine() == machine()
    True
    """
    built: Any = np.show_config(mode="dicts")
    extensions = built.get("SIMD Extensions", {})
    simd = " ".join([*extensions.get("baseline", ()), *extensions.get("found", ())])
    library = _blas()
    linked = built.get("Build Dependencies", {}).get("blas", {})
    blas = f"{library.get('internal_api') or linked.get('name', '')} {library.get('version') or linked.get('version')}"
    return Machine(platform.machine(), _system(), simd, blas.strip(), library.get("architecture") or "")


def said(recipe: Recipe, where: Machine) -> dict[str, str | int]:
    """What the record of a run says of the machine, by name: its fields, and the threads that BLAS had."""
    return {**where._asdict(), "threads": threads.count(recipe)}


def differing(before: Mapping[str, str], now: Mapping[str, str | int]) -> list[str]:
    """What is not as it was, in words; `now` as `said` gives it, `before` the same as text.

    >>> differing({"kernel": "Haswell", "threads": "1"}, {"kernel": "Prescott", "threads": 1})
    ['the kernel of BLAS is Prescott, it was Haswell']
    """
    return [
        f"{what} is {now[name] or 'unknown'}, it was {before[name] or 'unknown'}"
        for name, what in WORDS.items()
        if name in before and before[name] != str(now[name])
    ]


def _blas() -> Mapping[str, Any]:
    """The BLAS that NumPy computes with, as threadpoolctl tells it (SciPy may have brought another); empty for none."""
    found = [library for library in threads.libraries() if library["user_api"] == "blas"]
    return next((library for library in found if "numpy" in library["filepath"]), found[0] if found else {})


def _system() -> str:
    try:
        library = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        library = platform.mac_ver()[0]
    return f"{platform.system()} {library}".strip()
