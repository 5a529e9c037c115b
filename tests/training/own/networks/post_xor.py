"""The XOR post: [2, 2, 1] sigmoid, parameters in a dictionary, samples as columns. Its backward pass as posted."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class Network:
    def __init__(self, layer_dims=(2, 2, 1)):
        self.parameters = {}
        for l in range(1, len(layer_dims)):
            self.parameters["W" + str(l)] = np.random.randn(layer_dims[l], layer_dims[l - 1]) * 0.01
            self.parameters["b" + str(l)] = np.zeros((layer_dims[l], 1))

    def forward(self, X):
        cache = {"A0": X}
        for l in range(1, len(self.parameters) // 2 + 1):
            Z = self.parameters["W" + str(l)] @ cache["A" + str(l - 1)] + self.parameters["b" + str(l)]
            cache["A" + str(l)] = sigmoid(Z)
        return cache

    def cost(self, X, Y):
        AL = self.forward(X)["A2"]
        return -np.mean(Y * np.log(AL) + (1 - Y) * np.log(1 - AL))

    def gradients(self, X, Y):
        m, cache, grads = X.shape[1], self.forward(X), {}
        AL = cache["A2"]
        dA = -(np.divide(Y, AL) + np.divide(1 - Y, 1 - AL))
        for l in (2, 1):
            A = cache["A" + str(l)]
            dZ = dA * A * (1 - A)
            grads["dW" + str(l)] = dZ @ cache["A" + str(l - 1)].T / m
            grads["db" + str(l)] = np.sum(dZ, axis=1, keepdims=True) / m
            dA = self.parameters["W" + str(l)].T @ dZ
        return grads

    def predict(self, X):
        return self.forward(X)["A2"] > 0.5
