"""What makes two runs the same: digests of code and data, and which keys of a configuration decide the result."""

import hashlib
from functools import lru_cache
from pathlib import Path

from datasets import Dataset

# What does not change a run's result, and what members of a stack may differ in (beside the optimizer's numbers, l2,
# dropout and the target).
NOT_DECISIVE = ("tracking", "plots", "progress", "sweep", "search", "resume", "diagnosis")
NOT_SHARED = ("seed", "rng", "init", "dataset", *NOT_DECISIVE)
# The sources that decide what numbers come out.
COMPUTING = ("runner/nn", "runner/training", "runner/experiment", "datasets")


@lru_cache(maxsize=1)
def code_digest() -> str:
    """SHA-256 over the sources that compute results."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parents[2]
    for place in COMPUTING:
        path = root / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=64)
def data_digest(dataset: Dataset) -> str:
    return dataset.digest()
