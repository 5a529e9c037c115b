import numpy as np


def initialize(dims):
    np.random.seed(3)
    params = {}
    for l in range(1, len(dims)):
        params["W" + str(l)] = np.random.randn(dims[l], dims[l - 1]) * np.sqrt(2 / dims[l - 1])
        params["b" + str(l)] = np.zeros((dims[l], 1))
    return params


def relu(Z):
    return np.maximum(0, Z)


def sigmoid(Z):
    return 1 / (1 + np.exp(-Z))


def forward(X, params):
    caches = []
    A = X
    L = len(params) // 2
    for l in range(1, L + 1):
        A_prev = A
        Z = np.dot(params["W" + str(l)], A_prev) + params["b" + str(l)]
        A = sigmoid(Z) if l == L else relu(Z)
        caches.append((A_prev, Z))
    return A, caches


def compute_cost(AL, Y):
    m = Y.shape[1]
    cost = -1 / m * np.sum(Y * np.log(AL) + (1 - Y) * np.log(1 - AL))
    return np.squeeze(cost)


def backward(AL, Y, caches, params):
    grads = {}
    m = Y.shape[1]
    L = len(caches)
    dAL = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))
    dZ = dAL * AL * (1 - AL)
    for l in reversed(range(1, L + 1)):
        A_prev, Z = caches[l - 1]
        grads["dW" + str(l)] = np.dot(dZ, A_prev.T) / m
        grads["db" + str(l)] = np.sum(dZ, axis=1, keepdims=True) / m
        if l > 1:
            dA_prev = np.dot(params["W" + str(l)].T, dZ)
            dZ = dA_prev * (caches[l - 2][1] > 0)
    return grads


def update(params, grads, learning_rate):
    L = len(params) // 2
    for l in range(L):
        params["W" + str(l + 1)] = params["W" + str(l + 1)] - learning_rate * grads["dW" + str(l + 1)]
        params["b" + str(l + 1)] = params["b" + str(l + 1)] - learning_rate * grads["db" + str(l + 1)]
    return params


def model(X, Y, dims, learning_rate=0.1, num_iterations=1500):
    costs = []
    params = initialize(dims)
    for i in range(num_iterations):
        AL, caches = forward(X, params)
        cost = compute_cost(AL, Y)
        grads = backward(AL, Y, caches, params)
        params = update(params, grads, learning_rate)
        if i % 100 == 0:
            costs.append(cost)
    return params, costs


rng = np.random.RandomState(5)
X = rng.randn(4, 150)
Y = (X[0:1] * X[1:2] + X[2:3] > 0).astype(int)
params, costs = model(X, Y, [4, 10, 6, 1])
print(costs)
