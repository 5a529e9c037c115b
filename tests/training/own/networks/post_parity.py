"""The parity post: [1, 1, 1] ReLU and sigmoid, functions over a dictionary of parameters. Backward pass as posted."""

import numpy as np


def relu(Z):
    return np.maximum(0, Z)


def sigmoid(Z):
    return 1 / (1 + np.exp(-Z))


def parameters(layer_dims=(1, 1, 1)):
    params = {}
    for i in range(1, len(layer_dims)):
        params["W" + str(i)] = np.random.randn(layer_dims[i], layer_dims[i - 1]) * 0.01
        params["b" + str(i)] = np.zeros((layer_dims[i], 1))
    return params


def forward(params, X):
    Z1 = np.dot(params["W1"], X) + params["b1"]
    A1 = relu(Z1)
    Z2 = np.dot(params["W2"], A1) + params["b2"]
    return Z1, A1, Z2, sigmoid(Z2)


def cost(params, X, Y):
    m = Y.shape[1]
    A2 = forward(params, X)[3]
    return np.squeeze(-np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m)


def gradients(params, X, Y):
    m = Y.shape[1]
    Z1, A1, Z2, A2 = forward(params, X)
    dA2 = -(np.divide(Y, A2) - np.divide(1 - Y, A2))
    dZ2 = dA2 * A2 * (1 - A2)
    dA1 = np.dot(params["W2"].T, dZ2)
    dZ1 = np.array(dA1, copy=True)
    dZ1[Z1 <= 0] = 0
    return {
        "dW2": np.dot(dZ2, A1.T) / m,
        "db2": np.sum(dZ2, axis=1, keepdims=True) / m,
        "dW1": np.dot(dZ1, X.T) / m,
        "db1": np.sum(dZ1, axis=1, keepdims=True) / m,
    }


def predict(params, X):
    return forward(params, X)[3]


def step(params, grads, lr):
    for key in params:
        params[key] = params[key] - lr * grads["d" + key]
    return params
