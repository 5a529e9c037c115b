"""A search is a loop around sweeps: asked of Optuna, trained, told."""
