"""Exercise 1. The OR of two bits, by logistic regression. The cost rises from the first step on."""

import numpy as np

np.random.seed(0)
X = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
Y = np.array([[0, 1, 1, 1]])

W = np.random.randn(1, 2) * 0.1
b = np.zeros((1, 1))
lr = 0.5

for i in range(500):
    A = 1 / (1 + np.exp(-(W @ X + b)))
    cost = -np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A))

    dZ = (A - Y) / 4
    dW = dZ @ X.T
    db = dZ.sum(axis=1, keepdims=True)

    W = W + lr * dW
    b = b + lr * db
    if i % 50 == 0:
        print(i, cost)
