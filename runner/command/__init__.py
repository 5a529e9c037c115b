"""One command from start to end."""
