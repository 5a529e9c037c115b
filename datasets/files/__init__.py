"""Readers of the files that users bring: tables, HDF5, NumPy archives, in memory or streamed."""
