"""Its backward pass is called backward."""

import numpy as np


class NeuralNetwork:
    def __init__(self, x, Y):
        self.W1 = np.random.randn(x.shape[1], 4)
        self.W2 = np.random.randn(4, Y.shape[1])
        self.parameters = {"W1": self.W1, "W2": self.W2}

    def predict(self, X):
        self.A1 = np.tanh(X @ self.W1)
        return 1 / (1 + np.exp(-(self.A1 @ self.W2)))

    def cost(self, X, y):
        A = self.predict(X)
        return -np.mean(y * np.log(A) + (1 - y) * np.log(1 - A))

    def backward(self, X, y):
        dZ2 = (self.predict(X) - y) / len(X)
        dZ1 = dZ2 @ self.W2.T * (1 - self.A1**2)
        return {"W1": X.T @ dZ1, "W2": self.A1.T @ dZ2}
