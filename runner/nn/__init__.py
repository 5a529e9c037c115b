"""The network's mathematics, NumPy only."""
