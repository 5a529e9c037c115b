"""`python -m runner.explain my_script.py`: what is wrong in a script, in which line, and what to write instead.

    python -m runner.explain my_script.py           one script, or notebook
    python -m runner.explain homework/              all scripts of a folder, each in a process of its own

It runs the code that it is given, in a copy of its folder.
"""

from runner.command.explain import main
from runner.screen.door import door

if __name__ == "__main__":
    door(main)
