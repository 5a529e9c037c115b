"""Is the gradient right? Measured against the cost, and the mistake named. NumPy only."""
