"""Right: classes by a threshold in the middle."""

# words:
import numpy as np


class Net:
    def __init__(self, inputs, outputs):
        self.W1, self.b1 = np.random.randn(inputs, 4), np.zeros(4)
        self.W2, self.b2 = np.random.randn(4, outputs), np.zeros(outputs)
        self.parameters = {"W1": self.W1, "b1": self.b1, "W2": self.W2, "b2": self.b2}

    def forward(self, X):
        self.A1 = np.tanh(X @ self.W1 + self.b1)
        return 1 / (1 + np.exp(-(self.A1 @ self.W2 + self.b2)))

    def predict(self, X):
        return (self.forward(X) > 0.5).astype(int)

    def cost(self, X, Y):
        A = self.forward(X)
        return -np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A))

    def gradients(self, X, Y):
        dZ2 = (self.forward(X) - Y) / len(X)
        dZ1 = dZ2 @ self.W2.T * (1 - self.A1**2)
        self.dW1, self.db1 = X.T @ dZ1, dZ1.sum(axis=0)
        self.dW2, self.db2 = self.A1.T @ dZ2, dZ2.sum(axis=0)
        return {"W1": self.dW1, "b1": self.db1, "W2": self.dW2, "b2": self.db2}
