import numpy as np


def batches(X, y, size, rs):
    index = rs.permutation(X.shape[0])
    for k in range(0, X.shape[0], size):
        part = index[k : k + size]
        yield X[part], y[part]


def train(X, y, epochs=60, size=20, learning_rate=0.05):
    rs = np.random.RandomState(9)
    W1 = rs.randn(X.shape[1], 20) * 0.5
    b1 = np.zeros((1, 20))
    W2 = rs.randn(20, 1) * 0.3
    b2 = np.zeros((1, 1))
    for epoch in range(epochs):
        epoch_loss = 0.0
        for xb, yb in batches(X, y, size, rs):
            z1 = xb.dot(W1) + b1
            a1 = np.where(z1 > 0, z1, 0.1 * z1)
            out = a1.dot(W2) + b2
            diff = out - yb
            epoch_loss += np.sum(diff**2)
            dout = 2 * diff / xb.shape[0]
            dW2 = a1.T.dot(dout)
            db2 = np.sum(dout, axis=0, keepdims=True)
            da1 = dout.dot(W2.T)
            dz1 = da1 * np.where(z1 > 0, 1, 0.1)
            dW1 = xb.T.dot(dz1)
            db1 = np.sum(dz1, axis=0, keepdims=True)
            W1 -= learning_rate * dW1
            b1 -= learning_rate * db1
            W2 -= learning_rate * dW2
            b2 -= learning_rate * db2
        print("Epoch {}: {:.5f}".format(epoch, epoch_loss / X.shape[0]))


rs = np.random.RandomState(0)
X = rs.uniform(-1, 1, (200, 3))
y = (X[:, 0] * X[:, 1] + 0.5 * X[:, 2]).reshape(-1, 1)
train(X, y)
