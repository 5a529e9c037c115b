"""What is wrong in a script of the user's: its line, its causes, and patches that were run."""
