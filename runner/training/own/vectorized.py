"""np.vectorize takes the type of its result from the first element: a relu that returns 0 there cuts off all others."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from runner.training.own.network import NetworkProblem


@contextmanager
def watched(label: str) -> Iterator[None]:
    """While the network's code runs: whether a vectorized function of it cuts floats off to whole numbers.

    Raises NetworkProblem where one does, at the end.
    """
    found: dict[str, str] = {}
    called = np.vectorize.__call__

    def watching(function: Any, *arguments: Any, **named: Any) -> Any:
        result = called(function, *arguments, **named)
        whole = isinstance(result, np.ndarray) and result.dtype.kind in "iu"
        if whole and function.otypes is None and function.signature is None and result.size:
            floats = called(np.vectorize(function.pyfunc, otypes=[float]), *arguments, **named)
            if not np.array_equal(result, floats):
                at = traceback.extract_stack()[-2]
                name, where = getattr(function.pyfunc, "__name__", "f"), f"{at.filename}:{at.lineno}"
                found[name] = (
                    f"{label}: np.vectorize({name}) gives whole numbers and cuts the rest off ({where}): "
                    f"its type is that of the first element. np.vectorize({name}, otypes=[float]), or return 0.0 for 0."
                )
        return result

    np.vectorize.__call__ = watching  # type: ignore[method-assign]
    try:
        yield
    finally:
        np.vectorize.__call__ = called  # type: ignore[method-assign]
    if found:
        raise NetworkProblem(*found.values())
