"""The door of `python -m runner.replay`: run a recorded run again and compare (`runner.command.replay`)."""

from runner.command.replay import main
from runner.screen.door import door

if __name__ == "__main__":
    door(main)
