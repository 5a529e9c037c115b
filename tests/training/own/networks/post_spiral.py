"""The spiral post: 2-5-1 sigmoid, half the squared error against the labels 0, 1, 2, rows. The backward pass is right."""

import numpy as np

W1 = np.random.randn(2, 5)
W2 = np.random.randn(5, 1)
b1 = np.random.randn(1, 5)
b2 = np.random.randn(1, 1)
parameters = [W1, W2, b1, b2]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def forward(X):
    hidden = sigmoid(X @ W1 + b1)
    return hidden, sigmoid(hidden @ W2 + b2)


def cost(X, y):
    return np.mean((forward(X)[1] - y) ** 2) / 2


def gradients(X, y):
    hidden, out = forward(X)
    d_out = (out - y) * out * (1 - out) / len(X)
    d_hidden = d_out @ W2.T * hidden * (1 - hidden)
    return [X.T @ d_hidden, hidden.T @ d_out, d_hidden.sum(axis=0, keepdims=True), d_out.sum(axis=0, keepdims=True)]


def predict(X):
    return forward(X)[1]
