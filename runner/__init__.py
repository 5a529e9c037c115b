"""Declarative experiments with from-scratch NumPy networks.

python -m runner dataset=xor optimizer.lr=0.1        # on the command line

from runner import load, run                         # in Python
trace = run(["dataset=xor", "optimizer.lr=0.1"])
"""

from typing import Any

__all__ = ["Trace", "load", "run"]


def __getattr__(name: str) -> Any:
    """`run`, `load` and `Trace` on first use: the tracking process imports this package and needs none of them."""
    if name in __all__:
        from runner import trace

        return getattr(trace, name)
    raise AttributeError(f"module 'runner' has no attribute {name!r}")
