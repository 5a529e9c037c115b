"""What numba compiles, and what is traced into it: the folder whose sources name the cache."""
