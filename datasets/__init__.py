"""Data for the runner: one file per problem, each with one function that returns a `Dataset`.

`datasets/xor.py` holds `xor`, and `dataset=xor` on the command line calls it. NumPy and h5py only: no
configuration, no tracking, no network. What all problems share, splitting and scaling, is `prepare`.
"""

from datasets.preparation import check, prepare
from datasets.types import DataError, Dataset, Rows, Scaling

__all__ = ["DataError", "Dataset", "Rows", "Scaling", "check", "prepare"]
