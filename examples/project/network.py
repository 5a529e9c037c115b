"""A network of one's own: one hidden layer of tanh, one sigmoid output, samples as rows."""

import numpy as np


class Net:
    def __init__(self, inputs, hidden, outputs):
        self.parameters = {
            "W1": np.random.randn(inputs, hidden[0]) / np.sqrt(inputs),
            "b1": np.zeros(hidden[0]),
            "W2": np.random.randn(hidden[0], outputs) / np.sqrt(hidden[0]),
            "b2": np.zeros(outputs),
        }

    def forward(self, X):
        p = self.parameters
        A1 = np.tanh(X @ p["W1"] + p["b1"])
        return A1, 1 / (1 + np.exp(-(A1 @ p["W2"] + p["b2"])))

    def predict(self, X):
        return self.forward(X)[1]

    def cost(self, X, Y):
        A2 = self.predict(X)
        return -np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2))

    def gradients(self, X, Y):
        A1, A2 = self.forward(X)
        dZ2 = (A2 - Y) / len(X)
        dZ1 = (dZ2 @ self.parameters["W2"].T) * (1 - A1**2)
        return {"W1": X.T @ dZ1, "b1": dZ1.sum(axis=0), "W2": A1.T @ dZ2, "b2": dZ2.sum(axis=0)}
