"""The cats post: L layers, ReLU and a sigmoid at the end, caches in a list, samples as columns. Nothing wrong in it."""

import numpy as np


def sigmoid(Z):
    return 1 / (1 + np.exp(-Z)), Z


def relu(Z):
    return np.maximum(0, Z), Z


def relu_backward(dA, cache):
    dZ = np.array(dA, copy=True)
    dZ[cache <= 0] = 0
    return dZ


def sigmoid_backward(dA, cache):
    s = 1 / (1 + np.exp(-cache))
    return dA * s * (1 - s)


def linear_backward(dZ, cache):
    A_prev, W, b = cache
    m = A_prev.shape[1]
    return W.T @ dZ, dZ @ A_prev.T / m, np.sum(dZ, axis=1, keepdims=True) / m


class Model:
    def __init__(self, inputs, hidden=(20, 7, 5)):
        dims = [inputs, *hidden, 1]
        self.L = len(dims) - 1
        self.parameters = {}
        for l in range(1, len(dims)):
            self.parameters["W" + str(l)] = np.random.randn(dims[l], dims[l - 1]) * 0.01
            self.parameters["b" + str(l)] = np.zeros((dims[l], 1))

    def L_model_forward(self, X):
        caches, A = [], X
        for l in range(1, self.L + 1):
            W, b = self.parameters["W" + str(l)], self.parameters["b" + str(l)]
            linear = (A, W, b)
            A, Z = (relu if l < self.L else sigmoid)(W @ A + b)
            caches.append((linear, Z))
        return A, caches

    def cost(self, X, Y):
        AL, _ = self.L_model_forward(X)
        return -np.sum(Y * np.log(AL) + (1 - Y) * np.log(1 - AL)) / Y.shape[1]

    def gradients(self, X, Y):
        AL, caches = self.L_model_forward(X)
        grads, dA = {}, -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))
        for l in range(self.L, 0, -1):
            linear, Z = caches[l - 1]
            dZ = (sigmoid_backward if l == self.L else relu_backward)(dA, Z)
            dA, grads["dW" + str(l)], grads["db" + str(l)] = linear_backward(dZ, linear)
        return grads

    def predict(self, X):
        return (self.L_model_forward(X)[0] > 0.5).astype(int)
