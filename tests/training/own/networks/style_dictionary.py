"""A dictionary of parameters in a class, samples as columns, ReLU and sigmoid."""

import numpy as np


class Net:
    def __init__(self, inputs, hidden, outputs):
        h = hidden[0]
        self.params = {
            "W1": np.random.randn(h, inputs), "b1": np.zeros((h, 1)),
            "W2": np.random.randn(outputs, h), "b2": np.zeros((outputs, 1)),
        }

    @property
    def parameters(self):
        return self.params

    def forward(self, X):
        Z1 = self.params["W1"] @ X + self.params["b1"]
        A1 = np.maximum(Z1, 0)
        return Z1, A1, 1 / (1 + np.exp(-(self.params["W2"] @ A1 + self.params["b2"])))

    def cost(self, X, Y):
        A = self.forward(X)[2]
        return -np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A))

    def gradients(self, X, Y):
        Z1, A1, A2 = self.forward(X)
        m = X.shape[1]
        dZ2 = A2 - Y
        dZ1 = self.params["W2"].T @ dZ2 * (Z1 > 0)
        return {
            "dW1": dZ1 @ X.T / m, "db1": dZ1.sum(axis=1, keepdims=True) / m,
            "dW2": dZ2 @ A1.T / m, "db2": dZ2.sum(axis=1, keepdims=True) / m,
        }

    def predict(self, X):
        return self.forward(X)[2]
