"""Exercise 5. Weights in pounds, heights in inches: sick or well? The cost jumps from 262 to 0.6931 and stays there."""

import numpy as np

np.random.seed(0)
Y = np.repeat([0, 1], 20).reshape(1, 40)
X = np.array([[150.0], [66.0]]) + np.array([[20.0], [3.0]]) * (np.random.randn(2, 40) + 4 * Y)

W1 = np.random.randn(3, 2)
b1 = np.zeros((3, 1))
W2 = np.random.randn(1, 3)
b2 = np.zeros((1, 1))
lr = 0.1

for i in range(1000):
    A1 = np.maximum(0, W1 @ X + b1)
    A2 = 1 / (1 + np.exp(-(W2 @ A1 + b2)))
    cost = -np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2))

    dZ2 = (A2 - Y) / 40
    dW2 = dZ2 @ A1.T
    db2 = dZ2.sum(axis=1, keepdims=True)
    dZ1 = (W2.T @ dZ2) * (A1 > 0)
    dW1 = dZ1 @ X.T
    db1 = dZ1.sum(axis=1, keepdims=True)

    W1 = W1 - lr * dW1
    b1 = b1 - lr * db1
    W2 = W2 - lr * dW2
    b2 = b2 - lr * db2
    if i % 100 == 0:
        print(i, cost)
