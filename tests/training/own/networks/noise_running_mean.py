"""A running mean that every forward pass moves, on the object, on its class and at the top of the module."""

import numpy as np

SEEN = {"count": 0, "mean": 0.0}


class Net:
    means = []

    def __init__(self, inputs, outputs):
        self.parameters = {"W": np.random.randn(inputs, 4), "g": np.ones(4), "V": np.random.randn(4, outputs)}
        self.running = np.zeros(4)

    def forward(self, X):
        Z = X @ self.parameters["W"]
        mean = Z.mean(axis=0)
        self.running = 0.9 * self.running + 0.1 * mean
        self.means.append(float(mean[0]))
        SEEN["count"] += 1
        SEEN["mean"] += float(mean[0])
        self.C = Z - mean
        self.A = np.tanh(self.C * self.parameters["g"])
        return 1 / (1 + np.exp(-(self.A @ self.parameters["V"])))

    def predict(self, X):
        center = self.running + SEEN["mean"] / max(SEEN["count"], 1) + sum(self.means) / max(len(self.means), 1)
        A = np.tanh((X @ self.parameters["W"] - center) * self.parameters["g"])
        return 1 / (1 + np.exp(-(A @ self.parameters["V"])))

    def cost(self, X, Y):
        P = self.forward(X)
        return -np.mean(Y * np.log(P) + (1 - Y) * np.log(1 - P))

    def gradients(self, X, Y):
        dZ = (self.forward(X) - Y) / len(X)
        dH = dZ @ self.parameters["V"].T * (1 - self.A**2)
        dC = dH * self.parameters["g"]
        return {"W": X.T @ (dC - dC.mean(axis=0)), "g": (dH * self.C).sum(axis=0), "V": self.A.T @ dZ}
