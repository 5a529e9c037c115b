"""Noise drawn from Python's generator."""

import random

import numpy as np


class Net:
    def __init__(self, inputs, outputs):
        self.parameters = {"W": np.random.randn(inputs, 5), "V": np.random.randn(5, outputs)}

    def forward(self, X):
        self.A = np.tanh(X @ self.parameters["W"])
        self.mask = random.uniform(0.5, 1.5)
        self.H = self.A * self.mask
        return 1 / (1 + np.exp(-(self.H @ self.parameters["V"])))

    def predict(self, X):
        return self.forward(X)

    def cost(self, X, Y):
        P = self.forward(X)
        return -np.mean(Y * np.log(P) + (1 - Y) * np.log(1 - P))

    def gradients(self, X, Y):
        dZ = (self.forward(X) - Y) / len(X)
        dA = dZ @ self.parameters["V"].T * self.mask * (1 - self.A**2)
        return {"W": X.T @ dA, "V": self.H.T @ dZ}
