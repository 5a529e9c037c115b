"""The door of `python -m runner.check`: is the gradient right? (`runner.command.check`)."""

from runner.command.check import main
from runner.screen.door import door

if __name__ == "__main__":
    door(main)
