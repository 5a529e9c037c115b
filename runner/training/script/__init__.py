"""A script of the user's, as it is: read, instrumented, run in a process of its own, watched."""
