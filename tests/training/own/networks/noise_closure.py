"""Noise and a running cost in closures."""

import numpy as np


def Net(inputs, outputs):
    parameters = [np.random.randn(inputs, 4), np.random.randn(4, outputs)]
    rng = np.random.default_rng(2)
    shift = np.zeros(1)

    def forward(X):
        W, V = parameters
        noise = 1 + 0.1 * rng.standard_normal((len(X), 4))
        A = np.tanh(X @ W)
        return A, noise, 1 / (1 + np.exp(-((A * noise) @ V)))

    def cost(X, Y):
        P = forward(X)[-1]
        shift[0] = 0.5 * shift[0] + 0.01 * P.mean()
        return -np.mean(Y * np.log(P) + (1 - Y) * np.log(1 - P))

    def gradients(X, Y):
        W, V = parameters
        A, noise, P = forward(X)
        dZ = (P - Y) / len(X)
        return [X.T @ (dZ @ V.T * noise * (1 - A**2)), (A * noise).T @ dZ]

    def predict(X):
        return forward(X)[-1] + shift[0]

    return {"parameters": parameters, "cost": cost, "gradients": gradients, "predict": predict}
