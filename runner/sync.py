"""`python -m runner.sync [DIR ...]`: bring journals into an MLflow store, as often as you like.

What was recorded offline, what a tracking process could not finish, and run directories copied from another machine
all arrive this way, artifacts included; what is in the store already stays as it is.
"""

from runner.command.sync import main

if __name__ == "__main__":
    from runner.screen.door import door  # late, with what it prints by: --help needs none of it
    from runner.tracking.opening import lighten

    lighten()
    door(main)
