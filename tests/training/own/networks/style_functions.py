"""A module of plain functions; the update makes new parameters and returns them. L2 in cost and gradients."""

import numpy as np

LAMBDA = 0.01


def init(inputs, hidden, outputs):
    sizes = [inputs, *hidden, outputs]
    return {
        "weights": [np.random.randn(a, b) * np.sqrt(1 / a) for a, b in zip(sizes, sizes[1:])],
        "biases": [np.zeros((1, b)) for b in sizes[1:]],
    }


def forward(params, X):
    activations = [X]
    for W, b in zip(params["weights"][:-1], params["biases"][:-1]):
        activations.append(np.tanh(activations[-1] @ W + b))
    z = activations[-1] @ params["weights"][-1] + params["biases"][-1]
    return activations, 1 / (1 + np.exp(-z))


def cost(params, X, Y):
    out = forward(params, X)[1]
    penalty = LAMBDA / 2 * sum(np.sum(W**2) for W in params["weights"])
    return -np.mean(Y * np.log(out) + (1 - Y) * np.log(1 - out)) + penalty


def gradients(params, X, Y):
    activations, out = forward(params, X)
    dW, db = [], []
    delta = (out - Y) / len(X)
    for l in reversed(range(len(params["weights"]))):
        dW.insert(0, activations[l].T @ delta + LAMBDA * params["weights"][l])
        db.insert(0, delta.sum(axis=0, keepdims=True))
        delta = delta @ params["weights"][l].T * (1 - activations[l] ** 2)
    return {"weights": dW, "biases": db}


def predict(params, X):
    return forward(params, X)[1]


def step(params, grads, lr):
    return {key: [p - lr * g for p, g in zip(params[key], grads[key])] for key in params}
