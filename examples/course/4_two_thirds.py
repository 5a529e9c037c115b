"""Exercise 4. Three clouds of points, one class each. However long it trains, one class is never predicted."""

import numpy as np

np.random.seed(0)
centres = np.array([[-2.0, 0.0, 2.0], [0.0, 1.0, 0.0]])
Y = np.repeat([0, 1, 2], 20).reshape(1, 60)
X = centres[:, Y[0]] + 0.3 * np.random.randn(2, 60)

W1 = np.random.randn(5, 2)
b1 = np.zeros((5, 1))
W2 = np.random.randn(1, 5)
b2 = np.zeros((1, 1))
lr = 0.5

for i in range(1000):
    A1 = np.tanh(W1 @ X + b1)
    A2 = 1 / (1 + np.exp(-(W2 @ A1 + b2)))
    cost = np.mean((A2 - Y) ** 2) / 2

    dZ2 = (A2 - Y) * A2 * (1 - A2) / 60
    dW2 = dZ2 @ A1.T
    db2 = dZ2.sum(axis=1, keepdims=True)
    dZ1 = (W2.T @ dZ2) * (1 - A1**2)
    dW1 = dZ1 @ X.T
    db1 = dZ1.sum(axis=1, keepdims=True)

    W1 = W1 - lr * dW1
    b1 = b1 - lr * db1
    W2 = W2 - lr * dW2
    b2 = b2 - lr * db2
    if i % 100 == 0:
        print(i, cost)
