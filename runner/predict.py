"""The door of `python -m runner.predict`: what a trained network answers to new rows (`runner.command.predict`)."""

from runner.command.predict import main
from runner.screen.door import door

if __name__ == "__main__":
    door(main)
