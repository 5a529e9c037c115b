"""A compiled loop (`training.engine=compiled`): kernels by numba, one member from its first step to its last.

Only `stack.py` and what it imports need numba, and `kind.py` imports them when training starts.
"""
