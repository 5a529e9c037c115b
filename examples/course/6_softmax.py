"""Exercise 6. Three clouds, three outputs, softmax. The cost falls, and the answers are no better than a guess."""

import numpy as np

np.random.seed(0)
centres = np.array([[-2.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
labels = np.repeat([0, 1, 2], 20)
X = centres[labels] + 0.3 * np.random.randn(60, 2)
Y = np.eye(3)[labels]

W1 = np.random.randn(2, 8)
b1 = np.zeros((1, 8))
W2 = np.random.randn(8, 3)
b2 = np.zeros((1, 3))
lr = 0.5

for i in range(500):
    A1 = np.tanh(X @ W1 + b1)
    E = np.exp(A1 @ W2 + b2)
    A2 = E / E.sum(axis=0, keepdims=True)
    cost = -np.mean(np.sum(Y * np.log(A2), axis=1))

    dZ2 = (A2 - Y) / 60
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=0, keepdims=True)
    dZ1 = (dZ2 @ W2.T) * (1 - A1**2)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0, keepdims=True)

    W1 = W1 - lr * dW1
    b1 = b1 - lr * db1
    W2 = W2 - lr * dW2
    b2 = b2 - lr * db2
    if i % 50 == 0:
        print(i, cost)
