"""Functions that share their weights by closing over them; a mapping of functions is what is returned."""

import numpy as np


def make_network(inputs, outputs, seed, width=6):
    rng = np.random.default_rng(seed)
    W1, b1 = rng.normal(size=(inputs, width)), np.zeros((1, width))
    W2, b2 = rng.normal(size=(width, outputs)), np.zeros((1, outputs))

    def forward(X):
        A1 = np.tanh(X @ W1 + b1)
        return A1, 1 / (1 + np.exp(-(A1 @ W2 + b2)))

    def cost(X, Y):
        A2 = forward(X)[1]
        return -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / X.shape[0]

    def gradients(X, Y):
        A1, A2 = forward(X)
        dZ2 = (A2 - Y) / X.shape[0]
        dZ1 = (dZ2 @ W2.T) * (1 - A1 * A1)
        return [X.T @ dZ1, dZ1.sum(axis=0, keepdims=True), A1.T @ dZ2, dZ2.sum(axis=0, keepdims=True)]

    return {
        "parameters": [W1, b1, W2, b2],
        "cost": cost,
        "gradients": gradients,
        "predict": lambda X: forward(X)[1],
    }
