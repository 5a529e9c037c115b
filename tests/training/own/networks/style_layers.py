"""Layers as objects with a forward and a backward; leaky ReLU, samples as columns, its own plain update."""

import numpy as np


class Dense:
    def __init__(self, fan_in, fan_out):
        self.W, self.b = np.random.randn(fan_out, fan_in) / np.sqrt(fan_in), np.zeros((fan_out, 1))

    def forward(self, A):
        self.A = A
        return self.W @ A + self.b

    def backward(self, dZ):
        self.dW, self.db = dZ @ self.A.T, dZ.sum(axis=1, keepdims=True)
        return self.W.T @ dZ

    def update(self, lr):
        self.W -= lr * self.dW
        self.b -= lr * self.db


class LeakyReLU:
    def forward(self, Z):
        self.Z = Z
        return np.where(Z > 0, Z, 0.01 * Z)

    def backward(self, dA):
        return dA * np.where(self.Z > 0, 1, 0.01)


class Sequential:
    def __init__(self, inputs, outputs):
        self.dense = [Dense(inputs, 6), Dense(6, outputs)]
        self.layers = [self.dense[0], LeakyReLU(), self.dense[1]]

    def parameters(self):
        return {f"layer{i}": {"W": layer.W, "b": layer.b} for i, layer in enumerate(self.dense)}

    def forward(self, X):
        for layer in self.layers:
            X = layer.forward(X)
        return 1 / (1 + np.exp(-X))

    def cost(self, X, Y):
        A = self.forward(X)
        return -np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A))

    def gradients(self, X, Y):
        d = (self.forward(X) - Y) / X.shape[1]
        for layer in reversed(self.layers):
            d = layer.backward(d)
        return {f"layer{i}": {"W": layer.dW, "b": layer.db} for i, layer in enumerate(self.dense)}

    def predict(self, X):
        return self.forward(X)

    def step(self, lr):
        for layer in self.dense:
            layer.update(lr)
