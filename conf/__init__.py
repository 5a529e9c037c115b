"""The configurations: one yaml per choice, in a folder per group. A package, so that they install with the program."""
