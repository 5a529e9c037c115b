"""A list of (W, b) pairs, as autograd's examples have it; softmax, one-hot labels, rows."""

import numpy as np


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


class Classifier:
    def __init__(self, widths):
        self.parameters = [(np.random.randn(m, n) * 0.5, np.random.randn(n) * 0.1) for m, n in zip(widths, widths[1:])]

    def forward(self, X):
        inputs = [X]
        for W, b in self.parameters[:-1]:
            inputs.append(np.maximum(inputs[-1] @ W + b, 0))
        W, b = self.parameters[-1]
        return inputs, softmax(inputs[-1] @ W + b)

    def cost(self, X, Y):
        return -np.sum(Y * np.log(self.forward(X)[1])) / len(X)

    def gradients(self, X, Y):
        inputs, P = self.forward(X)
        grads, dZ = [], (P - Y) / len(X)
        for (W, b), A in zip(reversed(self.parameters), reversed(inputs)):
            grads.append((A.T @ dZ, dZ.sum(axis=0)))
            dZ = dZ @ W.T * (A > 0)
        return grads[::-1]

    def predict(self, X):
        return self.forward(X)[1]
