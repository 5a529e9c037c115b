"""Who trains which stack, in which process, and what a dead one costs."""
