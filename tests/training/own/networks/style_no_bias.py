"""Two matrices and no bias, as in the network of eleven lines; squared error."""

import numpy as np


class Eleven:
    def __init__(self, inputs, outputs):
        self.syn0 = 2 * np.random.random((inputs, 4)) - 1
        self.syn1 = 2 * np.random.random((4, outputs)) - 1
        self.parameters = [self.syn0, self.syn1]

    def nonlin(self, x, deriv=False):
        if deriv:
            return x * (1 - x)
        return 1 / (1 + np.exp(-x))

    def cost(self, X, y):
        return np.mean((y - self.predict(X)) ** 2) / 2

    def predict(self, X):
        return self.nonlin(self.nonlin(X @ self.syn0) @ self.syn1)

    def gradients(self, X, y):
        l1 = self.nonlin(X @ self.syn0)
        l2 = self.nonlin(l1 @ self.syn1)
        l2_delta = (y - l2) * self.nonlin(l2, deriv=True)
        l1_delta = l2_delta @ self.syn1.T * self.nonlin(l1, deriv=True)
        return [-X.T @ l1_delta / len(X), -l1.T @ l2_delta / len(X)]
