"""How the kernels are compiled: dividing by 0 gives inf or NaN as in NumPy, and no sum is ever reordered."""

from collections.abc import Callable
from typing import Any

import numba

# Only kernels call these: no wrapper for anybody else is compiled.
kernel: Callable[..., Any] = numba.njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
inlined: Callable[..., Any] = numba.njit(
    error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True
)
