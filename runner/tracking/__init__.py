"""Journals into MLflow, in a process of their own: of `runs` it takes the journal and the files, and no NumPy."""
