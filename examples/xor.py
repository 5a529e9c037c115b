"""A network for XOR, written by hand. Its cost rises. Why?"""

import numpy as np

np.random.seed(1)
X = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
Y = np.array([[0, 1, 1, 0]])

W1, b1 = np.random.randn(4, 2), np.zeros((4, 1))
W2, b2 = np.random.randn(1, 4), np.zeros((1, 1))
lr = 0.5

for i in range(2000):
    # forward
    A1 = np.tanh(W1 @ X + b1)
    A2 = 1 / (1 + np.exp(-(W2 @ A1 + b2)))
    cost = -np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2))

    # backward
    dA2 = -(Y / A2 + (1 - Y) / (1 - A2)) / 4
    dZ2 = dA2 * A2 * (1 - A2)
    dW2 = dZ2 @ A1.T
    db2 = dZ2.sum(axis=1, keepdims=True)
    dZ1 = (W2.T @ dZ2) * (1 - A1**2)
    dW1 = dZ1 @ X.T
    db1 = dZ1.sum(axis=1, keepdims=True)

    # update
    W1 = W1 - lr * dW1
    b1 = b1 - lr * db1
    W2 = W2 - lr * dW2
    b2 = b2 - lr * db2
    if i % 100 == 0:
        print(i, cost)
