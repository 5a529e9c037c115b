"""The flower post: [2, 4, 1] ReLU with He's weights, one class, its own update. Nothing wrong in its backward pass."""

import numpy as np


class ShallowNet:
    def __init__(self, n_x=2, n_h=4, n_y=1):
        np.random.seed(1)
        self.parameters = {
            "W1": np.random.randn(n_h, n_x) * np.sqrt(2 / n_x),
            "b1": np.zeros((n_h, 1)),
            "W2": np.random.randn(n_y, n_h) * np.sqrt(2 / n_h),
            "b2": np.zeros((n_y, 1)),
        }

    def forward(self, X):
        p = self.parameters
        Z1 = p["W1"] @ X + p["b1"]
        A1 = np.maximum(Z1, 0)
        A2 = 1 / (1 + np.exp(-(p["W2"] @ A1 + p["b2"])))
        return Z1, A1, A2

    def cost(self, X, Y):
        A2 = self.forward(X)[2]
        return float(np.squeeze(-np.mean(np.multiply(np.log(A2), Y) + np.multiply(np.log(1 - A2), 1 - Y))))

    def gradients(self, X, Y):
        m = X.shape[1]
        Z1, A1, A2 = self.forward(X)
        dA2 = -Y / A2 + (1 - Y) / (1 - A2)
        dZ2 = dA2 * A2 * (1 - A2)
        dZ1 = (self.parameters["W2"].T @ dZ2) * np.where(Z1 > 0, 1, 0)
        self.grads = {
            "W1": dZ1 @ X.T / m,
            "b1": np.sum(dZ1, axis=1, keepdims=True) / m,
            "W2": dZ2 @ A1.T / m,
            "b2": np.sum(dZ2, axis=1, keepdims=True) / m,
        }
        return self.grads

    def predict(self, X):
        return np.round(self.forward(X)[2])

    def step(self, lr):
        for key, gradient in self.grads.items():
            self.parameters[key] = self.parameters[key] - lr * gradient
