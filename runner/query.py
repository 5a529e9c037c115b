"""The door of `python -m runner.query`: runs as a table for other programs (`runner.command.query`)."""

from runner.command.query import main
from runner.screen.door import door

if __name__ == "__main__":
    door(main)
