"""Ends its process in the middle of training, as compiled code that crashes does: a member that takes others with it."""

import os

from tiny import Tiny


class Exits(Tiny):
    """`after` calls of gradients there is no process any more; never, where it is 0."""

    def __init__(self, inputs, outputs, seed=0, after=50, on_seed=None):
        super().__init__(inputs, outputs)
        self.left = after if on_seed in (None, seed) else 0

    def gradients(self, X, Y):
        self.left -= 1
        if self.left == 0:
            os._exit(3)
        return super().gradients(X, Y)
