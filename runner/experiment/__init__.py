"""Overrides in, a checked `Experiment` out: the one place that sees configuration."""
