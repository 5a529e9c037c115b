"""Logistic regression: the smallest network there is."""

import numpy as np


class Tiny:
    def __init__(self, inputs, outputs):
        self.parameters = {"W": np.zeros((inputs, outputs)), "b": np.zeros(outputs)}

    def predict(self, X):
        return 1 / (1 + np.exp(-(X @ self.parameters["W"] + self.parameters["b"])))

    def cost(self, X, Y):
        A = self.predict(X)
        return -np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A))

    def gradients(self, X, Y):
        dZ = (self.predict(X) - Y) / len(X)
        return {"W": X.T @ dZ, "b": dZ.sum(axis=0)}
