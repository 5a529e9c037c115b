"""Mistakes that people make, as parts that any run can be built with: `fault=NAME`, and nothing else is changed.

Each is a function that returns a `Fault`, in the module of where it is made: the backward pass, training, the data. To
add one: one function there and one yaml in conf/fault.
"""

from runner.nn.faults.backward import *  # noqa: F403  (every public function is an option)
from runner.nn.faults.data import *  # noqa: F403
from runner.nn.faults.training import *  # noqa: F403
from runner.nn.faults.types import Fault, Meets

__all__ = ["Fault", "Meets"]
