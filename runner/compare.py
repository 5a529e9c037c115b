"""The door of `python -m runner.compare`: is one setting really better? (`runner.command.compare`)."""

from runner.command.compare import main
from runner.screen.door import door

if __name__ == "__main__":
    door(main)
