import numpy as np

np.random.seed(0)
m = 200
t = np.random.rand(m) * np.pi
X = np.vstack([np.where(np.arange(m) < m // 2, np.cos(t), 1 - np.cos(t)), np.where(np.arange(m) < m // 2, np.sin(t), 0.5 - np.sin(t))])
X += 0.1 * np.random.randn(2, m)
Y = (np.arange(m) >= m // 2).astype(float).reshape(1, m)

W1 = np.random.randn(8, 2) * 0.7
b1 = np.zeros((8, 1))
W2 = np.random.randn(1, 8) * 0.4
b2 = np.zeros((1, 1))
learning_rate = 0.8

for i in range(1500):
    Z1 = W1 @ X + b1
    A1 = np.tanh(Z1)
    Z2 = W2 @ A1 + b2
    A2 = 1 / (1 + np.exp(-Z2))
    cost = -np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2))
    dZ2 = (A2 - Y) / m
    dW2 = dZ2 @ A1.T
    db2 = dZ2.sum(axis=1, keepdims=True)
    dA1 = W2.T @ dZ2
    dZ1 = dA1 * (1 - A1**2)
    dW1 = dZ1 @ X.T
    db1 = dZ1.sum(axis=1, keepdims=True)
    W1 -= learning_rate * dW1
    b1 -= learning_rate * db1
    W2 -= learning_rate * dW2
    b2 -= learning_rate * db2
    if i % 100 == 0:
        print(i, cost)
