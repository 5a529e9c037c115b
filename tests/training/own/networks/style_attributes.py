"""Weights as attributes, its own momentum, samples as rows."""

import numpy as np


class MLP:
    def __init__(self, inputs, hidden=8, outputs=1, beta=0.9):
        self.W_hidden = np.random.uniform(-1, 1, (inputs, hidden))
        self.b_hidden = np.zeros(hidden)
        self.W_out = np.random.uniform(-1, 1, (hidden, outputs))
        self.b_out = np.zeros(outputs)
        self.beta = beta
        self.velocity = [0, 0, 0, 0]

    def parameters(self):
        return [self.W_hidden, self.b_hidden, self.W_out, self.b_out]

    def sigmoid(self, z):
        return 1 / (1 + np.exp(-z))

    def forward(self, X):
        self.a = self.sigmoid(X @ self.W_hidden + self.b_hidden)
        return self.sigmoid(self.a @ self.W_out + self.b_out)

    def cost(self, X, Y):
        return 0.5 * np.mean((self.forward(X) - Y) ** 2)

    def gradients(self, X, Y):
        out = self.forward(X)
        delta = (out - Y) * out * (1 - out) / len(Y)
        back = delta @ self.W_out.T * self.a * (1 - self.a)
        self.grads = [X.T @ back, back.sum(axis=0), self.a.T @ delta, delta.sum(axis=0)]
        return self.grads

    def predict(self, X):
        return self.forward(X)

    def step(self, lr):
        self.velocity = [self.beta * v + g for v, g in zip(self.velocity, self.grads)]
        for parameter, v in zip(self.parameters(), self.velocity):
            parameter -= lr * v
